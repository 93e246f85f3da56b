import { expect, test } from "vitest";
import { RejectedError } from "../../src/core/errors.ts";
import type { Dns01Event } from "../../src/core/events.ts";
import { guard } from "../../src/core/guard.ts";
import { parseName } from "../../src/core/name.ts";
import type { Edit, RecordApi, RRsetApi, TxtBackend, Zone } from "../../src/core/provider.ts";
import { recordBackend } from "../../src/core/records.ts";
import { rrsetBackend } from "../../src/core/rrsets.ts";
import { virtualClock } from "./virtual-clock.ts";

const zone: Zone = { apex: parseName("example.com"), id: "1" };
const editAt = (name: string): Edit => {
  const fqdn = parseName(`${name}.example.com`);
  return { owner: { zone, fqdn, relative: name }, add: ["a"], remove: [] };
};

const tooLow = (minTtlSeconds: number) => new RejectedError("the TTL is too low (Ttl)", { minTtlSeconds });

function setUp(backend: TxtBackend) {
  const clock = virtualClock();
  const events: Dns01Event[] = [];
  const guarded = guard(backend, {
    provider: { id: "fake", traits: { ttlSeconds: { min: 1, default: 60 } } },
    observer: (event) => events.push(event),
    clock,
  });
  const call = { signal: new AbortController().signal, ttlSeconds: 120 };
  return {
    apply: (...edits: readonly Edit[]) => clock.drive(guarded.apply(zone, edits, call)),
    warnings: () => events.flatMap((e) => (e.type === "warning" ? [`${e.code} ${e.text}`] : [])),
  };
}

/** Takes records from 600 seconds on. */
function recordApi(ttls: number[], minTtlSeconds = 600): RecordApi {
  return {
    findZone: async () => zone,
    list: async () => [],
    create: async (_owner, _value, { ttlSeconds }) => {
      ttls.push(ttlSeconds);
      if (ttlSeconds < 600) throw tooLow(minTtlSeconds);
    },
    delete: async () => {},
  };
}

test("a TTL that the zone's plan does not allow is raised once, with a warning, and remembered", async () => {
  const ttls: number[] = [];
  const { apply, warnings } = setUp(recordBackend(recordApi(ttls)));
  expect(await apply(editAt("one"))).toEqual(["changed"]);
  expect(await apply(editAt("two"))).toEqual(["changed"]);
  expect(ttls).toEqual([120, 600, 600]);
  expect(warnings()).toEqual(["W_TTL_RAISED fake: example.com does not take a TTL of 120 s; 600 s is used"]);
});

test("writes that are refused side by side give one warning", async () => {
  const ttls: number[] = [];
  const { apply, warnings } = setUp(recordBackend(recordApi(ttls)));
  await apply(editAt("one"), editAt("two"), editAt("three"));
  expect(ttls.filter((ttl) => ttl === 600)).toHaveLength(3);
  expect(warnings()).toHaveLength(1);
});

test("a service that refuses its own minimum is not asked for ever", async () => {
  const ttls: number[] = [];
  const { apply } = setUp(recordBackend(recordApi(ttls, 300)));
  await expect(apply(editAt("one"))).rejects.toThrow(/the TTL is too low/);
  expect(ttls).toEqual([120, 300]);
});

test("sets of values and backends of one act are written again with the higher TTL too", async () => {
  const ttls: number[] = [];
  const sets: RRsetApi = {
    conditional: true,
    findZone: async () => zone,
    read: async () => undefined,
    replace: async (_zone, changes) => {
      const ttl = changes[0]?.next?.ttlSeconds ?? 0;
      ttls.push(ttl);
      if (ttl < 600) throw tooLow(600);
    },
  };
  await setUp(rrsetBackend(sets)).apply(editAt("one"));
  const direct: TxtBackend = {
    findZone: async () => zone,
    apply: async (_zone, edits, { ttlSeconds }) => {
      ttls.push(ttlSeconds);
      if (ttlSeconds < 600) throw tooLow(600);
      return edits.map(() => "changed");
    },
  };
  await setUp(direct).apply(editAt("one"));
  expect(ttls).toEqual([120, 600, 120, 600]);
});
