import { join } from "node:path";
import type { CertificateStore } from "../issuer/ports.ts";
import type { Disk } from "./disk.ts";
import { type DocumentKind, formatDocument, membersOf, parseDocument } from "./document.ts";

const kind: DocumentKind = {
  title: "what is known of the last deployment",
  current: 1,
  remedy: "Move the file away: the deploy hook is run once more then.",
};

/** `certificates/NAME/deployed.json`: beside the versions, since it says which of them the deploy hook has run for. */
export function deployedVersions(
  disk: Disk,
  folderOf: (name: string) => string,
): Pick<CertificateStore, "loadDeployed" | "saveDeployed"> {
  const pathOf = (name: string) => join(folderOf(name), "deployed.json");
  return {
    async loadDeployed(name) {
      const path = pathOf(name);
      const text = await disk.read(path);
      if (text === undefined) return undefined;
      const members = membersOf(parseDocument(text, path, kind), path, kind);
      return { version: members.text("version"), at: members.text("at") };
    },
    saveDeployed: (name, deployed) => disk.write(pathOf(name), formatDocument({ schema: 1, ...deployed })),
  };
}
