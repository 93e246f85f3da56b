import { expect, test } from "vitest";
import { AbortedError, AuthError, Dns01Error, RejectedError, ZoneNotFoundError } from "../../src/core/errors.ts";
import type { Dns01Event } from "../../src/core/events.ts";
import { type DomainName, parseName } from "../../src/core/name.ts";
import type { Edit, Traits, TxtBackend } from "../../src/core/provider.ts";
import { createSolver } from "../../src/core/solver.ts";
import { virtualClock } from "./virtual-clock.ts";

const never = new AbortController().signal;

interface Options {
  readonly zones?: readonly string[];
  readonly traits?: Partial<Traits>;
  readonly ttlSeconds?: number;
  readonly apply?: TxtBackend["apply"];
  readonly findZone?: TxtBackend["findZone"];
  readonly visibleZones?: TxtBackend["visibleZones"];
}

function setUp({ zones = ["example.com"], traits, ttlSeconds, apply, findZone, visibleZones }: Options = {}) {
  const clock = virtualClock();
  const events: Dns01Event[] = [];
  const asked: string[] = [];
  const applied: { readonly zone: string; readonly edits: readonly Edit[]; readonly ttlSeconds: number }[] = [];
  const backend: TxtBackend = {
    async findZone(apex, call) {
      asked.push(apex);
      if (findZone !== undefined) return findZone(apex, call);
      return zones.includes(apex) ? { apex, id: `id of ${apex}` } : undefined;
    },
    async apply(zone, edits, call) {
      applied.push({ zone: zone.apex, edits, ttlSeconds: call.ttlSeconds });
      return apply === undefined ? edits.map(() => "changed") : apply(zone, edits, call);
    },
  };
  if (visibleZones !== undefined) backend.visibleZones = visibleZones;
  const solver = createSolver({
    provider: { id: "fake", traits: { ttlSeconds: { min: 60, default: 120 }, ...traits } },
    backend,
    observer: (event) => events.push(event),
    clock,
    ttlSeconds,
  });
  return { solver, clock, events, asked, applied };
}

const name = (text: string): DomainName => parseName(text);
const item = (owner: string, values: readonly string[], zoneCut?: string) => ({
  owner: name(owner),
  values,
  zoneCut: zoneCut === undefined ? undefined : name(zoneCut),
});

test("writes once per zone with all owners and values, each value once", async () => {
  const { solver, applied } = setUp({ zones: ["example.com", "example.org"] });
  const solved = await solver.present(
    [
      item("_acme-challenge.example.com", ["a"]),
      item("_acme-challenge.example.org", ["c"]),
      item("_acme-challenge.example.com", ["b", "a"]),
      item("_acme-challenge.www.example.com", ["d"]),
    ],
    never,
  );
  const byZone = applied.toSorted((a, b) => a.zone.localeCompare(b.zone));
  expect(byZone.map(({ zone, edits }) => [zone, edits.map(({ owner, add }) => [owner.relative, add])])).toEqual([
    [
      "example.com",
      [
        ["_acme-challenge", ["a", "b"]],
        ["_acme-challenge.www", ["d"]],
      ],
    ],
    ["example.org", [["_acme-challenge", ["c"]]]],
  ]);
  expect(solved.map(({ owner, zone, changed }) => [owner, zone.apex, changed])).toEqual([
    ["_acme-challenge.example.com", "example.com", true],
    ["_acme-challenge.example.org", "example.org", true],
    ["_acme-challenge.www.example.com", "example.com", true],
  ]);
});

test("asks for the zone cut first, and for a zone only once", async () => {
  const { solver, asked } = setUp();
  const items = Array.from({ length: 20 }, (_, i) => item(`_acme-challenge.h${i}.example.com`, ["a"], "example.com"));
  await solver.present(items, never);
  await solver.cleanUp(items, never);
  expect(asked).toEqual(["example.com"]);
});

test("walks from the longest candidate, keeps label boundaries, and never asks for a bare top-level domain", async () => {
  const { solver, asked } = setUp({ zones: ["example.com", "com", "notexample.com"] });
  const zone = await solver.locate(name("_acme-challenge.a.example.com"), undefined, never);
  expect(zone.apex).toBe("example.com");
  expect(asked).toEqual(["_acme-challenge.a.example.com", "a.example.com", "example.com"]);
  await expect(solver.locate(name("_acme-challenge.other.com"), undefined, never)).rejects.toBeInstanceOf(
    ZoneNotFoundError,
  );
  expect(asked).not.toContain("com");
});

test.each([
  ["_acme-challenge.a.sub.example.com", "sub.example.com"],
  ["_acme-challenge.notexample.com", undefined],
  ["_acme-challenge.x.example.com", "_acme-challenge.x.example.com"],
  ["_acme-challenge.subexample.com", undefined],
  ["_acme-challenge.www.example.com", "example.com"],
])("%s belongs to %s", async (owner, apex) => {
  const { solver } = setUp({ zones: ["example.com", "sub.example.com", "_acme-challenge.x.example.com"] });
  const zone = await solver.locate(name(owner), undefined, never).catch(() => undefined);
  expect(zone?.apex).toBe(apex);
});

test("a private top-level zone is found when DNS is cut there", async () => {
  const { solver } = setUp({ zones: ["lan"] });
  expect((await solver.locate(name("_acme-challenge.host.lan"), name("lan"), never)).apex).toBe("lan");
});

test("a zone that is not where DNS is cut is told, once", async () => {
  const { solver, events } = setUp();
  const items = [item("_acme-challenge.sub.example.com", ["a"], "sub.example.com")];
  await solver.present(items, never);
  await solver.cleanUp(items, never);
  expect(events.filter(({ type }) => type === "zone.mismatch")).toEqual([
    {
      type: "zone.mismatch",
      provider: "fake",
      fqdn: "_acme-challenge.sub.example.com",
      zone: "example.com",
      cut: "sub.example.com",
    },
  ]);
  expect(events.filter(({ type }) => type === "zone.found")).toHaveLength(1);
});

test("missing zones are asked for again after half a minute, found ones after five", async () => {
  const { solver, clock, asked } = setUp();
  const locate = (owner: string) => solver.locate(name(owner), undefined, never).catch(() => undefined);
  await locate("_acme-challenge.example.com");
  await locate("_acme-challenge.example.org");
  const first = asked.length;
  await locate("_acme-challenge.example.com");
  await locate("_acme-challenge.example.org");
  expect(asked).toHaveLength(first);
  await clock.drive(clock.sleep(31_000));
  await locate("_acme-challenge.example.org");
  expect(asked.slice(first)).toEqual(["_acme-challenge.example.org", "example.org"]);
  await clock.drive(clock.sleep(5 * 60_000));
  await locate("_acme-challenge.example.com");
  expect(asked.slice(-1)).toEqual(["example.com"]);
});

test("what is to be taken out is only given up when every name was asked for anew, once", async () => {
  const { solver, asked } = setUp();
  const items = [item("_acme-challenge.example.org", ["a"])];
  const names = ["_acme-challenge.example.org", "example.org"];
  await expect(solver.present(items, never)).rejects.toThrow(/no zone/);
  await expect(solver.present(items, never)).rejects.toThrow(/no zone/);
  expect(asked).toEqual(names);
  await expect(solver.cleanUp(items, never)).rejects.toThrow(/no zone/);
  expect(asked).toEqual([...names, ...names]);
});

test("a zone that vanished is looked for again", async () => {
  let gone = false;
  const { solver, asked } = setUp({
    apply: async (_zone, edits) => {
      if (gone) throw new RejectedError("no such zone");
      return edits.map(() => "changed");
    },
  });
  const items = [item("_acme-challenge.example.com", ["a"], "example.com")];
  await solver.present(items, never);
  gone = true;
  await expect(solver.cleanUp(items, never)).rejects.toThrow("no such zone");
  gone = false;
  await solver.cleanUp(items, never);
  expect(asked).toEqual(["example.com", "example.com"]);
});

test("credentials for one zone only are refused for others and still work", async () => {
  const { solver } = setUp({
    findZone: async (apex) => {
      if (apex !== "example.com") throw new AuthError("not yours");
      return { apex, id: "1" };
    },
  });
  expect((await solver.locate(name("_acme-challenge.a.example.com"), undefined, never)).apex).toBe("example.com");
  await expect(solver.locate(name("_acme-challenge.a.example.org"), undefined, never)).rejects.toThrow("not yours");
});

test("wrong credentials are refused once: the parents are not asked for", async () => {
  const asked: string[] = [];
  const { solver } = setUp({
    findZone: async (apex) => {
      asked.push(apex);
      throw new AuthError("no such key", { wrongKeys: true });
    },
  });
  await expect(solver.locate(name("_acme-challenge.a.example.com"), undefined, never)).rejects.toThrow("no such key");
  expect(asked).toEqual(["_acme-challenge.a.example.com"]);
});

test("nothing is written when one of the zones cannot be found", async () => {
  const { solver, applied } = setUp();
  const items = [item("_acme-challenge.example.com", ["a"]), item("_acme-challenge.example.org", ["b"])];
  const error: unknown = await solver.present(items, never).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(ZoneNotFoundError);
  expect((error as ZoneNotFoundError).candidates).toEqual(["_acme-challenge.example.org", "example.org"]);
  expect(applied).toEqual([]);
});

test("when one zone fails the others are finished, and the error says what became of each", async () => {
  const { solver, applied } = setUp({
    zones: ["example.com", "example.org", "example.net"],
    apply: async (zone, edits) => {
      if (zone.apex === "example.org") throw new AuthError("fake: refused", { hint: "Check the key." });
      return edits.map(() => "changed");
    },
  });
  const items = ["com", "org", "net"].map((tld) => item(`_acme-challenge.example.${tld}`, ["a"]));
  const error: unknown = await solver.present(items, never).catch((e: unknown) => e);
  expect(applied).toHaveLength(3);
  expect(error).toMatchObject({
    code: "AUTH",
    retryable: false,
    hint: "Check the key.",
    message: "fake: refused (done: example.com, example.net)",
    details: {
      zones: [
        { zone: "example.org", state: "failed", code: "AUTH", message: "fake: refused" },
        { zone: "example.com", state: "done" },
        { zone: "example.net", state: "done" },
      ],
    },
  });
  expect(Dns01Error.is(error) && error.cause).toBeInstanceOf(AuthError);
});

test("a missing zone: the error names zones that the credentials see", async () => {
  const { solver } = setUp({ visibleZones: async () => ["b.example", "a.example"] });
  await expect(solver.present([item("_acme-challenge.example.org", ["a"])], never)).rejects.toMatchObject({
    code: "ZONE_NOT_FOUND",
    message: expect.stringContaining("; these credentials see a.example, b.example; asked for"),
    details: { visible: ["a.example", "b.example"] },
  });
});

test("clean-up takes out what it can when another zone cannot be found", async () => {
  const { solver, applied } = setUp();
  const items = [item("_acme-challenge.example.com", ["a"]), item("_acme-challenge.example.org", ["b"])];
  await expect(solver.cleanUp(items, never)).rejects.toMatchObject({ code: "ZONE_NOT_FOUND" });
  expect(applied.map(({ zone, edits }) => [zone, edits.map(({ remove }) => remove)])).toEqual([
    ["example.com", [["a"]]],
  ]);
});

test("tells what happened to each value", async () => {
  const { solver, events } = setUp({
    apply: async (_zone, edits) => edits.map(({ owner }) => (owner.relative.endsWith("b") ? "unchanged" : "changed")),
  });
  const items = [item("_acme-challenge.a.example.com", ["1"]), item("_acme-challenge.b.example.com", ["2"])];
  await solver.present(items, never);
  await solver.cleanUp(items, never);
  expect(events.flatMap((e) => ("value" in e ? [`${e.type} ${e.value}`] : []))).toEqual([
    "txt.added 1",
    "txt.kept 2",
    "txt.removed 1",
    "txt.absent 2",
  ]);
});

test.each(["name", "zone"] as const)("with lock %s, two calls at one name never overlap", async (lock) => {
  let running = 0;
  let most = 0;
  const { solver, clock } = setUp({
    traits: { lock },
    apply: async (_zone, edits) => {
      most = Math.max(most, ++running);
      await clock.sleep(10);
      running--;
      return edits.map(() => "changed");
    },
  });
  const same = Array.from({ length: 5 }, (_, i) => [item("_acme-challenge.example.com", [`${i}`])]);
  await clock.drive(Promise.all(same.map((items) => solver.present(items, never))));
  expect(most).toBe(1);
  const others = Array.from({ length: 5 }, (_, i) => [item(`_acme-challenge.h${i}.example.com`, ["a"])]);
  await clock.drive(Promise.all(others.map((items) => solver.present(items, never))));
  expect(most).toBe(lock === "zone" ? 1 : 5);
});

test("the TTL is the user's, raised to the service's minimum with a warning", async () => {
  const raised = setUp({ ttlSeconds: 5 });
  await raised.solver.present([item("_acme-challenge.example.com", ["a"])], never);
  expect(raised.applied[0]?.ttlSeconds).toBe(60);
  expect(raised.events.filter(({ type }) => type === "warning")).toHaveLength(1);
  const chosen = setUp({ ttlSeconds: 300 });
  await chosen.solver.present([item("_acme-challenge.example.com", ["a"])], never);
  expect(chosen.applied[0]?.ttlSeconds).toBe(300);
  const usual = setUp();
  await usual.solver.present([item("_acme-challenge.example.com", ["a"])], never);
  expect(usual.applied[0]?.ttlSeconds).toBe(120);
});

test("the signal's reason comes out as it is, and an aborted call does nothing", async () => {
  const { solver, asked } = setUp();
  const reason = new AbortedError("enough");
  await expect(solver.present([item("_acme-challenge.example.com", ["a"])], AbortSignal.abort(reason))).rejects.toBe(
    reason,
  );
  expect(asked).toEqual([]);
});

test("nothing to do is nothing done", async () => {
  const { solver, asked, applied } = setUp();
  expect(await solver.present([], never)).toEqual([]);
  expect(await solver.cleanUp([item("_acme-challenge.example.com", [])], never)).toEqual([]);
  expect([...asked, ...applied]).toEqual([]);
});
