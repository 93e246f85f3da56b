import { afterEach, expect, test } from "vitest";
import { memoryProvider } from "../../providers/memory.ts";
import type { Provider } from "../../src/core/provider.ts";
import type { AccessReview } from "../../src/kubernetes/api.ts";
import { createRegistry } from "../../src/providers.ts";
import type { SolveEvent } from "../../src/webhook/solve/events.ts";
import { createSolving } from "../../src/webhook/solve/solving.ts";
import { kubeAggregator, usualRequest } from "../fakes/aggregator.ts";
import { group, type Harness, startHarness } from "./harness.ts";

const open: Harness[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

const other: Provider = { ...memoryProvider(), id: "otherhost", aliases: ["otherdns"] };

/** The server with the real engine behind it; of `known` providers it serves the one named "memory". */
async function start(known: readonly Provider[], more: Parameters<typeof startHarness>[0] = {}) {
  const events: SolveEvent[] = [];
  const solving = await createSolving({
    registry: createRegistry(Object.fromEntries(known.map((one) => [one.id, async () => ({ default: one })]))),
    providers: ["memory"],
    observe: (event) => void events.push(event),
  });
  const harness = await startHarness({ solving, ...more });
  open.push(harness);
  const aggregator = harness.aggregator();
  const challenge = (solver: string, action: "Present" | "CleanUp", request = {}) =>
    aggregator.challenge(group, solver, { action, ...request });
  const leftovers = () => events.filter((event) => event.type === "leftover");
  return { aggregator, challenge, leftovers, harness };
}

test("a mistyped solver: Present gets a 404 Status that names the nearest and the served, and its clean-up ends", async () => {
  const { challenge, leftovers, aggregator, harness } = await start([memoryProvider()]);
  const refused = await challenge("memroy", "Present");
  expect(refused.status).toBe(404);
  expect(refused.json).toMatchObject({
    kind: "Status",
    reason: "NotFound",
    message: `there is no solver "memroy" in group "${group}" (did you mean memory?); served are memory`,
  });
  const ended = await challenge("memroy", "CleanUp", { uid: "u" });
  expect(ended.status).toBe(201);
  expect(ended.json).toMatchObject({ kind: "ChallengePayload", response: { uid: "u", success: true } });
  expect(leftovers()).toEqual([]);
  // The mended Issuer makes a Challenge of its own.
  expect((await challenge("memory", "Present")).json).toMatchObject({ response: { success: true } });
  const listed = await aggregator.exchange({ path: `/apis/${group}/v1alpha1`, caller: kubeAggregator });
  expect((listed.json as { resources: { name: string }[] }).resources.map(({ name }) => name)).toEqual(["memory"]);
  const metrics = await harness.metrics.text();
  expect(metrics).toContain('webhook_challenges_total{action="Present",provider="unknown",code="CONFIG"} 1');
  expect(metrics).not.toContain("memroy");
});

test("a clean-up ends for any name that an Issuer can have, and for values that no Present can have written", async () => {
  const { challenge, leftovers } = await start([memoryProvider()]);
  for (const solver of ["DNSPod", "my%20solver", "x".repeat(200), "a.b"]) {
    expect((await challenge(solver, "CleanUp")).json).toMatchObject({ response: { success: true } });
    const refused = await challenge(solver, "Present");
    expect(refused.status).toBe(404);
    expect(refused.json).toMatchObject({ reason: "NotFound" });
  }
  const odd = { resolvedFQDN: `_acme-challenge.${"long-label.".repeat(30)}example.com.` };
  expect((await challenge("somehost", "CleanUp", odd)).json).toMatchObject({ response: { success: true } });
  expect(leftovers()).toEqual([]);
});

test("a provider that is no longer served: the clean-up ends, and the log has the value and the command that removes it", async () => {
  const { challenge, leftovers } = await start([memoryProvider(), other]);
  const owner = usualRequest.resolvedFQDN.replace(/\.$/, "");
  for (const solver of ["otherhost", "otherdns"]) {
    expect((await challenge(solver, "CleanUp", { key: solver })).json).toMatchObject({ response: { success: true } });
  }
  expect(leftovers()).toMatchObject([
    { provider: "otherhost", value: "otherhost", cure: `dns01 cleanup ${owner} otherhost --provider otherhost` },
    { provider: "otherhost", value: "otherdns", cure: `dns01 cleanup ${owner} otherdns --provider otherhost` },
  ]);
});

test("a plugin that is gone: the clean-up ends with a leftover, unless this process rejected the Present", async () => {
  const { challenge, leftovers } = await start([memoryProvider()]);
  const owner = usualRequest.resolvedFQDN.replace(/\.$/, "");
  expect((await challenge("somehost", "CleanUp", { key: "before" })).json).toMatchObject({
    response: { success: true },
  });
  expect((await challenge("somehost", "Present", { key: "after" })).status).toBe(404);
  expect((await challenge("somehost", "CleanUp", { key: "after" })).json).toMatchObject({
    response: { success: true },
  });
  const cure = `dns01 cleanup ${owner} before --provider somehost --plugin FILE`;
  // "unknown": the name is an Issuer author's, and becomes a label of metrics.
  expect(leftovers()).toMatchObject([{ provider: "unknown", value: "before", cure }]);
});

test("the API server is asked about the solver that the caller named, served or not", async () => {
  const asked: (string | undefined)[] = [];
  const reviewer = {
    reviewAccess: async ({ resource }: AccessReview) => {
      asked.push(resource?.resource);
      return { allowed: resource?.resource !== "forbidden" };
    },
  };
  const { challenge } = await start([memoryProvider()], { reviewer });
  expect((await challenge("memroy", "CleanUp")).status).toBe(201);
  expect((await challenge("forbidden", "CleanUp")).status).toBe(403);
  expect(asked).toEqual(["memroy", "forbidden"]);
});

test("a group that this pod does not serve is warned of once per path, however often the API server probes for it", async () => {
  const { harness, aggregator } = await start([memoryProvider()]);
  const paths = ["/apis/acme.added.example/v1alpha1", "/openapi/v3/apis/acme.added.example/v1alpha1"];
  for (let round = 0; round < 12; round += 1) {
    for (const path of paths) await aggregator.exchange({ path, caller: kubeAggregator });
  }
  const warned = harness.complaints().filter((text) => text.includes("acme.added.example"));
  expect(warned).toEqual(paths.map((path) => expect.stringContaining(`refused GET ${path}: 404`)));
  expect(await harness.metrics.text()).toContain('dns01_webhook_refused_total{reason="NotFound"}');
});
