import { join } from "node:path";
import { Dns01Error } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import type { CertificateStore, PendingOrder } from "../issuer/ports.ts";
import type { Disk } from "./disk.ts";
import { type DocumentKind, formatDocument, membersOf, parseDocument } from "./document.ts";

const kind: DocumentKind = {
  title: "the order that was begun",
  current: 1,
  remedy: "Move the file away: a new order is made then.",
};

/** `certificates/NAME/pending.json`: the order in work, with the key its CSR was made with. */
export function pendingOrders(
  disk: Disk,
  folderOf: (name: string) => string,
  observer: Observer,
): Pick<CertificateStore, "loadPending" | "savePending" | "clearPending"> {
  const pathOf = (name: string) => join(folderOf(name), "pending.json");
  return {
    async loadPending(name) {
      const path = pathOf(name);
      const text = await disk.read(path);
      if (text === undefined) return undefined;
      try {
        return parse(text, path);
      } catch (error) {
        // A renewal at night must not wait for a human because of what is only a short cut; nothing is thrown away.
        const said = Dns01Error.is(error) ? error.message : String(error);
        observer({ type: "warning", code: "W_PENDING", text: `${said}; it is set aside as pending.unreadable.json` });
        await disk.move(path, join(folderOf(name), "pending.unreadable.json"));
        return undefined;
      }
    },
    savePending: (name, pending) => disk.write(pathOf(name), formatDocument({ schema: 1, ...pending })),
    clearPending: (name) => disk.remove(pathOf(name)),
  };
}

function parse(text: string, path: string): PendingOrder {
  const document = parseDocument(text, path, kind);
  const members = membersOf(document, path, kind);
  const privkey = members.optionalText("privkey");
  const profile = members.optionalText("profile");
  return {
    ca: members.text("ca"),
    accountUrl: members.text("accountUrl"),
    orderUrl: members.text("orderUrl"),
    domains: members.texts("domains"),
    keyType: members.text("keyType"),
    ...(privkey === undefined ? {} : { privkey }),
    csr: members.text("csr"),
    ...(profile === undefined ? {} : { profile }),
    createdAt: members.text("createdAt"),
  };
}
