import { expect, test } from "vitest";
import huaweicloud from "../../providers/huaweicloud.ts";
import { queryOf } from "../../providers/signing/canonical.ts";
import { sdkHmacHeaders } from "../../providers/signing/sdk-hmac.ts";
import type { Dns01Event } from "../../src/core/events.ts";
import { fieldsOf, resolveConfig } from "../../src/core/fields.ts";
import { parseName } from "../../src/core/name.ts";
import { connectProvider, connectSolver } from "../../src/providers.ts";
import { createFastClock } from "../fakes/fast-clock.ts";
import { type HuaweicloudFake, type HuaweicloudOptions, startHuaweicloud } from "../fakes/huaweicloud.ts";
import { perSet, tryAdapter } from "./trial.ts";

const unconditional = "a write replaces the whole set, and nothing tells whether it changed since it was read";

tryAdapter({
  provider: huaweicloud,
  shape: "rrset",
  start: startHuaweicloud,
  unconditional,
  economy: perSet,
});

const apex = parseName("example.com");
const owner = parseName("_acme-challenge.example.com");
const { signal } = new AbortController();

interface Use {
  readonly fake: HuaweicloudFake;
  readonly events: readonly Dns01Event[];
  present(...values: readonly string[]): Promise<void>;
  cleanUp(...values: readonly string[]): Promise<void>;
}

async function withFake(options: HuaweicloudOptions, work: (use: Use) => Promise<void>, ttl?: number): Promise<void> {
  const fake = await startHuaweicloud([apex], options);
  const events: Dns01Event[] = [];
  try {
    const resolved = await resolveConfig(huaweicloud, { config: { ...fake.config, ttl } });
    const clock = createFastClock(100);
    const solver = await connectSolver(huaweicloud, resolved, {
      signal,
      clock,
      observer: (event) => void events.push(event),
      timeoutMs: 600_000,
      requestTimeoutMs: 300_000,
    });
    await work({
      fake,
      events,
      present: async (...values) => void (await solver.present([{ owner, values }], signal)),
      cleanUp: async (...values) => void (await solver.cleanUp([{ owner, values }], signal)),
    });
    expect(fake.http.defects).toEqual([]);
  } finally {
    await fake.http.close();
  }
}

test("signs as the published example does", () => {
  const headers = sdkHmacHeaders({
    method: "GET",
    host: "service.region.example.com",
    path: "/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs",
    query: queryOf({ limit: 2, marker: "13551d6b-755d-4757-b956-536f674975c0" }),
    headers: { "content-type": "application/json" },
    body: "",
    accessKeyId: "QTWAOYTTINDUT2QVKYUC",
    secretAccessKey: "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc",
    now: new Date("2019-11-15T03:36:55Z"),
  });
  expect(headers["authorization"]).toBe(
    "SDK-HMAC-SHA256 Access=QTWAOYTTINDUT2QVKYUC, SignedHeaders=content-type;host;x-sdk-date, Signature=7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe",
  );
});

test("signs in with temporary keys", () => {
  const key = { accessKeyId: "TEMPFAKE", secretAccessKey: "tempSecret", securityToken: "gAAAAfake+/token==" };
  return withFake({ key }, async ({ fake, present }) => {
    await present("value");
    expect(fake.values(apex, owner)).toEqual(["value"]);
  });
});

test("changes a set again as soon as the service has carried out the last change", () =>
  withFake({ meets: 1 }, async ({ fake, present, cleanUp }) => {
    await present("one");
    await present("two");
    expect(fake.values(apex, owner)).toEqual(["one", "two"]);
    await cleanUp("one", "two");
    // The set that is being deleted is in the way of its successor for a moment.
    await present("three");
    expect(fake.values(apex, owner)).toEqual(["three"]);
    const refused = fake.http.calls.filter(({ status }) => status === 400);
    expect(refused).toHaveLength(3);
  }));

test("keeps foreign values of several strings and with quotes, and the set's TTL", () =>
  withFake({}, async ({ fake, present, cleanUp }) => {
    const foreign = ['"two" "strings"', '"ab"', '"a" "b"', '"bin\\255\\000z"', '"say \\"hi\\" \\\\"'];
    fake.putSet(apex, { name: `${owner}.`, type: "TXT", ttl: 4321, records: foreign });
    await present("ours");
    await cleanUp("ours");
    expect(fake.setsAt(apex, owner)).toMatchObject([{ ttl: 4321, records: foreign }]);
  }));

test("adds nothing to a record set that is switched off, and takes its own values out of one", () =>
  withFake({}, async ({ fake, present, cleanUp }) => {
    const set = { name: `${owner}.`, type: "TXT", ttl: 300, records: ['"theirs"', '"old"'], disabled: true };
    fake.putSet(apex, set);
    const hint = expect.stringContaining("Switch the record set on");
    await expect(present("value")).rejects.toMatchObject({ code: "REJECTED", hint });
    await cleanUp("old");
    expect(fake.setsAt(apex, owner)).toMatchObject([{ records: ['"theirs"'] }]);
  }));

test("raises a TTL that the service refuses as too low, and says so", () =>
  withFake(
    { minTtl: 300 },
    async ({ fake, events, present }) => {
      await present("value");
      expect(fake.setsAt(apex, owner)).toMatchObject([{ ttl: 300, records: ['"value"'] }]);
      expect(events).toContainEqual(expect.objectContaining({ type: "warning", code: "W_TTL_RAISED" }));
    },
    60,
  ));

test("names the record set of another type that is in the way", () =>
  withFake({}, async ({ fake, present }) => {
    fake.putSet(apex, { name: `${owner}.`, type: "CNAME", ttl: 300, records: ["elsewhere.test."] });
    const hint = expect.stringContaining("CNAME");
    await expect(present("value")).rejects.toMatchObject({ code: "REJECTED", hint, serviceCode: "DNS.0312" });
  }));

test.each([
  ["POST", 403, { code: "DNS.1802", message: "no" }, "AUTH"],
  ["POST", 403, { error: { code: 403, message: "Policy doesn't allow dns:recordset:create" } }, "AUTH"],
  ["POST", 403, { code: "DNS.0014", message: "Request forbidden by flow control." }, "RATE_LIMITED"],
  ["POST", 400, { code: "DNS.0403", message: "quota" }, "REJECTED"],
  ["POST", 400, { code: "DNS.9999", message: "who knows" }, "REJECTED"],
  ["POST", 500, { code: "DNS.0003", message: "The system is busy. Try again later." }, "TRANSIENT"],
  ["GET", 404, { error_code: "APIGW.0101", error_msg: "API does not exist", request_id: "x" }, "REJECTED"],
  ["GET", 403, { error_code: "APIGW.0306", error_msg: "API access denied" }, "AUTH"],
])("takes %s answering %i %j for %s", (method, status, body, expected) =>
  withFake({}, async ({ fake, present }) => {
    fake.refuse(method, status, body);
    await expect(present("value")).rejects.toMatchObject({ code: expected });
  }),
);

test("asks the endpoint of its region unless told another", async () => {
  const hosts: string[] = [];
  const send: typeof fetch = async (url) => {
    hosts.push(new URL(String(url)).host);
    return new Response(JSON.stringify({ zones: [] }));
  };
  for (const region of [undefined, "ap-southeast-3"]) {
    const given = { accessKeyId: "id", secretAccessKey: "secret", ...(region && { region }) };
    const { config } = await resolveConfig(huaweicloud, { config: given });
    const backend = await connectProvider(huaweicloud, config, { signal, fetch: send });
    expect(await backend.findZone(apex, { signal, ttlSeconds: 300 })).toBeUndefined();
  }
  expect(hosts).toEqual(["dns.cn-north-4.myhuaweicloud.com", "dns.ap-southeast-3.myhuaweicloud.com"]);
});

test("takes lego's environment names", () => {
  expect(fieldsOf(huaweicloud).map(({ name, env }) => [name, env[0]])).toEqual([
    ["accessKeyId", "HUAWEICLOUD_ACCESS_KEY_ID"],
    ["secretAccessKey", "HUAWEICLOUD_SECRET_ACCESS_KEY"],
    ["securityToken", "HUAWEICLOUD_SECURITY_TOKEN"],
    ["region", "HUAWEICLOUD_REGION"],
    ["endpoint", "HUAWEICLOUD_ENDPOINT"],
    ["ttl", "HUAWEICLOUD_TTL"],
  ]);
});
