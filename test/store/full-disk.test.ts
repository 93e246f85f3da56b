import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openStore, type Store } from "../../src/store/index.ts";
import { makePair, metaOf } from "./pair.ts";

/** The calls that find the disk full. */
const full = vi.hoisted(() => new Set<string>());

vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  const unlessFull =
    <A extends unknown[], R>(name: string, call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      if (full.has(name)) throw Object.assign(new Error(`ENOSPC: ${name}`), { code: "ENOSPC" });
      return await call(...args);
    };
  return {
    ...real,
    symlink: unlessFull("symlink", real.symlink),
    open: async (...args: Parameters<typeof real.open>) => {
      const file = await real.open(...args);
      return Object.assign(file, { sync: unlessFull("sync", file.sync.bind(file)) });
    },
  };
});

let dir: string;
let store: Store;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "dns01-full-"));
  store = await openStore(dir);
});

afterEach(async () => {
  full.clear();
  await store.close();
  await rm(dir, { recursive: true, force: true });
});

test("nothing half-written stays behind while the process lives on", async () => {
  const { certificates } = store;
  const name = "example.test";
  const { cert, privkey } = await makePair("01aa");
  const save = () => certificates.save(name, { cert, chain: "", privkey }, metaOf(name, "01aa"));
  await save();
  for (const call of ["symlink", "sync"]) {
    full.add(call);
    await expect(save()).rejects.toMatchObject({ code: "TRANSIENT" });
    full.delete(call);
    expect(await readdir(join(dir, "certificates/.tmp")), call).toEqual([]);
  }
  full.add("sync");
  await expect(certificates.savePending(name, { ...pending, privkey })).rejects.toMatchObject({ code: "TRANSIENT" });
  expect(await readdir(join(dir, "certificates/.tmp"))).toEqual([]);
});

test("a full disk is not taken for one without symbolic links", async () => {
  await (await store.certificates.lock("other.test", { signal: new AbortController().signal }))();
  await store.close();
  store = await openStore(dir);
  full.add("symlink");
  const locked = store.certificates.lock("example.test", { signal: new AbortController().signal });
  await expect(locked).rejects.toMatchObject({
    code: "TRANSIENT",
    message: expect.stringContaining("the disk is full"),
  });
});

test("the store says why a certificate could not be written now, and leaves nothing behind", async () => {
  expect(await store.fault()).toBeUndefined();
  full.add("sync");
  expect(await store.fault()).toMatchObject({
    code: "TRANSIENT",
    message: `${join(dir, "certificates")}: cannot write: the disk is full (ENOSPC)`,
  });
  full.delete("sync");
  expect(await store.fault()).toBeUndefined();
  expect(await readdir(join(dir, "certificates/.tmp"))).toEqual([]);
});

const pending = {
  ca: "https://ca.test/directory",
  accountUrl: "https://ca.test/acct/2",
  orderUrl: "https://ca.test/order/1",
  domains: ["example.test"],
  keyType: "ec256",
  csr: "AAAA",
  createdAt: "2026-01-01T00:00:00Z",
};
