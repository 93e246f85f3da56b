import { afterEach, expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { parseName } from "../../src/core/name.ts";
import { createCaMemory, ttlOf } from "../../src/issuer/ca-memory.ts";
import { issue } from "../../src/issuer/issue.ts";
import { createVirtualClock } from "../fakes/virtual-clock.ts";
import { openWorld, type World } from "./world.ts";

const ca = "https://ca.test/directory";
const owner = parseName("_acme-challenge.example.test");
const names = [owner];

test("what a CA has seen counts for its TTL, and for a minute at most", async () => {
  const clock = createVirtualClock();
  const memory = createCaMemory(clock);
  await clock.advance(1_000);
  memory.note(ca, names, 30);
  expect(memory.restMs(ca, names, clock.now())).toBe(35_000);
  expect(memory.restMs(ca, [parseName("_acme-challenge.other.test")], clock.now())).toBe(0);
  expect(memory.restMs("https://other.test/directory", names, clock.now())).toBe(0);
  await clock.advance(35_000);
  expect(memory.restMs(ca, names, clock.now())).toBe(0);
  memory.note(ca, names, 3_600);
  expect(memory.restMs(ca, names, clock.now())).toBe(65_000);
  expect(createCaMemory(clock).restMs(ca, names, clock.now())).toBe(0);
});

test("what was to be seen before the CA looked is in its answer; an earlier look still counts", async () => {
  const clock = createVirtualClock();
  const memory = createCaMemory(clock);
  await clock.advance(1_000);
  memory.note(ca, names, 60);
  expect(memory.restMs(ca, names, 500)).toBe(0);
  await clock.advance(10_000);
  memory.note(ca, names, 60);
  expect(memory.restMs(ca, names, 5_000)).toBe(55_000);
});

test("the TTL is that of the nameservers", () => {
  const verdict = { servers: [{ ttlSeconds: 5 }, {}, { ttlSeconds: 20 }] } as never;
  expect([ttlOf(verdict), ttlOf({ servers: [] } as never)]).toEqual([20, 60]);
});

let world: World | undefined;
afterEach(() => world?.close());

test("an order for the wildcard after one for the apex waits until the CA has forgotten the first value", async () => {
  let passed = 0;
  world = await openWorld({ cachingResolver: true, now: () => new Date(Date.now() + passed) });
  const clock = {
    ...systemClock,
    sleep: async (ms: number, signal?: AbortSignal) => {
      if (ms <= 20_000) return systemClock.sleep(ms, signal);
      passed += ms;
    },
  };
  const deps = await world.deps({ clock });
  await issue(world.request(["example.test"]), deps);
  expect(passed).toBe(0);
  const second = await issue(world.request(["*.example.test"], { name: "wildcard" }), deps);
  expect(second.challenges.map((c) => [c.owner, c.status])).toEqual([[owner, "valid"]]);
  expect(passed).toBeGreaterThan(50_000);
});
