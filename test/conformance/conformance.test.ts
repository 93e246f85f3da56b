import { test } from "vitest";
import { memoryKey, memoryProvider } from "../../providers/memory.ts";
import { connectProvider } from "../../src/providers.ts";
import { cases, runCase, testProvider } from "../../src/testing/index.ts";
import { shapes, worldSubject } from "./world.ts";

// Replay a failure with SEED=<number from the failure>.
const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));
const operations = Number(process.env["OPERATIONS"] ?? 100);

for (const [shape, connect] of Object.entries(shapes)) {
  const writers = shape === "rrset-plain" ? 1 : 3;
  const subject = worldSubject(shape, connect, { writers });
  testProvider(test, subject, { seed, operations });
  test.each(cases.filter(({ random }) => random))(`${shape}: $id with a seed that stays`, (testCase) =>
    runCase(testCase, subject, { seed: 20_240_229, operations }),
  );
}

testProvider(
  test,
  {
    provider: memoryProvider(),
    skip: {
      "siblings.types": "it has no other types",
      "siblings.ttl": "it keeps no TTL",
      "adding.ttl": "it keeps no TTL",
      "restarts.lost-add": "no answer can be lost within a process",
      "restarts.lost-remove": "no answer can be lost within a process",
      "errors.credentials": "it has no credentials",
      "errors.words": "it has no credentials",
      "secrecy.errors": "it has no credentials",
      "secrecy.events": "it has no credentials",
      ...Object.fromEntries(
        cases.flatMap(({ id }) =>
          id.startsWith("faults.") ? [[id, "there is nobody between it and its caller"]] : [],
        ),
      ),
      "errors.temporary": "there is nobody between it and its caller",
      "errors.unreachable": "it cannot be out of reach",
      "errors.abort": "it answers at once",
      "errors.signal": "it answers at once",
      "errors.retry-after": "there is nobody between it and its caller",
      "errors.one-zone": "it has no credentials",
    },
    start: async (zones) => {
      const store = new Map<string, Set<string>>();
      const provider = memoryProvider(store);
      return {
        connect: (signal) => connectProvider(provider, { zones: zones.join(",") }, { signal }),
        values: async (apex, fqdn) => [...(store.get(memoryKey(apex, fqdn)) ?? [])],
        put: async (apex, fqdn, values) => {
          const key = memoryKey(apex, fqdn);
          store.set(key, new Set([...(store.get(key) ?? []), ...values]));
        },
        takesAnyText: () => true,
        stop: async () => {},
      };
    },
  },
  { seed, operations },
);
