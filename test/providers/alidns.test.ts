import { expect, test } from "vitest";
import alidns from "../../providers/alidns.ts";
import { acs3Headers } from "../../providers/signing/acs3.ts";
import { queryOf } from "../../providers/signing/canonical.ts";
import type { Dns01Event } from "../../src/core/events.ts";
import { fieldsOf, resolveConfig } from "../../src/core/fields.ts";
import { parseName } from "../../src/core/name.ts";
import { connectSolver } from "../../src/providers.ts";
import { type AlidnsFake, type AlidnsOptions, startAlidns } from "../fakes/alidns.ts";
import { createFastClock } from "../fakes/fast-clock.ts";
import { perRecord, tryAdapter } from "./trial.ts";

tryAdapter({
  provider: alidns,
  shape: "record",
  start: startAlidns,
  economy: perRecord,
});

const apex = parseName("example.com");
const owner = parseName("_acme-challenge.example.com");
const { signal } = new AbortController();

async function withFake(
  options: AlidnsOptions & { readonly zone?: string; readonly config?: Readonly<Record<string, unknown>> },
  work: (use: Use) => Promise<void>,
): Promise<void> {
  const fake = await startAlidns([parseName(options.zone ?? apex)], options);
  const events: Dns01Event[] = [];
  try {
    const resolved = await resolveConfig(alidns, { config: { ...fake.config, ...options.config } });
    const clock = createFastClock(100);
    const observer = (event: Dns01Event) => void events.push(event);
    const solver = await connectSolver(alidns, resolved, {
      signal,
      clock,
      observer,
      timeoutMs: 600_000,
      requestTimeoutMs: 300_000,
    });
    const items = (name: string, values: readonly string[]) => [{ owner: parseName(name), values }];
    await work({
      fake,
      events,
      present: async (name, ...values) => void (await solver.present(items(name, values), signal)),
      cleanUp: async (name, ...values) => void (await solver.cleanUp(items(name, values), signal)),
    });
    expect(fake.http.defects).toEqual([]);
  } finally {
    await fake.http.close();
  }
}

interface Use {
  readonly fake: AlidnsFake;
  readonly events: readonly Dns01Event[];
  present(name: string, ...values: readonly string[]): Promise<void>;
  cleanUp(name: string, ...values: readonly string[]): Promise<void>;
}

test("signs as the published example does", () => {
  const query = queryOf({
    RegionId: "cn-shanghai",
    ImageId: "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd",
  });
  const headers = acs3Headers({
    host: "ecs.cn-shanghai.aliyuncs.com",
    action: "RunInstances",
    version: "2014-05-26",
    query,
    accessKeyId: "YourAccessKeyId",
    accessKeySecret: "YourAccessKeySecret",
    securityToken: undefined,
    now: new Date("2023-10-26T10:22:32Z"),
    nonce: "3156853299f313e23d1673dc12e1703d",
  });
  expect(headers["authorization"]).toBe(
    "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0",
  );
});

test("signs values and names with characters that encoders disagree about", () =>
  withFake({}, async ({ fake, present, cleanUp }) => {
    const values = ["a b+c~d*e'f(g)!h/i?j=k&l%m", "ü€", "*"];
    await present("_acme-challenge.*.example.com", ...values);
    expect(fake.values(apex, parseName("_acme-challenge.*.example.com"))).toEqual(values);
    await cleanUp("_acme-challenge.*.example.com", ...values);
    expect(fake.values(apex, parseName("_acme-challenge.*.example.com"))).toEqual([]);
  }));

test("signs in with temporary keys", () => {
  const key = { accessKeyId: "STS.fakeId", accessKeySecret: "fakeSecret", securityToken: "CAISfake+/token==" };
  return withFake({ key }, async ({ fake, present }) => {
    await present(owner, "value");
    expect(fake.values(apex, owner)).toEqual(["value"]);
  });
});

test("finds a zone that the API knows by its U-label only", () =>
  withFake({ zone: "bücher.example", onlyUnicode: true }, async ({ fake, present, cleanUp }) => {
    const name = parseName("_acme-challenge.straße.bücher.example");
    await present(name, "value");
    expect(fake.values(parseName("bücher.example"), name)).toEqual(["value"]);
    await cleanUp(name, "value");
    expect(fake.values(parseName("bücher.example"), name)).toEqual([]);
  }));

test("looks through every page of a name's values", () =>
  withFake({}, async ({ fake, present, cleanUp }) => {
    const foreign = Array.from({ length: 250 }, (_, i) => `foreign-${i}`);
    fake.put(apex, owner, [...foreign, "ours"], 600);
    fake.http.clearCalls();
    await present(owner, "ours");
    expect(fake.http.calls.filter(({ operation }) => operation === "DescribeSubDomainRecords")).toHaveLength(3);
    await cleanUp(owner, "ours");
    expect(fake.values(apex, owner)).toEqual(foreign);
  }));

test("raises a TTL that the domain's edition refuses, and says so", () =>
  withFake({ config: { ttl: 60 } }, async ({ fake, events, present }) => {
    await present(owner, "value");
    expect(fake.ttlSeconds?.(apex, owner)).toBe(600);
    expect(events).toContainEqual(expect.objectContaining({ type: "warning", code: "W_TTL_RAISED" }));
  }));

test("a value whose record is switched off is made anew, and a foreign one stays so", () =>
  withFake({}, async ({ fake, present }) => {
    for (const Value of ["value", "foreign"]) fake.add(apex, owner, { Value, off: true });
    await present(owner, "value");
    expect(fake.recordsAt(apex, owner).map(({ Value, off = false }) => [Value, off])).toEqual([
      ["foreign", true],
      ["value", false],
    ]);
  }));

test("keeps to its line: a value on another one is not served to all", () =>
  withFake({}, async ({ fake, present, cleanUp }) => {
    fake.add(apex, owner, { Value: "value", Line: "telecom" });
    await present(owner, "value");
    expect(fake.recordsAt(apex, owner).map(({ Line }) => Line)).toEqual(["telecom", "default"]);
    await cleanUp(owner, "value");
    expect(fake.recordsAt(apex, owner).map(({ Line }) => Line)).toEqual(["telecom"]);
  }));

test.each([
  ["AddDomainRecord", 400, "DomainRecordConflict", "REJECTED"],
  ["AddDomainRecord", 400, "QuotaExceeded.Record", "REJECTED"],
  ["AddDomainRecord", 400, "Forbidden.DomainExpired", "REJECTED"],
  ["AddDomainRecord", 400, "NobodyKnowsThis", "REJECTED"],
  ["AddDomainRecord", 403, "Forbidden.RAM", "AUTH"],
  ["AddDomainRecord", 400, "LastOperationNotFinished", "TRANSIENT"],
  ["AddDomainRecord", 503, "Throttling", "RATE_LIMITED"],
  ["DescribeDomainInfo", 404, "InvalidAccessKeyId.NotFound", "AUTH"],
  ["DescribeDomainInfo", 400, "InvalidTimeStamp.Expired", "AUTH"],
  ["DescribeDomainInfo", 400, "IncorrectDomainUser", "ZONE_NOT_FOUND"],
  ["DescribeDomainInfo", 400, "InvalidDomainName.Suffix", "ZONE_NOT_FOUND"],
  ["DescribeDomainInfo", 503, "ServiceUnavailable", "TRANSIENT"],
])("takes %s answering %i %s for %s", (action, status, code, expected) =>
  withFake({}, async ({ fake, present }) => {
    fake.refuse(action, status, code, `refused at ${new Date().toISOString()}`);
    const error = await present(owner, "value").then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: expected });
    if (status < 500 && expected !== "ZONE_NOT_FOUND") expect(String(error)).toContain(`(${code})`);
    expect(String(error)).not.toMatch(/\d{4}-\d\d-\d\dT/);
  }),
);

test.each([[""], ["{}"], ["[]"], ["null"], ['{"RequestId":"x"}']])(
  "believes no write that is answered with %j: the list decides",
  (body) =>
    withFake({}, async ({ fake, present, cleanUp }) => {
      const strangeOnce = () =>
        fake.http.inject({ kind: "reply", when: ({ write }) => write, reply: () => ({ body }) });
      strangeOnce();
      await present(owner, "value");
      expect(fake.values(apex, owner)).toEqual(["value"]);
      strangeOnce();
      await cleanUp(owner, "value");
      expect(fake.values(apex, owner)).toEqual([]);
    }),
);

test("takes lego's environment names and the keys of the usual Issuers", () => {
  const fields = new Map(fieldsOf(alidns).map((field) => [field.name, field]));
  expect([...fields].slice(0, 4).map(([name, { env }]) => [name, env[0]])).toEqual([
    ["accessKey", "ALICLOUD_ACCESS_KEY"],
    ["secretKey", "ALICLOUD_SECRET_KEY"],
    ["securityToken", "ALICLOUD_SECURITY_TOKEN"],
    ["line", "ALICLOUD_LINE"],
  ]);
  expect(fields.get("accessKey")?.references).toEqual(
    expect.arrayContaining(["accessKeySecretRef", "accessTokenSecretRef"]),
  );
  expect(fields.get("secretKey")?.references).toContain("secretKeySecretRef");
});
