import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseName } from "../../src/core/name.ts";
import { findLeftovers, type LeftoverKind, removeLeftovers } from "../../src/issuer/leftovers.ts";
import type { IssueDeps } from "../../src/issuer/request.ts";
import { openWorld, type World } from "./world.ts";

const owner = parseName("_acme-challenge.example.test");
const value = () => randomBytes(32).toString("base64url");

let world: World;
let deps: IssueDeps;
beforeEach(async () => {
  world = await openWorld();
  deps = await world.deps();
});
afterEach(() => world.close());

/** Puts a value into DNS, and into the journal where `certificate` says whose it is. */
async function put(text: string, certificate?: string): Promise<string> {
  const solver = await deps.solvers.solverFor(owner);
  await solver.present([{ owner, zoneCut: parseName("example.test"), values: [text] }], deps.signal);
  if (certificate !== undefined) {
    const entry = { certificate, provider: "rfc2136", zone: "example.test", owner, value: text };
    await world.store.journal.add([entry]);
  }
  return text;
}

const find = (names = [owner], later = 0) => findLeftovers(names, { ...deps, now: () => new Date(Date.now() + later) });
const kinds = async (...args: Parameters<typeof find>) =>
  Object.fromEntries((await find(...args)).map(({ kind, value: text }) => [text, kind]));
const standing = async () => Object.keys(await kinds()).sort();

test("what the journal knows, what runs are about, and what only looks like a challenge are told apart", async () => {
  const release = await world.store.certificates.lock("busy", { signal: deps.signal });
  const values: Record<string, LeftoverKind> = {
    [await put(value(), "dead")]: "left",
    [await put(value(), "busy")]: "in-use",
    [await put(value(), "")]: "in-use",
    [await put(value())]: "unknown",
  };
  await put("v=spf1 -all");
  await put(value().slice(1));
  expect(await kinds()).toEqual(values);
  const later = await kinds([owner], 3_600_001);
  expect(Object.values(later).sort()).toEqual(["in-use", "left", "presented", "unknown"]);
  // The journal is looked at whatever names are given; DNS only where it was asked for.
  expect(Object.values(await kinds([])).sort()).toEqual(["in-use", "in-use", "left"]);
  await release();
});

test("they are taken out value by value, and out of the journal", async () => {
  const left = await put(value(), "dead");
  const unknown = await put(value());
  const other = await put("not a challenge");
  const found = await find();
  const removals = await removeLeftovers(
    found.filter(({ kind }) => kind === "left"),
    { ...deps, now: () => new Date() },
  );
  expect(removals.map(({ removed, leftover }) => [removed, leftover.value])).toEqual([[true, left]]);
  expect(await world.store.journal.list()).toEqual([]);
  expect(await standing()).toEqual([unknown]);
  await removeLeftovers(await find(), { ...deps, now: () => new Date() });
  expect(await standing()).toEqual([]);
  const texts = world.box.zone.txt(owner);
  expect(texts).toEqual([other]);
});

test("a run that has begun between the look and the removal keeps its values", async () => {
  const mine = await put(value(), "again");
  const found = await find();
  const release = await world.store.certificates.lock("again", { signal: deps.signal });
  const [removal] = await removeLeftovers(found, { ...deps, now: () => new Date() });
  expect(removal).toMatchObject({ removed: false, error: { code: "LOCKED" } });
  await release();
  expect(await standing()).toEqual([mine]);
});

test("a value of a provider that is not configured stays, in the journal too", async () => {
  const entry = { certificate: "dead", provider: "elsewhere", zone: "example.test", owner, value: value() };
  await world.store.journal.add([entry]);
  const [removal] = await removeLeftovers(await find([]), { ...deps, now: () => new Date() });
  expect(removal).toMatchObject({ removed: false, error: { code: "CONFIG" } });
  expect(await world.store.journal.list()).toHaveLength(1);
});
