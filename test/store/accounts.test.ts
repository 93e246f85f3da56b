import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openStore, type Store } from "../../src/store/index.ts";

const ca = "https://ca.test/directory";
const makeKey = () =>
  String(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }));
const privkey = makeKey();

let dir: string;
let folder: string;
let store: Store;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "dns01-accounts-"));
  folder = join(dir, "accounts/ca.test+directory");
  store = await openStore(dir);
});

afterEach(() => rm(dir, { recursive: true, force: true }));

test("an account is read back; the key is no part of account.json", async () => {
  const account = { ca, privkey, url: "https://ca.test/acct/1", contact: ["mailto:a@example.test"], eabKid: "kid" };
  expect(await store.accounts.load(ca)).toBeUndefined();
  await store.accounts.save(account);
  expect(await store.accounts.load(ca)).toEqual(account);
  expect(await store.accounts.load("https://other.test/directory")).toBeUndefined();
  expect((await readdir(folder)).sort()).toEqual(["account.json", "key.pem"]);
  const document = await readFile(join(folder, "account.json"), "utf8");
  expect(document).not.toContain("PRIVATE");
  expect(document).not.toContain(privkey.split("\n")[1]);
});

test("an account that is not registered yet has a key and no address", async () => {
  await store.accounts.save({ ca, privkey, contact: [] });
  expect(await store.accounts.load(ca)).toEqual({ ca, privkey, contact: [] });
});

test("a key without its document is an account to be looked up", async () => {
  await store.accounts.save({ ca, privkey, url: "https://ca.test/acct/1", contact: ["mailto:a@example.test"] });
  await rm(join(folder, "account.json"));
  expect(await store.accounts.load(ca)).toEqual({ ca, privkey, contact: [] });
});

test("an address is never used with a key it was not given to", async () => {
  await store.accounts.save({ ca, privkey, url: "https://ca.test/acct/1", contact: [] });
  const other = makeKey();
  await writeFile(join(folder, "key.pem"), other);
  expect(await store.accounts.load(ca)).toEqual({ ca, privkey: other, contact: [] });
});

test("a key that is replaced is kept beside the new one", async () => {
  await store.accounts.save({ ca, privkey, url: "https://ca.test/acct/1", contact: [] });
  const other = makeKey();
  await store.accounts.save({ ca, privkey: other, url: "https://ca.test/acct/1", contact: [] });
  expect((await store.accounts.load(ca))?.privkey).toBe(other);
  expect(await readFile(join(folder, "key.previous.pem"), "utf8")).toBe(privkey);
});

test("a key that is missing or cut short is named, never replaced by a new account in silence", async () => {
  await store.accounts.save({ ca, privkey, url: "https://ca.test/acct/1", contact: [] });
  await writeFile(join(folder, "key.pem"), privkey.slice(0, 90));
  const failure = await store.accounts.load(ca).catch((e: unknown) => e);
  expect(failure).toMatchObject({
    code: "CONFIG",
    message: expect.stringContaining(`${join(folder, "key.pem")}: this is no private key`),
  });
  expect(String(failure)).not.toContain(privkey.slice(30, 60));
  await rm(join(folder, "key.pem"));
  await expect(store.accounts.load(ca)).rejects.toThrow("the account key is missing");
});

test("a document that is damaged is named with what to do", async () => {
  await store.accounts.save({ ca, privkey, url: "https://ca.test/acct/1", contact: [] });
  const path = join(folder, "account.json");
  for (const [text, says] of [
    ["", "is empty"],
    ["[]", "is not a JSON object"],
    ["{}", "has no schema version"],
    [`{"schema":0}`, "has schema 0, which cannot be migrated"],
    [`{"schema":1,"ca":1}`, `"ca" is not a text`],
    [`{"schema":1,"ca":"c","contact":[1]}`, `"contact" is not a list of texts`],
  ] as const) {
    await writeFile(path, text);
    await expect(store.accounts.load(ca)).rejects.toMatchObject({
      message: expect.stringContaining(says),
      hint: expect.stringContaining("remove only account.json"),
      details: { path },
    });
  }
});
