import { createHash } from "node:crypto";
import { join } from "node:path";
import type { AccountStore, StoredAccount } from "../issuer/ports.ts";
import type { Disk } from "./disk.ts";
import { damaged } from "./disk-errors.ts";
import { type DocumentKind, formatDocument, type Json, membersOf, parseDocument } from "./document.ts";
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
 * two the key counts and the rest is asked of the CA again. `key.next.pem` is there while a key change is under way.
 */
export function openAccounts(disk: Disk, locks: Locks, deps: { readonly now: () => Date }): AccountStore {
  const root = join(disk.root, "accounts");
  const folderOf = (ca: string) => join(root, encodeCa(ca));
  return {
    lock: (ca, options) => locks.acquire(`account-${encodeCa(ca)}`, `the account at ${ca}`, options),

    async load(ca) {
      const keyPath = join(folderOf(ca), "key.pem");
      const path = join(folderOf(ca), "account.json");
      const nextPath = join(folderOf(ca), "key.next.pem");
      const [privkey, text, nextKey] = await Promise.all([disk.read(keyPath), disk.read(path), disk.read(nextPath)]);
      if (privkey === undefined) {
        if (text === undefined) return undefined;
        throw damaged(keyPath, "the account key is missing", keyRemedy);
      }
      if (!isPrivateKey(privkey))
        throw damaged(keyPath, "this is no private key: the file was cut short or edited", keyRemedy);
      if (nextKey !== undefined && !isPrivateKey(nextKey))
        throw damaged(nextPath, "this is no private key: the file was cut short or edited", keyRemedy);
      const account = (text === undefined ? undefined : parse(text, path, privkey)) ?? { ca, privkey, contact: [] };
      return nextKey === undefined ? account : { ...account, nextKey };
    },

    async save(account) {
      const folder = folderOf(account.ca);
      const privkey = withLineEnd(account.privkey);
      const nextPath = join(folder, "key.next.pem");
      const nextKey = account.nextKey === undefined ? undefined : withLineEnd(account.nextKey);
      const nextBefore = await disk.read(nextPath);
      if (nextKey !== undefined && nextKey !== nextBefore) await disk.write(nextPath, nextKey);
      const before = await disk.read(join(folder, "key.pem"));
      if (before !== privkey) {
        // A key is the only proof of owning an account: an earlier one is kept.
        if (before !== undefined) await disk.write(join(folder, "key.previous.pem"), before);
        await disk.write(join(folder, "key.pem"), privkey);
      }
      const { privkey: _, nextKey: __, ...rest } = account;
      await disk.write(join(folder, "account.json"), formatDocument({ schema: 1, ...rest, key: keyHash(privkey) }));
      // Last: until the document is there, the new key may be all that is left of the account.
      if (nextKey === undefined && nextBefore !== undefined) await disk.remove(nextPath);
    },

    async list() {
      const folders = await disk.list(root);
      const texts = await Promise.all(folders.map((folder) => disk.read(join(root, folder, "account.json"))));
      return texts.flatMap((text) => caOf(text) ?? []).sort();
    },

    async retire(ca) {
      const time = deps
        .now()
        .toISOString()
        .replace(/[-:]|\.\d+/g, "");
      const to = join(root, ".retired", `${encodeCa(ca)}-${time}`);
      await disk.ensureDir(join(root, ".retired"));
      await disk.move(folderOf(ca), to);
      return to;
    },
  };
}

/** For a list of what there is; what is damaged is told when it is used. */
function caOf(text: string | undefined): string | undefined {
  try {
    const ca: unknown = (JSON.parse(text ?? "{}") as Json)["ca"];
    return typeof ca === "string" ? ca : undefined;
  } catch {
    return undefined;
  }
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
