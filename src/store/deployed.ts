import { join } from "node:path";
import type { CertificateStore, DeployFailure } from "../issuer/ports.ts";
import type { Disk } from "./disk.ts";
import { type DocumentKind, formatDocument, type Json, membersOf, parseDocument } from "./document.ts";

const kind: DocumentKind = {
  title: "what is known of the last deployment",
  current: 1,
  remedy: "Move the file away: the deploy hook is run once more then.",
};

/**
 * `certificates/NAME/deployed.json`: beside the versions, since it says which of them the deploy hook has run for, and how the last try
 * failed.
 */
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
      const document = parseDocument(text, path, kind);
      const members = membersOf(document, path, kind);
      const failure = failureOf(document["failure"], path);
      const deployed = { version: members.text("version"), at: members.text("at") };
      return failure === undefined ? deployed : { ...deployed, failure };
    },
    saveDeployed: (name, deployed) => disk.write(pathOf(name), formatDocument({ schema: 1, ...deployed })),
  };
}

function failureOf(value: unknown, path: string): DeployFailure | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const failure = value as Json;
  const members = membersOf(failure, path, kind);
  const { count } = failure;
  return {
    version: members.text("version"),
    at: members.time("at"),
    code: members.text("code"),
    message: members.text("message"),
    count: typeof count === "number" ? count : 1,
  };
}
