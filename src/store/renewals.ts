import { join } from "node:path";
import type { Observer } from "../core/events.ts";
import type { RenewalState, RenewalStore } from "../issuer/ports.ts";
import type { Disk } from "./disk.ts";
import { type DocumentKind, formatDocument, membersOf, parseDocument } from "./document.ts";
import { encodeFileName } from "./file-name.ts";

const kind: DocumentKind = {
  title: "what is known of the next renewal",
  current: 1,
  remedy: "Remove the file: the CA is asked again.",
};

/** `certificates/NAME/renewal.json`: the CA's window and the instant chosen in it, when to ask again, the last error. */
export function openRenewals(disk: Disk, observer: Observer): RenewalStore {
  const pathOf = (name: string) => join(disk.root, "certificates", encodeFileName(name), "renewal.json");
  return {
    async load(name) {
      const path = pathOf(name);
      const text = await disk.read(path);
      if (text === undefined) return undefined;
      try {
        const document = parseDocument(text, path, kind);
        membersOf(document, path, kind).text("serial");
        return document as unknown as RenewalState;
      } catch (error) {
        // Nothing in it is needed: it must not stand in the way of a renewal, and is written anew by the next one.
        const said = error instanceof Error ? error.message : String(error);
        observer({ type: "log", level: "warn", text: `${said}; going on as if there were none` });
        return undefined;
      }
    },
    save: (name, state) => disk.write(pathOf(name), formatDocument({ ...state, schema: 1 })),
  };
}
