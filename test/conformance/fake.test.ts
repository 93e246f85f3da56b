import { afterEach, expect, test } from "vitest";
import { ConflictError, RateLimitedError } from "../../src/core/errors.ts";
import { parseName } from "../../src/core/name.ts";
import { cases, type FakeAnswer, runCase, type Service, startFake } from "../../src/testing/index.ts";

let service: Service | undefined;
afterEach(async () => await service?.stop());

async function fakeWith(given: { readonly throttle?: () => FakeAnswer }): Promise<string> {
  let address = "";
  service = await startFake({
    ...given,
    zones: [parseName("example.com"), parseName("sub.example.com")],
    answer: () => ({ body: {} }),
    connect: async (url) => {
      address = url;
      return { findZone: async () => undefined, apply: async () => [] };
    },
  });
  await service.connect(new AbortController().signal);
  return address;
}

test("a version in the path is not taken for the id of a zone that the credentials are not for", async () => {
  const url = await fakeWith({});
  service?.limitTo?.(parseName("example.com"));
  expect((await fetch(`${url}/2/zones?name=example.com`)).status).toBe(200);
  expect((await fetch(`${url}/2/zones?name=sub.example.com`)).status).toBe(403);
});

test("a fake whose throttle asks for a pause of no time is not tried for the pause", async () => {
  await fakeWith({ throttle: () => ({ status: 429, headers: { "Retry-After": "0" } }) });
  expect(service?.throttleFor).toBeUndefined();
});

test("the rule about pauses is not broken by an error of another cause: a zone that is locked for a moment", async () => {
  const rule = cases.find(({ id }) => id === "errors.retry-after");
  let left = 0;
  let locked = 1;
  const trial = runCase(
    rule ?? expect.fail("no such rule"),
    {
      provider: { id: "locking", traits: { ttlSeconds: { min: 60, default: 60 } } },
      start: async () => ({
        values: async () => ["value-1"],
        put: async () => {},
        stop: async () => {},
        throttleFor: (_seconds, nth) => {
          left = nth;
          return { met: () => left <= 0, cancel: () => {} };
        },
        connect: async () => ({
          findZone: async (apex) => {
            if (--left === 0) throw new RateLimitedError("slow down", { retryAfterMs: 1000 });
            return { apex, id: "7" };
          },
          apply: async (_zone, edits) => {
            if (locked-- > 0) throw new ConflictError("the zone is locked");
            return edits.map(() => "changed" as const);
          },
        }),
      }),
    },
    { seed: 1, operations: 1 },
  );
  await expect(trial).resolves.toBeUndefined();
});

test("a rule that builds on one that is left out is left out with its reason, and no service is started for it", async () => {
  const told: string[] = [];
  const rule = cases.find(({ id }) => id === "faults.last");
  await runCase(
    rule ?? expect.fail("no such rule"),
    {
      provider: { id: "keeping", traits: { ttlSeconds: { min: 60, default: 60 } } },
      skip: { "removing.value": "newer values push older ones out" },
      start: async () => expect.fail("a service was started"),
    },
    { seed: 1, operations: 1, onUntried: (reason) => void told.push(reason) },
  );
  expect(told).toEqual(["builds on removing.value: newer values push older ones out"]);
});
