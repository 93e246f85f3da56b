import { chmod, cp, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ConfigError } from "../../src/core/errors.ts";
import type { Dns01Event } from "../../src/core/events.ts";
import { openStore, type Store } from "../../src/store/index.ts";
import { makePair, metaOf, type Pair } from "./pair.ts";

const signal = new AbortController().signal;
let dir: string;
let store: Store;
let events: Dns01Event[];
let first: Pair;
let second: Pair;

beforeAll(async () => {
  [first, second] = await Promise.all([makePair("01aa"), makePair("02bb")]);
});

beforeEach(async () => {
  dir = join(await mkdtemp(join(tmpdir(), "dns01-store-")), "state");
  events = [];
  store = await openStore(dir, { observer: (event) => events.push(event) });
});

afterEach(async () => {
  await store.close();
  await rm(join(dir, ".."), { recursive: true, force: true });
});

const save = (name: string, pair: Pair, chain = "") =>
  store.certificates.save(name, { cert: pair.cert, chain, privkey: pair.privkey }, metaOf(name, pair.serial));

describe("a stored certificate", () => {
  test("is read back as it was written, its files at the paths servers are configured with", async () => {
    const files = await save("example.test", first, second.cert);
    expect(files).toEqual({
      cert: join(dir, "certificates/example.test/current/cert.pem"),
      chain: join(dir, "certificates/example.test/current/chain.pem"),
      fullchain: join(dir, "certificates/example.test/current/fullchain.pem"),
      privkey: join(dir, "certificates/example.test/current/privkey.pem"),
    });
    const stored = await store.certificates.load("example.test");
    expect(stored?.files).toEqual(files);
    expect(stored?.meta).toEqual(metaOf("example.test", "01aa"));
    expect(stored?.pem).toEqual({
      cert: `${first.cert.trim()}\n`,
      chain: `${second.cert.trim()}\n`,
      privkey: first.privkey,
    });
    expect(await readFile(files.fullchain, "utf8")).toBe(`${first.cert.trim()}\n${second.cert.trim()}\n`);
    expect(JSON.parse(await readFile(join(dir, "certificates/example.test/meta.json"), "utf8"))).toEqual(stored?.meta);
  });

  test("keeps members of meta.json that this version does not know", async () => {
    const meta = { ...metaOf("example.test", "01aa"), deployedTo: ["web1"] };
    await store.certificates.save("example.test", { cert: first.cert, chain: "", privkey: first.privkey }, meta);
    expect((await store.certificates.load("example.test"))?.meta).toEqual(meta);
  });

  test("is absent before it is stored, and then listed", async () => {
    expect(await store.certificates.load("example.test")).toBeUndefined();
    expect(await store.certificates.names()).toEqual([]);
    await save("example.test", first);
    await save("*.example.test", second);
    await store.certificates.savePending("begun.test", {
      ca: "c",
      accountUrl: "a",
      orderUrl: "o",
      domains: [],
      keyType: "ec256",
      csr: "",
      createdAt: "",
    });
    expect(await store.certificates.names()).toEqual(["*.example.test", "example.test"]);
    expect(await readdir(join(dir, "certificates"))).toContain("_wildcard.example.test");
  });

  test("in a folder that was renamed or copied to a name of no certificate is ignored with one warning", async () => {
    await save("example.test", first);
    for (const copy of ["Example.Test", "example.test copy"])
      await cp(join(dir, "certificates/example.test"), join(dir, "certificates", copy), { recursive: true });
    expect(await store.certificates.names()).toEqual(["example.test"]);
    await store.certificates.names();
    expect(events.filter(({ type }) => type === "warning")).toMatchObject([
      { code: "W_FOLDER", text: expect.stringContaining(join(dir, "certificates", "Example.Test: ")) },
      { code: "W_FOLDER", text: expect.stringContaining(join(dir, "certificates", "example.test copy: ")) },
    ]);
  });

  test("with a name longer than a file name can be is found by that name", async () => {
    const name = `*.${"a".repeat(60)}.${"b".repeat(60)}.${"c".repeat(60)}.${"d".repeat(60)}.test`;
    await save(name, first);
    expect(await store.certificates.names()).toEqual([name]);
    expect((await store.certificates.load(name))?.meta.name).toBe(name);
  });

  test("with a name longer than a file name can be is ignored with a warning when it is damaged, and hides no other", async () => {
    const long = `${"a".repeat(60)}.`.repeat(4);
    await save("example.test", first);
    await save(`${long}test`, second);
    const damaged = (await readdir(join(dir, "certificates"))).find((folder) => folder.includes("%~")) ?? "";
    await writeFile(join(dir, "certificates", damaged, "current/meta.json"), "");
    expect(await store.certificates.names()).toEqual(["example.test"]);
    expect(events.filter(({ type }) => type === "warning")).toMatchObject([
      { code: "W_FOLDER", text: expect.stringContaining("is empty") },
    ]);
  });

  test("whose key came with a CSR has no privkey.pem, even after one with a key", async () => {
    await save("example.test", first);
    const meta = { ...metaOf("example.test", "02bb"), csr: true };
    const files = await store.certificates.save("example.test", { cert: second.cert, chain: "" }, meta);
    expect(files.privkey).toBeUndefined();
    const stored = await store.certificates.load("example.test");
    expect(stored?.pem.privkey).toBeUndefined();
    expect(await readdir(join(dir, "certificates/example.test/current"))).not.toContain("privkey.pem");
  });

  test("never gets a key that is not its own", async () => {
    await save("example.test", first);
    const wrong = { cert: second.cert, chain: "", privkey: first.privkey };
    await expect(store.certificates.save("example.test", wrong, metaOf("example.test", "02bb"))).rejects.toThrow(
      "the private key does not belong to the certificate",
    );
    expect((await store.certificates.load("example.test"))?.meta.serial).toBe("01aa");
  });
});

describe("versions", () => {
  test("five earlier ones are kept beside the current one, and nothing unfinished", async () => {
    for (let i = 0; i < 8; i++) await save("example.test", i % 2 === 0 ? first : second);
    const versions = await readdir(join(dir, "certificates/example.test/versions"));
    expect(versions).toHaveLength(6);
    const current = await readlink(join(dir, "certificates/example.test/current"));
    expect(versions.map((v) => join("versions", v))).toContain(current);
    expect((await store.certificates.load("example.test"))?.meta.serial).toBe("02bb");
    expect(await readdir(join(dir, "certificates/.tmp"))).toEqual([]);
  });

  test("a reader gets one consistent set while another process stores new ones", async () => {
    await save("example.test", first);
    const reader = await openStore(dir);
    let writing = true;
    const writer = (async () => {
      for (let i = 0; i < 12; i++) await save("example.test", i % 2 === 0 ? second : first);
      writing = false;
    })();
    let reads = 0;
    while (writing) {
      const stored = await reader.certificates.load("example.test");
      const pair = stored?.meta.serial === "01aa" ? first : second;
      expect(stored?.pem.privkey).toBe(pair.privkey);
      expect(stored?.pem.cert.trim()).toBe(pair.cert.trim());
      reads += 1;
    }
    await writer;
    expect(reads).toBeGreaterThan(0);
  });

  test("a copy whose links were followed can be read and gets links again", async () => {
    await save("example.test", first);
    const copy = join(dir, "../copy");
    await cp(dir, copy, { recursive: true, dereference: true });
    const restored = await openStore(copy);
    expect((await restored.certificates.load("example.test"))?.meta.serial).toBe("01aa");
    await restored.certificates.save(
      "example.test",
      { cert: second.cert, chain: "", privkey: second.privkey },
      metaOf("example.test", "02bb"),
    );
    expect((await restored.certificates.load("example.test"))?.meta.serial).toBe("02bb");
    expect(await readlink(join(copy, "certificates/example.test/current"))).toMatch(/^versions\//);
    expect(await readlink(join(copy, "certificates/example.test/meta.json"))).toBe("current/meta.json");
  });
});

describe("modes", () => {
  test.skipIf(process.platform === "win32")("are 0600 and 0700 whatever the umask", async () => {
    for (const umask of [0, 0o022, 0o177]) {
      const root = join(dir, `umask-${umask}`);
      const before = process.umask(umask);
      try {
        const other = await openStore(root);
        await other.certificates.save(
          "a.test",
          { cert: first.cert, chain: "", privkey: first.privkey },
          metaOf("a.test", "01aa"),
        );
        await other.accounts.save({ ca: "https://ca.test/dir", privkey: first.privkey, contact: [] });
        await other.journal.add([{ certificate: "a.test", provider: "p", zone: "test", owner: "o.test", value: "v" }]);
        await (await other.certificates.lock("a.test", { signal }))();
      } finally {
        process.umask(before);
      }
      const entries = await readdir(root, { recursive: true, withFileTypes: true });
      expect(entries.length).toBeGreaterThan(15);
      for (const entry of entries.filter((e) => !e.isSymbolicLink())) {
        const { mode } = await stat(join(entry.parentPath, entry.name));
        expect([entry.name, mode & 0o777]).toEqual([entry.name, entry.isDirectory() ? 0o700 : 0o600]);
      }
      expect((await stat(root)).mode & 0o777).toBe(0o700);
    }
  });
});

describe("what cannot be read", () => {
  test("is named with the file and what to do, and its content is not shown", async () => {
    const files = await save("example.test", first);
    const meta = join(dir, "certificates/example.test/current/meta.json");
    await writeFile(meta, `{"name": "example.test", "secret-thing`);
    const failure = await store.certificates.load("example.test").catch((e: unknown) => e);
    expect(failure).toBeInstanceOf(ConfigError);
    expect((failure as ConfigError).message).toContain(meta);
    expect((failure as ConfigError).message).toContain("cut short");
    expect((failure as ConfigError).message).not.toContain("secret-thing");
    expect((failure as ConfigError).hint).toContain("backup");
    await rm(meta);
    await expect(store.certificates.load("example.test")).rejects.toThrow(`${meta}: the file is missing`);
    await save("example.test", second);
    await writeFile(files.privkey ?? "", first.privkey);
    await expect(store.certificates.load("example.test")).rejects.toThrow("does not belong to the certificate");
    await rm(files.privkey ?? "");
    await expect(store.certificates.load("example.test")).rejects.toThrow("privkey.pem: the file is missing");
  });

  test.each(["notBefore", "notAfter", "renewAfter", "issuedAt"])("whose %s is no time is damaged", async (member) => {
    await save("example.test", first);
    const meta = join(dir, "certificates/example.test/current/meta.json");
    await writeFile(meta, JSON.stringify({ ...metaOf("example.test", "01aa"), [member]: "tomorrow" }));
    await expect(store.certificates.load("example.test")).rejects.toThrow(`"${member}" is not a time`);
  });

  test("whose meta.json is about another certificate is damaged: its dates would hide that this one expires", async () => {
    await save("example.test", first);
    await store.certificates.saveMeta("example.test", metaOf("example.test", second.serial));
    await expect(store.certificates.load("example.test")).rejects.toThrow(
      "meta.json is about the certificate 02bb, but cert.pem is 01AA",
    );
  });

  test.each(["", "the wrong one"])("whose fullchain.pem is %j is no certificate that needs nothing", async (text) => {
    const files = await save("example.test", first, second.cert);
    await writeFile(files.fullchain, text);
    await expect(store.certificates.load("example.test")).rejects.toThrow("fullchain.pem: it is not cert.pem");
    await rm(files.fullchain);
    await expect(store.certificates.load("example.test")).rejects.toThrow("fullchain.pem: the file is missing");
  });

  test("whose chain.pem was cut is found out by its fullchain.pem", async () => {
    const files = await save("example.test", first, second.cert);
    await writeFile(files.chain, "");
    await expect(store.certificates.load("example.test")).rejects.toThrow("fullchain.pem");
  });

  test("of a newer schema is left to the newer version", async () => {
    await save("example.test", first);
    const meta = join(dir, "certificates/example.test/current/meta.json");
    await writeFile(meta, JSON.stringify({ ...metaOf("example.test", "01aa"), schema: 2 }));
    await expect(store.certificates.load("example.test")).rejects.toThrow(
      "has schema 2, but this dns01 knows only up to 1",
    );
  });

  test("as an order that was begun is set aside with a warning, so that a new one can be made", async () => {
    const path = join(dir, "certificates/example.test/pending.json");
    await save("example.test", first);
    await writeFile(path, "{");
    expect(await store.certificates.loadPending("example.test")).toBeUndefined();
    expect(events).toContainEqual(expect.objectContaining({ type: "warning", code: "W_PENDING" }));
    expect(await readFile(join(dir, "certificates/example.test/pending.unreadable.json"), "utf8")).toBe("{");
    expect(await store.certificates.loadPending("example.test")).toBeUndefined();
  });

  test.skipIf(process.getuid?.() === 0 || process.platform === "win32")(
    "for lack of permission says so (not run as root, who may read everything)",
    async () => {
      await save("example.test", first);
      await chmod(join(dir, "certificates"), 0);
      await expect(store.certificates.load("example.test")).rejects.toThrow("permission denied (EACCES)");
      await chmod(join(dir, "certificates"), 0o700);
    },
  );

  test("as a file where a folder should be says so", async () => {
    await writeFile(join(dir, ".."), "").catch(() => {});
    await writeFile(`${dir}-file`, "");
    const other = await openStore(join(`${dir}-file`, "state"));
    await expect(other.certificates.lock("a.test", { signal })).rejects.toMatchObject({
      code: "CONFIG",
      message: expect.stringContaining("a part of this path is a file, not a folder (ENOTDIR)"),
    });
  });
});

describe("an order that was begun", () => {
  test("is read back, key included, and is gone when it is cleared", async () => {
    const pending = {
      ca: "https://ca.test/directory",
      accountUrl: "https://ca.test/acct/1",
      orderUrl: "https://ca.test/order/1",
      domains: ["example.test", "*.example.test"],
      keyType: "ec256",
      privkey: first.privkey,
      csr: "AAAA",
      createdAt: "2026-01-01T00:00:00Z",
    };
    await store.certificates.clearPending("example.test");
    await store.certificates.savePending("example.test", pending);
    expect(await store.certificates.loadPending("example.test")).toEqual(pending);
    await store.certificates.clearPending("example.test");
    expect(await store.certificates.loadPending("example.test")).toBeUndefined();
  });
});

test("a state folder is not made by looking at it", async () => {
  expect(await store.certificates.names()).toEqual([]);
  expect(await store.journal.list()).toEqual([]);
  expect(await store.accounts.load("https://ca.test/dir")).toBeUndefined();
  await expect(stat(dir)).rejects.toThrow("ENOENT");
});

test("what a crashed process left unfinished goes when the store is opened, what a living one works on stays", async () => {
  await save("example.test", first);
  const tmp = join(dir, "certificates/.tmp");
  const living = await openStore(dir);
  await living.certificates.savePending("b.test", {
    ca: "c",
    accountUrl: "a",
    orderUrl: "o",
    domains: [],
    keyType: "k",
    csr: "",
    createdAt: "",
  });
  const stat1 = (await readFile("/proc/self/stat", "latin1").catch(() => "")).split(") ")[1]?.split(" ")[19] ?? "";
  const space = (await readdir(join(dir, "locks")).catch(() => [])).length;
  expect(space).toBe(0);
  const { ownIdentity } = await import("../../src/store/process-identity.ts");
  const own = await ownIdentity();
  await writeFile(join(tmp, `4194999.77.${own.space}.0123456789ab`), "half a key");
  await writeFile(join(tmp, `${own.pid}.${stat1}.${own.space}.0123456789ab`), "at work");
  await writeFile(join(tmp, `4194999.77.ffffffffffff.0123456789ab`), "on another machine");
  await symlink("versions/x", join(tmp, `4194999.77.${own.space}.ba9876543210`));
  await openStore(dir);
  expect((await readdir(tmp)).sort()).toEqual(
    [`${own.pid}.${stat1}.${own.space}.0123456789ab`, "4194999.77.ffffffffffff.0123456789ab"].sort(),
  );
});
