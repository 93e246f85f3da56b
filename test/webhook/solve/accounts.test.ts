import { expect, test } from "vitest";
import { memoryProvider } from "../../../providers/memory.ts";
import type { Provider } from "../../../src/core/provider.ts";
import { AuthError, defineProvider, secret, z } from "../../../src/index.ts";
import { createVirtualClock } from "../../fakes/virtual-clock.ts";
import { createCluster, ok, startReplica } from "./world.ts";

/** Takes one request in ten seconds. */
function slowAccounts(
  starts: { readonly token: string; readonly line: string; readonly at: number }[],
  now: () => number,
) {
  const memory = memoryProvider();
  return defineProvider({
    ...memory,
    id: "slow",
    config: z.strictObject({ token: secret("token"), line: z.string().default("").describe("line") }),
    traits: { ttlSeconds: { min: 0, default: 60 }, rate: { requests: 1, perMs: 10_000 } },
    connect: async ({ token, line }, deps) => {
      const backend = await memory.connect({ zones: "" }, deps);
      return {
        // Zones are another question; here it is about writes.
        findZone: (apex, call) => backend.findZone(apex, call),
        apply: (zone, edits, call) => {
          starts.push({ token, line, at: now() });
          return backend.apply(zone, edits, call);
        },
      };
    },
  }) as Provider;
}

test("one limit of requests for all that use the same credentials, whatever else their Issuers say", async () => {
  const clock = createVirtualClock();
  const starts: { readonly token: string; readonly line: string; readonly at: number }[] = [];
  const provider = slowAccounts(starts, () => clock.now());
  const cluster = createCluster();
  cluster.put("team-a", "one", { token: "first-token" });
  cluster.put("team-b", "copy", { token: "first-token\n" });
  cluster.put("team-c", "two", { token: "second-token" });
  const replica = await startReplica([provider], { solver: "slow", cluster, clock, callTimeoutMs: 500_000 });
  const ask = (resourceNamespace: string, name: string, line: string) =>
    replica.present({ resourceNamespace, key: line, config: { tokenRef: { name, key: "token" }, line } });
  const answers = await clock.run(
    Promise.all([
      ask("team-a", "one", "a"),
      ask("team-a", "one", "b"),
      ask("team-b", "copy", "c"),
      ask("team-c", "two", "d"),
    ]),
  );
  expect(answers).toEqual([ok, ok, ok, ok]);
  const of = (token: string) => starts.filter((start) => start.token === token).map(({ at }) => at);
  expect(of("first-token")).toHaveLength(3);
  const gaps = of("first-token")
    .slice(1)
    .map((at, i) => at - (of("first-token")[i] ?? 0));
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(10_000);
  // Another account does not wait for this one: its look-up and its write, no more.
  expect(Math.max(...of("second-token"))).toBeLessThan(Math.max(...of("first-token")));
  await replica.solving.close();
});

test("a login that is mended in the Issuer is tried at once, although its Secret was refused again and again", async () => {
  const memory = memoryProvider();
  const provider = defineProvider({
    ...memory,
    id: "named",
    config: z.strictObject({ user: z.string().describe("user"), password: secret("password") }),
    connect: async ({ user }, deps) => {
      const backend = await memory.connect({ zones: "" }, deps);
      const refuse = () => Promise.reject(new AuthError(`no user ${user}`));
      return user === "right" ? backend : { ...backend, findZone: refuse, apply: refuse };
    },
  }) as Provider;
  const cluster = createCluster();
  cluster.put("team-a", "login", { password: "the-password" });
  const replica = await startReplica([provider], { solver: "named", cluster });
  const ask = (user: string) =>
    replica.present({
      resourceNamespace: "team-a",
      config: { user, passwordSecretRef: { name: "login", key: "password" } },
    });
  for (let i = 0; i < 4; i++) expect(await ask("wrong")).toMatchObject({ success: false, code: "AUTH" });
  expect(replica.eventsOf("breaker").map(({ state }) => state)).toEqual(["open"]);
  expect(await ask("right")).toEqual(ok);
  expect(await ask("wrong")).toMatchObject({ success: false, code: "AUTH" });
  await replica.solving.close();
});
