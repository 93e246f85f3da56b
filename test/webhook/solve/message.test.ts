import fc from "fast-check";
import { expect, test } from "vitest";
import cloudflare from "../../../providers/cloudflare.ts";
import dnspod from "../../../providers/dnspod.ts";
import hetzner from "../../../providers/hetzner.ts";
import { memoryProvider } from "../../../providers/memory.ts";
import route53 from "../../../providers/route53.ts";
import {
  AuthError,
  ConfigError,
  Dns01Error,
  type ErrorCode,
  RejectedError,
  TransientError,
} from "../../../src/core/errors.ts";
import { fieldsOf } from "../../../src/core/fields.ts";
import type { Provider } from "../../../src/core/provider.ts";
import { failureOf } from "../../../src/webhook/solve/message.ts";
import { startCloudflareFake } from "../../fakes/cloudflare.ts";
import { startDnspod } from "../../fakes/dnspod.ts";
import { startHetznerFake } from "../../fakes/hetzner.ts";
import { startRoute53 } from "../../fakes/route53.ts";
import type { AdapterTrial } from "../../providers/trial.ts";
import { asIssuer, createCluster, messageOf, name, ok, startReplica } from "./world.ts";

const owner = "_acme-challenge.example.com";
const about = { provider: "dnspod", owner };
const text = (error: unknown, of: Parameters<typeof failureOf>[1] = about) => failureOf(error, of).message;

test("what, where, why in the provider's words, and what to do", () => {
  const error = new RejectedError(
    "dnspod: cannot create TXT at _acme-challenge.example.com: too many records (LimitExceeded)",
    {
      hint: "Delete some.",
    },
  );
  expect(failureOf(error, about)).toEqual({
    success: false,
    code: "REJECTED",
    reason: "Invalid",
    message: "dnspod: cannot create TXT at _acme-challenge.example.com: too many records (LimitExceeded). Delete some.",
  });
});

test("ids, times and line ends are left out, names that look like ids are not", () => {
  const id = "0f8fad5b-d9cb-469f-a165-70867728950e";
  expect(text(new TransientError(`timeout [request id:${id}]\n at 2026-11-24T20:11:00Z, RequestId: ${id}`))).toBe(
    `dnspod: timeout at … (for ${owner})`,
  );
  const odd = { provider: "acme-dns", owner: `${id}.auth.example` };
  expect(text(new RejectedError(`no ${id}.auth.example here (${id})`), odd)).toBe(
    `acme-dns: no ${id}.auth.example here (…)`,
  );
});

test("the value is left alone, whatever it looks like, and so is what the Issuer's author wrote", () => {
  const value = "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9";
  const said = `${value} is there, not ${value.replaceAll("0", "1")}`;
  expect(text(new RejectedError(said), { ...about, value })).toBe(`dnspod: ${value} is there, not … (for ${owner})`);
  const path = "config.0f8fad5b-d9cb-469f-a165-70867728950e";
  expect(text(new ConfigError([{ path, message: "is odd" }]))).toBe(`dnspod: ${path} is odd`);
});

test("the cause gives way before the advice does", () => {
  const message = text(
    new AuthError(`dnspod: cannot look up the zone example.com: ${"long ".repeat(200)}`, { hint: "Do it." }),
  );
  expect(message.length).toBeLessThanOrEqual(300);
  expect(message).toMatch(/^dnspod: credentials refused for _acme-challenge\.example\.com: long .*… ?Do it\.$/);
});

test("every code has Kubernetes' word, and a foreign error is a fault of ours", () => {
  const reasons = (
    ["CONFIG", "AUTH", "ZONE_NOT_FOUND", "REJECTED", "CONFLICT", "RATE_LIMITED", "TRANSIENT"] as const
  ).map((code: ErrorCode) => failureOf(new Dns01Error(code, "x", false), about).reason);
  expect(reasons).toEqual([
    "Invalid",
    "Forbidden",
    "NotFound",
    "Invalid",
    "Conflict",
    "TooManyRequests",
    "ServiceUnavailable",
  ]);
  expect(failureOf(new TypeError("x is undefined"), about)).toMatchObject({ code: "UNKNOWN", reason: "InternalError" });
  const odd = {
    get message() {
      throw new Error("no");
    },
  };
  expect(text(odd)).toBe("dnspod: internal fault: something that cannot be shown");
});

test("whatever is thrown becomes one line of at most 300 characters", () => {
  const message = fc.string({ unit: "binary", maxLength: 2_000 });
  const error = fc.oneof(
    message.map((m) => new Error(m)),
    fc.tuple(message, message).map(([m, hint]) => new RejectedError(m, { hint })),
    fc.array(fc.record({ path: message, message })).map((issues) => new ConfigError(issues)),
    fc.anything(),
  );
  fc.assert(
    fc.property(error, (thrown) => {
      const said = text(thrown);
      expect(said.length).toBeLessThanOrEqual(300);
      expect(said).not.toMatch(/[\n\r\0]/);
      expect(said).toBe(text(thrown));
    }),
    { seed: 7, numRuns: 500 },
  );
});

interface Adapter {
  readonly provider: Provider;
  readonly start: AdapterTrial["start"];
}
const adapters: readonly Adapter[] = [
  { provider: cloudflare, start: startCloudflareFake },
  { provider: dnspod, start: startDnspod },
  { provider: hetzner, start: startHetznerFake },
  { provider: route53, start: startRoute53 },
];

test.each(adapters)(
  "$provider.id: equal causes read the same, at two replicas and again",
  async ({ provider, start }) => {
    const fake = await start([name("example.com")]);
    const cluster = createCluster();
    const config = asIssuer(provider, fake.config, cluster);
    const shuffled = Object.fromEntries(Object.entries(config).toReversed());
    const replicas = await Promise.all(
      [config, shuffled].map((given) => startReplica([provider], { solver: provider.id, cluster, config: given })),
    );
    const both = async (asked: object): Promise<string> => {
      const said: string[] = [];
      for (let i = 0; i < 2; i++) for (const replica of replicas) said.push(messageOf(await replica.present(asked)));
      expect(new Set(said).size, said.join("\n")).toBe(1);
      return said[0] ?? "";
    };
    const noZone = await both({ dnsName: "elsewhere.example.org", resolvedZone: "example.org." });
    expect(noZone).toContain("_acme-challenge.elsewhere.example.org");
    expect(noZone).toMatch(new RegExp(`^${provider.id}: `));
    expect(await replicas[0]?.present({ key: "before" })).toEqual(ok);
    fake.refuseCredentials?.();
    const refused = await both({});
    expect(refused).toMatch(new RegExp(`^${provider.id}: credentials refused for _acme-challenge\\.example\\.com: `));
    const variables = fieldsOf(provider).flatMap(({ env }) => env);
    expect(variables.filter((variable) => `${noZone}${refused}`.includes(variable))).toEqual([]);
    for (const id of fake.requestIds?.() ?? []) expect(`${noZone}${refused}`).not.toContain(id);
    for (const replica of replicas) await replica.solving.close();
    await (fake.stop?.() ?? fake.http.close());
  },
);

test.each([
  ["arn:aws:iam::123456789012:user/dns01", "arn:aws:route53:::hostedzone/Z1"],
  ["arn:aws-cn:sts::123456789012:assumed-role/dns01/i-0abc", "*"],
  ["qcs::cam::uin/100000000001:roleName/dns01", "domain/1"],
])("an answer does not name the account that %s belongs to", (who, resource) => {
  const error = new AuthError(`User: ${who} is not authorized to perform: x:List on resource: ${resource}`);
  expect(failureOf(error, { provider: "p" }).message).toBe(
    `p: credentials refused: User: … is not authorized to perform: x:List on resource: ${resource}`,
  );
});

test("what an answer leaves out is in the log", async () => {
  const memory = memoryProvider();
  let calls = 0;
  const failing: Provider = {
    ...memory,
    connect: async (_config, deps) => ({
      ...(await memory.connect({ zones: "" }, deps)),
      apply: () =>
        Promise.reject(new RejectedError(`quota reached (request id: f00d-${++calls}) at 2026-11-24T20:11:0${calls}Z`)),
    }),
  };
  const replica = await startReplica([failing], { solver: "memory" });
  const said = [messageOf(await replica.present({})), messageOf(await replica.present({}))];
  expect(said[0]).toBe(
    "memory: cannot change TXT in example.com: quota reached at … (for _acme-challenge.example.com)",
  );
  expect(said[1]).toBe(said[0]);
  const ends = replica.eventsOf("challenge.end");
  expect(ends.map((end) => /\(request id: (.*?)\)/.exec(end.said ?? "")?.[1])).toEqual(["f00d-1", "f00d-2"]);
  await replica.solving.close();
});

test("what cert-manager sends is checked, every fault at once", async () => {
  const replica = await startReplica([memoryProvider()], { solver: "memory" });
  const odd = { key: "", resolvedFQDN: "a..b", type: "http-01" };
  expect(messageOf(await replica.present(odd))).toBe(
    'memory: 3 faults: type is "http-01", not dns-01; key is empty: it is the value to publish; resolvedFQDN "a..b" is not a domain name: it has an empty label',
  );
  expect(messageOf(await replica.present({ resolvedFQDN: "." }))).toMatch(/is the root/);
  expect(messageOf(await replica.present({ key: "x".repeat(1001) }))).toMatch(/longer than 1000/);
  expect(
    await replica.present({ resolvedZone: "not a zone", dnsName: "*.example.com", resolvedFQDN: "x.example.com" }),
  ).toEqual(ok);
  await replica.solving.close();
});
