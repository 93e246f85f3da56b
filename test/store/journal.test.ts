import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Dns01Event } from "../../src/core/events.ts";
import { openStore, type Store } from "../../src/store/index.ts";

let dir: string;
let store: Store;
let events: Dns01Event[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "dns01-journal-"));
  events = [];
  store = await openStore(dir, { observer: (e) => events.push(e), now: () => new Date("2026-11-24T14:52:00.123Z") });
});

afterEach(() => rm(dir, { recursive: true, force: true }));

const entry = (value: string) => ({
  certificate: "example.test",
  provider: "rfc2136",
  zone: "example.test",
  owner: "_acme-challenge.example.test",
  value,
});

test("entries are read back with their ids and time, also by another process", async () => {
  const written = await store.journal.add([entry("one"), entry("two")]);
  expect(written.map((e) => e.createdAt)).toEqual(["2026-11-24T14:52:00.123Z", "2026-11-24T14:52:00.123Z"]);
  expect(new Set(written.map((e) => e.id)).size).toBe(2);
  expect(await store.journal.list()).toEqual(written);
  expect(await (await openStore(dir)).journal.list()).toEqual(written);
  expect(await store.journal.add([])).toEqual([]);
});

test("all entries of one call are in one file, which appears by one rename", async () => {
  await store.journal.add(Array.from({ length: 100 }, (_, i) => entry(String(i))));
  const steps = events.flatMap((e) =>
    e.type === "step" && e.kind === "journal" && e.state === "after" ? [e.detail] : [],
  );
  expect(steps.filter((s) => s.startsWith("put in place"))).toHaveLength(1);
  expect((await readdir(join(dir, "journal"))).filter((f) => f.endsWith(".json"))).toHaveLength(1);
});

test("removing takes exactly what is named; the page goes with its last entry", async () => {
  const [one, two, three] = await store.journal.add([entry("one"), entry("two"), entry("three")]);
  const [other] = await store.journal.add([entry("other")]);
  await store.journal.remove([two?.id ?? "", "20261124T145200Z-000000000000.7", "../../etc/passwd", "nonsense"]);
  expect((await store.journal.list()).map((e) => e.value).sort()).toEqual(["one", "other", "three"]);
  await store.journal.remove([one?.id ?? "", three?.id ?? "", one?.id ?? ""]);
  expect(await store.journal.list()).toEqual([other]);
  expect((await readdir(join(dir, "journal"))).filter((f) => f.endsWith(".json"))).toHaveLength(1);
});

test("entries of one page that are removed side by side are all removed", async () => {
  const written = await store.journal.add(Array.from({ length: 20 }, (_, i) => entry(String(i))));
  await Promise.all(written.slice(1).map((e) => store.journal.remove([e.id])));
  expect(await store.journal.list()).toEqual(written.slice(0, 1));
});

test("a page that cannot be read is reported with its file and left alone; the others are listed", async () => {
  const written = await store.journal.add([entry("one")]);
  const path = join(dir, "journal/20260101T000000Z-abc.json");
  await writeFile(path, `{"schema":1,"entries":[{"id":"x"}]}`);
  await writeFile(join(dir, "journal/notes.txt"), "of a person");
  expect(await store.journal.list()).toEqual(written);
  expect(events.filter((e) => e.type === "warning")).toEqual([
    { type: "warning", code: "W_JOURNAL", text: expect.stringContaining(path) },
  ]);
  expect(await readdir(join(dir, "journal"))).toContain("20260101T000000Z-abc.json");
});

test("hints are kept per provider and zone, and forgotten when they cannot be read", async () => {
  expect(await store.hints.load("rfc2136", "example.test")).toBeUndefined();
  await store.hints.save("rfc2136", "example.test", { counts: [1, 2] });
  expect(await store.hints.load("rfc2136", "example.test")).toEqual({ counts: [1, 2] });
  expect(await store.hints.load("rfc2136", "other.test")).toBeUndefined();
  await writeFile(join(dir, "hints/rfc2136/example.test.json"), "{");
  expect(await store.hints.load("rfc2136", "example.test")).toBeUndefined();
});
