import { chmod, cp, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { Dns01Event } from "../../src/core/events.ts";
import { openStore, type Store } from "../../src/store/index.ts";
import { makePair, metaOf, type Pair } from "./pair.ts";

/** Set: the disk takes no new files. */
const disk = vi.hoisted(() => ({ isReadOnly: false }));

vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  const unlessReadOnly =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      if (disk.isReadOnly) throw Object.assign(new Error("EROFS: read-only file system"), { code: "EROFS" });
      return await call(...args);
    };
  return {
    ...real,
    mkdir: unlessReadOnly(real.mkdir),
    rename: unlessReadOnly(real.rename),
    symlink: unlessReadOnly(real.symlink),
  };
});

const name = "example.test";
let dir: string;
let folder: string;
let store: Store;
let events: Dns01Event[];
let first: Pair;
let second: Pair;

beforeAll(async () => {
  [first, second] = await Promise.all([makePair("01aa"), makePair("02bb")]);
});

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "dns01-current-"));
  folder = join(dir, "certificates", name);
  events = [];
  let minute = 0;
  const now = () => new Date(Date.UTC(2026, 0, 1, 0, minute++));
  store = await openStore(dir, { now, observer: (event) => events.push(event) });
  await save(first);
  await save(second);
});

afterEach(async () => {
  disk.isReadOnly = false;
  await store.close();
  await rm(dir, { recursive: true, force: true });
});

const save = (pair: Pair) =>
  store.certificates.save(name, { cert: pair.cert, chain: "", privkey: pair.privkey }, metaOf(name, pair.serial));
const warnings = () => events.flatMap((event) => (event.type === "warning" ? [`${event.code}: ${event.text}`] : []));
const versions = async () => (await readdir(join(folder, "versions"))).sort();

describe("a certificate without its link", () => {
  test.each([
    ["missing", async () => {}],
    ["a link that leads nowhere", async (at: string) => await symlinkTo("versions/gone", at)],
    ["a link to itself", async (at: string) => await symlinkTo("current", at)],
    ["a file, as some archives make it", async (at: string) => await writeFile(at, "versions/x")],
    ["an empty folder", async (at: string) => await mkdir(at)],
  ])("is listed, and repaired from the newest version, when the link is %s", async (_, put) => {
    const [, newest] = await versions();
    await rm(join(folder, "current"));
    await rm(join(folder, "meta.json"));
    await put(join(folder, "current"));
    expect(await store.certificates.names()).toEqual([name]);
    const stored = await store.certificates.load(name);
    expect(stored).toMatchObject({ version: newest, meta: { serial: "02bb" } });
    expect(await readlink(join(folder, "current"))).toBe(join("versions", newest ?? ""));
    expect(await readFile(stored?.files.privkey ?? "", "utf8")).toBe(second.privkey);
    expect(JSON.parse(await readFile(join(folder, "meta.json"), "utf8"))).toMatchObject({ serial: "02bb" });
    expect(warnings()).toEqual([
      expect.stringMatching(
        /^W_CURRENT: .*example\.test\/current: .*; repaired: it leads to versions\/.*02bb, the newest/,
      ),
    ]);
    await store.certificates.load(name);
    expect(warnings()).toHaveLength(1);
  });

  test.each([
    ["a key of another certificate", async (at: string) => await writeFile(join(at, "privkey.pem"), first.privkey)],
    ["no key", async (at: string) => await rm(join(at, "privkey.pem"))],
    ["half a meta.json", async (at: string) => await writeFile(join(at, "meta.json"), "{")],
  ])("gets the newest version that is whole: one with %s is not", async (_, spoil) => {
    const [oldest, newest] = await versions();
    await rm(join(folder, "current"));
    await spoil(join(folder, "versions", newest ?? ""));
    expect(await store.certificates.load(name)).toMatchObject({ version: oldest, meta: { serial: "01aa" } });
    expect(await versions()).toEqual([oldest, newest]);
  });

  test("and without a whole version is still listed, and its error names the folder and what to do", async () => {
    await rm(join(folder, "current"));
    for (const id of await versions()) await rm(join(folder, "versions", id, "privkey.pem"));
    expect(await store.certificates.names()).toEqual([name]);
    await expect(store.certificates.load(name)).rejects.toMatchObject({
      code: "CONFIG",
      message: expect.stringMatching(/current: the link is missing, and .*versions holds no whole version/),
      hint: expect.stringContaining("Restore"),
    });
    await rm(join(folder, "versions"), { recursive: true });
    expect(await store.certificates.names()).toEqual([name]);
    await expect(store.certificates.load(name)).rejects.toThrow("holds no whole version");
  });

  test("on a read-only disk is read from its newest version, and the warning says why it is not repaired", async () => {
    await rm(join(folder, "current"));
    const [, newest] = await versions();
    disk.isReadOnly = true;
    const stored = await store.certificates.load(name);
    expect(stored).toMatchObject({ version: newest, meta: { serial: "02bb" } });
    expect(await readFile(stored?.files.fullchain ?? "", "utf8")).toContain("BEGIN CERTIFICATE");
    expect(warnings()).toEqual([expect.stringMatching(/cannot be repaired \(.*read-only/)]);
  });

  test("and with a name that is too long for a folder is found by that name", async () => {
    const long = `${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(40)}.test`;
    const pem = { cert: first.cert, chain: "", privkey: first.privkey };
    await store.certificates.save(long, pem, metaOf(long, first.serial));
    const cut = (await readdir(join(dir, "certificates"))).find((one) => one.includes("%~")) ?? "";
    await rm(join(dir, "certificates", cut, "current"));
    expect(await store.certificates.names()).toContain(long);
  });
});

describe("a certificate with a folder in place of the link", () => {
  test("keeps the set in it, as the same version as before, and gets its link again", async () => {
    const [oldest] = await versions();
    // Someone went back to the earlier version.
    await rm(join(folder, "current"));
    await cp(join(folder, "versions", oldest ?? ""), join(folder, "current"), { recursive: true });
    expect(await store.certificates.load(name)).toMatchObject({ version: oldest, meta: { serial: "01aa" } });
    expect(await readlink(join(folder, "current"))).toBe(join("versions", oldest ?? ""));
    expect(warnings()).toEqual([expect.stringMatching(/it was a folder; repaired: it leads to versions\/.*01aa/)]);
  });

  test("keeps the set in it when no version is the same", async () => {
    await rm(join(folder, "current"));
    const [oldest = ""] = await versions();
    await cp(join(folder, "versions", oldest), join(folder, "current"), { recursive: true });
    const revoked = { ...metaOf(name, "01aa"), revoked: { at: "2026-02-01T00:00:00Z" } };
    await writeFile(join(folder, "current/meta.json"), JSON.stringify(revoked));
    expect((await store.certificates.load(name))?.meta.revoked).toBeDefined();
    expect((await versions()).map((id) => join("versions", id))).toContain(await readlink(join(folder, "current")));
    expect(await versions()).toHaveLength(3);
  });

  test("of which a file is missing is damaged and stays as it is", async () => {
    await rm(join(folder, "current"));
    await mkdir(join(folder, "current"));
    await writeFile(join(folder, "current/privkey.pem"), first.privkey);
    await expect(store.certificates.load(name)).rejects.toThrow("current/meta.json: the file is missing");
    expect(await readdir(join(folder, "current"))).toEqual(["privkey.pem"]);
  });

  test("on a read-only disk is read as it is, without a word", async () => {
    const copy = join(dir, "copy");
    await cp(join(dir, "certificates"), join(copy, "certificates"), { recursive: true, dereference: true });
    const restored = await openStore(copy, { observer: (event) => events.push(event) });
    disk.isReadOnly = true;
    expect((await restored.certificates.load(name))?.meta.serial).toBe("02bb");
    expect(warnings()).toEqual([]);
  });
});

test.skipIf(process.getuid?.() === 0 || process.platform === "win32")(
  "a version that may not be read is not taken for one that is not whole (not run as root, who may read everything)",
  async () => {
    const [, newest = ""] = await versions();
    await rm(join(folder, "current"));
    await chmod(join(folder, "versions", newest, "privkey.pem"), 0);
    await expect(store.certificates.load(name)).rejects.toThrow("permission denied (EACCES)");
  },
);

async function symlinkTo(target: string, at: string): Promise<void> {
  const { symlink } = await import("node:fs/promises");
  await symlink(target, at);
}
