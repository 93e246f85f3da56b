import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { certManager, usualRequest } from "../fakes/aggregator.ts";
import { group, type Harness, startHarness } from "./harness.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.close());

const anything = fc.jsonValue({ maxDepth: 4 });
const field = (usual: unknown) =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(usual) }, anything, fc.constant(undefined));
const request = fc
  .record({
    ...Object.fromEntries(Object.entries(usualRequest).map(([name, value]) => [name, field(value)])),
    config: fc.oneof(anything, fc.constant(undefined)),
  })
  .chain((known) => fc.dictionary(fc.string(), anything, { maxKeys: 2 }).map((extra) => ({ ...extra, ...known })));
const envelope = fc.record({
  kind: field("ChallengePayload"),
  apiVersion: field("webhook.acme.cert-manager.io/v1alpha1"),
  request: fc.oneof({ weight: 8, arbitrary: request }, anything),
});
const nested = fc
  .integer({ min: 1, max: 20_000 })
  .chain((depth) =>
    fc.constantFrom(
      `${"[".repeat(depth)}${"]".repeat(depth)}`,
      `${'{"request":'.repeat(depth)}1${"}".repeat(depth)}`,
      `{"request":{"config":${'{"a":'.repeat(depth)}1${"}".repeat(depth)}}}`,
    ),
  );
const body = fc.oneof(
  { weight: 6, arbitrary: envelope.map((value) => JSON.stringify(value)) },
  { weight: 2, arbitrary: anything.map((value) => JSON.stringify(value)) },
  { weight: 1, arbitrary: fc.string({ unit: "binary" }) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 1, arbitrary: nested },
  // Cut in the middle.
  {
    weight: 1,
    arbitrary: fc.tuple(envelope, fc.nat(400)).map(([value, at]) => JSON.stringify(value).slice(0, at)),
  },
);
const query = fc.constantFrom("", "", "", "?fieldValidation=Strict", "?dryRun=All", "?dryRun=x", "?a=%ff&&==");

const soak = process.env["DNS01_SOAK"] === "1";
const half = soak ? 5_000 : 750;
const random = Date.now() % 2 ** 31;

test.each([42, random])(`any body is answered by a payload with a response or by a Status (seed %i)`, async (seed) => {
  const aggregator = harness.aggregator();
  let solved = 0;
  await fc.assert(
    fc.asyncProperty(body, query, async (sent, asked) => {
      const answer = await aggregator.exchange({
        method: "POST",
        path: `/apis/${group}/v1alpha1/dnspod${asked}`,
        caller: certManager,
        headers: { "Content-Type": "application/json" },
        body: sent,
      });
      expect(answer.headers["content-type"]).toBe("application/json");
      if (answer.status === 201) {
        solved += 1;
        const { kind, response, request: echoed } = answer.json as Readonly<Record<string, Record<string, unknown>>>;
        expect(kind).toBe("ChallengePayload");
        expect(response).toMatchObject({ success: true });
        expect(echoed).toEqual((JSON.parse(String(sent)) as { request: unknown }).request);
      } else {
        expect([400]).toContain(answer.status);
        expect(answer.json).toMatchObject({ kind: "Status", status: "Failure", code: answer.status });
      }
    }),
    { seed, numRuns: half },
  );
  // Otherwise the bodies have become so wild that nothing of it reaches what lies behind.
  expect(solved).toBeGreaterThan(half / 100);
  expect((await aggregator.challenge(group, "dnspod")).status).toBe(201);
});
