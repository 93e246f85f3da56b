import { createHash } from "node:crypto";
import { join } from "node:path";
import type { AccountStore, StoredAccount } from "../issuer/ports.ts";
import type { Disk } from "./disk.ts";
import { damaged } from "./disk-errors.ts";
import { type DocumentKind, formatDocument, membersOf, parseDocument } from "./document.ts";
import { encodeCa } from "./file-name.ts";
import type { Locks } from "./lock.ts";
import { isPrivateKey, withLineEnd } from "./pem.ts";

const kind: DocumentKind = {
  title: "the account's account.json",
  current: 1,
  remedy: "Restore it from a backup; if you remove only account.json, the account is looked up again by its key.",
};
const keyRemedy = "Restore it from a backup; if you move the account's folder away, a new account is registered.";

/**
 * `accounts/CA/`: `key.pem` is written first, `account.json` says for which key it was written. After a crash between the
 * two the key counts and the rest is asked of the CA again.
 */
export function openAccounts(disk: Disk, locks: Locks): AccountStore {
  const folderOf = (ca: string) => join(disk.root, "accounts", encodeCa(ca));
  return {
    lock: (ca, options) => locks.acquire(`account-${encodeCa(ca)}`, `the account at ${ca}`, options),

    async load(ca) {
      const keyPath = join(folderOf(ca), "key.pem");
      const path = join(folderOf(ca), "account.json");
      const [privkey, text] = await Promise.all([disk.read(keyPath), disk.read(path)]);
      if (privkey === undefined) {
        if (text === undefined) return undefined;
        throw damaged(keyPath, "the account key is missing", keyRemedy);
      }
      if (!isPrivateKey(privkey))
        throw damaged(keyPath, "this is no private key: the file was cut short or edited", keyRemedy);
      return (text === undefined ? undefined : parse(text, path, privkey)) ?? { ca, privkey, contact: [] };
    },

    async save(account) {
      const folder = folderOf(account.ca);
      const privkey = withLineEnd(account.privkey);
      const before = await disk.read(join(folder, "key.pem"));
      if (before !== privkey) {
        // A key is the only proof of owning an account: an earlier one is kept.
        if (before !== undefined) await disk.write(join(folder, "key.previous.pem"), before);
        await disk.write(join(folder, "key.pem"), privkey);
      }
      const { privkey: _, ...rest } = account;
      await disk.write(join(folder, "account.json"), formatDocument({ schema: 1, ...rest, key: keyHash(privkey) }));
    },
  };
}

/** Undefined when the document was written for another key. */
function parse(text: string, path: string, privkey: string): StoredAccount | undefined {
  const document = parseDocument(text, path, kind);
  const members = membersOf(document, path, kind);
  const url = members.optionalText("url");
  const eabKid = members.optionalText("eabKid");
  const account = {
    ca: members.text("ca"),
    privkey,
    ...(url === undefined ? {} : { url }),
    contact: members.texts("contact"),
    ...(eabKid === undefined ? {} : { eabKid }),
  };
  return members.text("key") === keyHash(privkey) ? account : undefined;
}

function keyHash(privkey: string): string {
  return createHash("sha256").update(privkey).digest("base64url");
}
