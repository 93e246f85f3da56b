import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { areCopied, copyFiles } from "../../src/deploy/copies.ts";

/** Called right before a file is opened for writing, and with its mode right after. */
const watch = vi.hoisted(() => ({
  before: async (_path: string): Promise<void> => {},
  created: (_path: string, _mode: number): void => {},
}));

vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  return {
    ...real,
    open: async (...args: Parameters<typeof real.open>) => {
      const path = String(args[0]);
      await watch.before(path);
      const file = await real.open(...args);
      watch.created(path, (await file.stat()).mode & 0o777);
      return file;
    },
  };
});

const signal = new AbortController().signal;
let dir: string;
let files: { readonly cert: string; readonly chain: string; readonly fullchain: string; readonly privkey: string };
const to = (mode = 0o640) => ({ dir: join(dir, "out"), owner: undefined, group: undefined, mode });

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "dns01-copies-"));
  await mkdir(join(dir, "out"));
  const write = async (kind: string) => {
    await writeFile(join(dir, `${kind}.pem`), `${kind}\n`);
    return join(dir, `${kind}.pem`);
  };
  const [cert, chain, fullchain, privkey] = await Promise.all(
    (["cert", "chain", "fullchain", "privkey"] as const).map(write),
  );
  files = { cert: cert ?? "", chain: chain ?? "", fullchain: fullchain ?? "", privkey: privkey ?? "" };
});

afterEach(async () => {
  watch.before = async () => {};
  watch.created = () => {};
  await rm(dir, { recursive: true, force: true });
});

test.skipIf(process.platform === "win32")("a copied key is never readable for more than its mode says", async () => {
  const modes = new Map<string, number>();
  watch.created = (path, mode) => void modes.set(path, mode);
  const umask = process.umask(0);
  try {
    await copyFiles(to(), files, signal);
  } finally {
    process.umask(umask);
  }
  const [[, created = 0o777] = []] = [...modes].filter(([path]) => path.includes("privkey.pem"));
  expect(created.toString(8)).toBe("600");
  expect((await stat(join(dir, "out/privkey.pem"))).mode & 0o777).toBe(0o640);
  expect((await stat(join(dir, "out/cert.pem"))).mode & 0o777).toBe(0o644);
});

test.skipIf(process.platform === "win32")(
  "a link that appears in the directory at the last moment does not lead the key astray",
  async () => {
    const elsewhere = join(dir, "elsewhere");
    await writeFile(elsewhere, "untouched");
    watch.before = async (path) => {
      if (path.includes("privkey.pem")) await symlink(elsewhere, path);
    };
    await expect(copyFiles(to(), files, signal)).rejects.toMatchObject({ code: "EEXIST" });
    expect(await readFile(elsewhere, "utf8")).toBe("untouched");
    expect(await readdir(join(dir, "out"))).toEqual([]);
  },
);

test.skipIf(process.platform === "win32")(
  "a pipe in place of a copy is no copy, and does not hold up the run",
  async () => {
    await copyFiles(to(), files, signal);
    expect(await areCopied(to(), files)).toBe(true);
    await rm(join(dir, "out/privkey.pem"));
    execFileSync("mkfifo", [join(dir, "out/privkey.pem")]);
    expect(await areCopied(to(), files)).toBe(false);
  },
);
