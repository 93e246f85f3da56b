import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Dns01Event } from "../../src/core/events.ts";
import { openStore, type Store } from "../../src/store/index.ts";

/** Set: what the file system is asked is never answered. */
const hung = vi.hoisted(() => ({ is: false }));

vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  const readdir = async (path: string) => await (hung.is ? new Promise<never>(() => {}) : real.readdir(path));
  return { ...real, readdir };
});

let dir: string;
let store: Store;
let events: Dns01Event[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "dns01-odd-"));
  await mkdir(join(dir, "journal"));
  events = [];
  store = await openStore(dir, { observer: (event) => events.push(event) });
});

afterEach(async () => {
  hung.is = false;
  vi.useRealTimers();
  await store.close();
  await rm(dir, { recursive: true, force: true });
});

test.skipIf(process.platform === "win32").each([
  ["a pipe without a writer", async (at: string) => void execFileSync("mkfifo", [at]), "it is not a regular file"],
  ["a device without an end", async (at: string) => await symlink("/dev/zero", at), "it is not a regular file"],
  ["a folder", async (at: string) => await mkdir(at), "it is a folder where a file is expected"],
  [
    "a file of many gigabytes",
    async (at: string) => {
      await writeFile(at, "");
      await truncate(at, 2 ** 36);
    },
    "it is larger than any file that dns01 writes there",
  ],
])("in place of a page of the journal, %s is named and does not hold up the others", async (_, put, says) => {
  const path = join(dir, "journal/20260101T000000Z-0123456789ab.json");
  await put(path);
  const [kept] = await store.journal.add([{ certificate: "", provider: "p", zone: "z", owner: "o", value: "v" }]);
  expect(await store.journal.list()).toEqual([kept]);
  expect(events).toContainEqual(
    expect.objectContaining({
      type: "warning",
      code: "W_JOURNAL",
      text: expect.stringContaining(`${path}: cannot read: ${says}`),
    }),
  );
});

test("a file system that does not answer is given up after a minute", async () => {
  vi.useFakeTimers();
  hung.is = true;
  const names = store.certificates.names();
  const failed = expect(names).rejects.toMatchObject({
    code: "TRANSIENT",
    message: expect.stringContaining("the file system does not answer (ETIMEDOUT)"),
  });
  await vi.advanceTimersByTimeAsync(60_000);
  await failed;
});
