import { execFileSync } from "node:child_process";
import { constants } from "node:fs";
import { appendFile, mkdir, mkdtemp, open, readFile, rename, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { digestOf } from "../../src/config/load.ts";
import { type ConfigWatch, type WatchOptions, watchConfig } from "../../src/config/watch.ts";

let dir: string;
let file: string;
let end: AbortController;
let seen: string[];
let faults: string[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "dns01-watch-"));
  file = join(dir, "dns01.yaml");
  end = new AbortController();
  seen = [];
  faults = [];
});
afterEach(async () => {
  end.abort();
  await rm(dir, { recursive: true, force: true });
});

/** What begins with "bad" is broken. */
function start(more: Partial<WatchOptions<string>> = {}): Promise<ConfigWatch> {
  return watchConfig<string>(file, {
    load: async () => {
      const text = await readFile(file, "utf8");
      if (text.startsWith("bad")) throw new Error(`broken: ${text}`);
      return text;
    },
    onChange: (text) => {
      seen.push(text);
    },
    onFault: ({ message }) => {
      faults.push(message);
    },
    signal: end.signal,
    settleMs: 20,
    pollMs: 3_600_000,
    ...more,
  });
}
const soon = (what: () => void) => vi.waitFor(what, { timeout: 20_000, interval: 10 });

describe("a change is seen", () => {
  test("when the file is written in place", async () => {
    await writeFile(file, "one");
    await start();
    await writeFile(file, "two");
    await soon(() => expect(seen.at(-1)).toBe("two"));
  });

  test("when another file is renamed over it, again and again, as editors do", async () => {
    await writeFile(file, "0");
    await start();
    for (const text of ["1", "2", "3"]) {
      await writeFile(`${file}.new`, text);
      await rename(`${file}.new`, file);
      await soon(() => expect(seen.at(-1)).toBe(text));
    }
  });

  test("when the link is switched behind which Kubernetes keeps it", async () => {
    for (const version of ["..1", "..2", "..3"]) {
      await mkdir(join(dir, version));
      await writeFile(join(dir, version, "dns01.yaml"), `version ${version}`);
    }
    await symlink("..1", join(dir, "..data"));
    await symlink("..data/dns01.yaml", file);
    await start();
    for (const version of ["..2", "..3"]) {
      await symlink(version, join(dir, "..data_tmp"));
      await rename(join(dir, "..data_tmp"), join(dir, "..data"));
      await soon(() => expect(seen.at(-1)).toBe(`version ${version}`));
    }
  });

  test("when the file is a link into another folder and changes there", async () => {
    const elsewhere = join(dir, "elsewhere");
    await mkdir(elsewhere);
    await writeFile(join(elsewhere, "real.yaml"), "one");
    await symlink("elsewhere/real.yaml", file);
    await start();
    await writeFile(join(elsewhere, "real.yaml"), "two");
    await soon(() => expect(seen.at(-1)).toBe("two"));
  });

  test("when nobody tells: by looking from time to time", async () => {
    const release = join(dir, "releases");
    await mkdir(join(release, "1"), { recursive: true });
    await mkdir(join(release, "2"));
    await writeFile(join(release, "1", "dns01.yaml"), "one");
    await writeFile(join(release, "2", "dns01.yaml"), "two");
    await symlink("releases/1", join(dir, "current"));
    file = join(dir, "current", "dns01.yaml");
    await start({ pollMs: 30 });
    await unlink(join(dir, "current"));
    await symlink("releases/2", join(dir, "current"));
    await soon(() => expect(seen.at(-1)).toBe("two"));
  });

  test("when it happened between loading and watching", async () => {
    await writeFile(file, "new");
    await start({ known: digestOf(Buffer.from("old")), pollMs: 30 });
    await soon(() => expect(seen).toEqual(["new"]));
  });
});

test("a broken file is told once, and the next sound one is taken", async () => {
  await writeFile(file, "one");
  const watch = await start({ pollMs: 15 });
  await writeFile(file, "bad 1");
  await soon(() => expect(faults).toEqual(["broken: bad 1"]));
  // Looked at again several times meanwhile.
  await writeFile(join(dir, "other"), "x");
  await new Promise((resolve) => setTimeout(resolve, 120));
  expect(faults).toHaveLength(1);
  await watch.reload();
  expect(faults, "asked for, it is told again").toHaveLength(2);
  await writeFile(file, "two");
  await soon(() => expect(seen.at(-1)).toBe("two"));
  expect(seen.some((text) => text.startsWith("bad"))).toBe(false);
});

test("a file that is gone is a fault, and is taken again when it is back", async () => {
  await writeFile(file, "one");
  await start();
  await rm(file);
  await soon(() => expect(faults).toEqual([expect.stringContaining("ENOENT")]));
  await writeFile(file, "one");
  await soon(() => expect(seen).toEqual(["one"]));
});

test("on demand it is loaded although nothing has changed; one load at a time", async () => {
  await writeFile(file, "one");
  let open = 0;
  let most = 0;
  const watch = await start({
    load: async () => {
      open += 1;
      most = Math.max(most, open);
      await new Promise((resolve) => setTimeout(resolve, 10));
      open -= 1;
      return await readFile(file, "utf8");
    },
  });
  await Promise.all([watch.reload(), watch.reload(), watch.reload()]);
  expect(most).toBe(1);
  expect(seen.length).toBeGreaterThanOrEqual(2);
});

test("what is written beside the file, and the same content again, is no change", async () => {
  await writeFile(file, "one");
  const loads = vi.fn(async () => "x");
  await start({ load: loads, pollMs: 10 });
  await writeFile(join(dir, "access.log"), "line");
  await writeFile(file, "one");
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(loads).not.toHaveBeenCalled();
});

test.skipIf(process.platform === "win32")("a pipe is not read for a look: what it gives, it gives once", async () => {
  execFileSync("mkfifo", [file]);
  const both = await open(file, constants.O_RDWR | constants.O_NONBLOCK);
  try {
    await start({ known: digestOf(Buffer.from("one")), pollMs: 10 });
    await both.write("two");
    await pause(200);
    expect((await both.read(Buffer.alloc(8))).bytesRead).toBe(3);
    expect([...seen, ...faults]).toEqual([]);
  } finally {
    await both.close();
  }
});

test("after the signal nothing is told any more", async () => {
  await writeFile(file, "one");
  const watch = await start({ pollMs: 10 });
  end.abort();
  await appendFile(file, "two");
  await watch.reload();
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect([...seen, ...faults]).toEqual([]);
});

describe("a file that is read besides", () => {
  test("is noticed when it is exchanged, gone and back, or switched behind a link; one that is not read is not", async () => {
    const secret = join(dir, "secret");
    await writeFile(file, "one");
    await writeFile(secret, "a");
    await start({ others: () => [secret], load: () => readFile(secret, "utf8"), pollMs: 20 });
    await writeFile(join(dir, "unread"), "x");
    await pause(100);
    expect(seen).toEqual([]);
    await writeFile(secret, "b2");
    await soon(() => expect(seen).toEqual(["b2"]));
    await unlink(secret);
    await soon(() => expect(faults).toEqual([expect.stringContaining("ENOENT")]));
    await writeFile(join(dir, "real"), "c");
    await symlink("real", secret);
    await soon(() => expect(seen).toEqual(["b2", "c"]));
    await pause(100);
    expect([seen.length, faults.length]).toEqual([2, 1]);
  });

  test("counts as well where there is no configuration file, and from when it becomes known", async () => {
    const [first, later] = [join(dir, "first"), join(dir, "later")];
    await writeFile(first, "a");
    await writeFile(later, "a");
    const others = new Set([first]);
    await watchConfig<string>(undefined, {
      load: async () => `${await readFile(first, "utf8")} ${await readFile(later, "utf8")}`,
      onChange: (text) => void seen.push(text),
      onFault: ({ message }) => void faults.push(message),
      signal: end.signal,
      others: () => others,
      settleMs: 20,
      pollMs: 20,
    });
    others.add(later);
    await pause(100);
    await writeFile(later, "bb");
    await soon(() => expect(seen).toEqual(["a bb"]));
    expect(faults).toEqual([]);
  });
});
