import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openStore, type Store } from "../../src/store/index.ts";
import { makePair, metaOf } from "./pair.ts";

/** What the file system is asked, in order. */
const calls = vi.hoisted(() => [] as { readonly call: string; readonly path: string; readonly to?: string }[]);

vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  return {
    ...real,
    open: async (...args: Parameters<typeof real.open>) => {
      const file = await real.open(...args);
      const path = String(args[0]);
      const { sync, writeFile } = file;
      return Object.assign(file, {
        writeFile: async (...content: Parameters<typeof writeFile>) => {
          calls.push({ call: "write", path });
          await writeFile.apply(file, content);
        },
        sync: async () => {
          calls.push({ call: "sync", path });
          await sync.call(file);
        },
      });
    },
    rename: async (from: string, to: string) => {
      calls.push({ call: "rename", path: from, to });
      await real.rename(from, to);
    },
    unlink: async (path: string) => {
      calls.push({ call: "unlink", path });
      await real.unlink(path);
    },
  };
});

let dir: string;
let store: Store;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "dns01-durable-"));
  store = await openStore(dir);
  calls.length = 0;
});

afterEach(async () => {
  await store.close();
  await rm(dir, { recursive: true, force: true });
});

/** Fails unless a call of this kind comes after the one at `from`. */
function expectSync(path: string, from: number, why: string): number {
  const at = calls.findIndex((one, i) => i > from && one.call === "sync" && one.path === path);
  expect(at, `${why}: ${relative(dir, path)} is flushed`).toBeGreaterThan(from);
  return at;
}

test.skipIf(process.platform === "win32")(
  "what is written is flushed to the disk before it is renamed, and the folder after it",
  async () => {
    const pair = await makePair("01aa");
    const pem = { cert: pair.cert, chain: "", privkey: pair.privkey };
    await store.certificates.save("example.test", pem, metaOf("example.test", "01aa"));
    const [entry] = await store.journal.add([{ certificate: "", provider: "p", zone: "z", owner: "o", value: "v" }]);
    await store.journal.remove([entry?.id ?? ""]);
    await store.accounts.save({ ca: "https://ca.test/dir", privkey: pair.privkey, contact: [] });
    const done = [...calls.entries()];
    const of = (call: string) => done.filter(([, one]) => one.call === call);
    expect(of("write").length).toBeGreaterThanOrEqual(8);
    for (const [at, { path }] of of("write")) {
      const synced = expectSync(path, at, "written");
      const isMoved = (from: string) => path === from || dirname(path) === from;
      const renamed = calls.findIndex((one, i) => i > at && one.call === "rename" && isMoved(one.path));
      expect(renamed, `${relative(dir, path)} is put in place`).toBeGreaterThan(synced);
    }
    expect(of("rename").length).toBeGreaterThanOrEqual(6);
    for (const [at, { to = "" }] of of("rename")) expectSync(dirname(to), at, "renamed");
    expect(of("unlink")).toHaveLength(1);
    for (const [at, { path }] of of("unlink")) expectSync(dirname(path), at, "removed");
  },
);
