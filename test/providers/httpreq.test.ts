import { expect, test } from "vitest";
import httpreq from "../../providers/httpreq.ts";
import { fieldsOf, resolveConfig } from "../../src/core/fields.ts";
import { type DomainName, parseName } from "../../src/core/name.ts";
import { connectProvider } from "../../src/providers.ts";
import { createFastClock } from "../fakes/fast-clock.ts";
import type { FakeReply } from "../fakes/http-service.ts";
import { type HttpreqFake, startHttpreq } from "../fakes/httpreq.ts";
import { tryAdapter } from "./trial.ts";

const untold = "the protocol does not tell whether the value was there";
const zoneless = "the protocol knows no zones; the server finds its own";

tryAdapter({
  provider: httpreq,
  shape: "direct",
  start: startHttpreq,
  economy: {
    first: "0+1",
    warm: "0+1",
    again: "0+1",
    cleanUp: "0+1",
    gone: "0+1",
    pair: "0+2",
    pairOut: "0+2",
    names: "0+20",
    namesOut: "0+20",
  },
  exclusive: [],
  skip: {
    "adding.again": untold,
    "adding.owners": untold,
    "removing.gone": untold,
    "removing.nothing": untold,
    "restarts.adding": untold,
    "zones.absent": zoneless,
    "zones.boundary": zoneless,
    "zones.exact": zoneless,
    "zones.longer": zoneless,
    "zones.choice-none": "the server refuses a name that it has no zone for, which is no ZONE_NOT_FOUND",
    "zones.choice-limited": zoneless,
    "errors.one-zone": zoneless,
    "paging.values": untold,
    "paging.names": untold,
    "errors.temporary": "nobody is asked for a zone",
    "siblings.types": "the protocol knows TXT values only",
    "siblings.ttl": "the protocol knows no TTL",
    "adding.ttl": "the protocol knows no TTL",
    "messages.request-id": "the protocol has no request ids",
  },
});

const apex = parseName("example.com");
const fqdn = parseName("_acme-challenge.example.com");
const call = { signal: new AbortController().signal, ttlSeconds: 60 };

async function withFake(
  work: (
    fake: HttpreqFake,
    change: (add: string[], remove: string[], name?: DomainName) => Promise<void>,
  ) => Promise<void>,
  given: Readonly<Record<string, unknown>> = {},
  query = "",
): Promise<void> {
  const fake = await startHttpreq([apex]);
  try {
    const { config } = await resolveConfig(httpreq, {
      config: { ...fake.config, endpoint: `${fake.config["endpoint"]}${query}`, ...given },
    });
    const clock = createFastClock(100);
    const retry = { attempts: 2, baseMs: 10, maxMs: 10 };
    const patient = { timeoutMs: 600_000, requestTimeoutMs: 300_000 };
    const backend = await connectProvider(httpreq, config, { signal: call.signal, clock, retry, ...patient });
    await work(fake, async (add, remove, name = fqdn) => {
      const zone = await backend.findZone(apex, call);
      if (zone === undefined) throw new Error("no zone");
      await backend.apply(zone, [{ owner: { zone, fqdn: name, relative: "@" }, add, remove }], call);
    });
    expect(fake.http.defects).toEqual([]);
  } finally {
    await fake.http.close();
  }
}

test("says what lego says, one request per value", () =>
  withFake(async ({ http }, change) => {
    await change(["one", "two"], []);
    await change([], ["two"]);
    expect(http.calls.map(({ request: { method, path, body } }) => [method, path, JSON.parse(body)])).toEqual([
      ["POST", "/api/present", { fqdn: "_acme-challenge.example.com.", value: "one" }],
      ["POST", "/api/present", { fqdn: "_acme-challenge.example.com.", value: "two" }],
      ["POST", "/api/cleanup", { fqdn: "_acme-challenge.example.com.", value: "two" }],
    ]);
  }));

test("a query of the endpoint stays behind the path", async () => {
  await withFake(
    async ({ http }, change) => {
      await change(["one"], []);
      await change([], ["one"]);
      expect(http.calls.map(({ request: { path, rawQuery } }) => [path, rawQuery])).toEqual([
        ["/api/present", "token=a%2Fb&tenant=7&tenant=8"],
        ["/api/cleanup", "token=a%2Fb&tenant=7&tenant=8"],
      ]);
    },
    {},
    "?token=a%2Fb&tenant=7&tenant=8",
  );
});

test.each<readonly [string, FakeReply]>([
  ["200 without a body", {}],
  ["201 with text", { status: 201, body: "created" }],
  ["202 with HTML's type but no page", { status: 202, headers: { "content-type": "text/html" }, body: "OK" }],
  ["204", { status: 204 }],
  ["200 with JSON that says otherwise", { body: { success: false } }],
])("takes any 2xx for success: %s", (_what, reply) =>
  withFake(async (fake, change) => {
    fake.answerWith(reply);
    await change(["one"], []);
    expect(fake.values(apex, fqdn)).toEqual(["one"]);
    expect(fake.http.calls).toHaveLength(1);
  }),
);

test("does not take a gateway's page for success", () =>
  withFake(async (fake, change) => {
    fake.answerWith({ headers: { "content-type": "text/html" }, body: "\n<!doctype html><title>Sign in</title>" });
    await expect(change(["one"], [])).rejects.toMatchObject({ code: "TRANSIENT" });
  }));

test("says what the server said, and that a refused name is final", () =>
  withFake(async ({ http }, change) => {
    const elsewhere = parseName("_acme-challenge.example.org");
    await expect(change(["one"], [], elsewhere)).rejects.toMatchObject({
      code: "REJECTED",
      message: expect.stringMatching(
        /^httpreq: cannot create TXT at _acme-challenge\.example\.org: .*422.*no zone of mine/,
      ),
    });
    expect(http.calls).toHaveLength(1);
  }));

test("sends no login when there is none", () =>
  withFake(
    async ({ http }, change) => {
      await expect(change(["one"], [])).rejects.toMatchObject({
        code: "AUTH",
        hint: expect.stringContaining("HTTPREQ_PASSWORD"),
      });
      expect(http.calls[0]?.request.headers.authorization).toBeUndefined();
    },
    { username: undefined, password: undefined },
  ));

test.each([
  [{ mode: "RAW" }, /mode: cannot be RAW: that needs the key authorization/],
  [{ mode: "raw" }, /mode: cannot be RAW: that needs the key authorization/],
  [{ mode: "fast" }, /mode: is not known/],
  [{ username: "x" }, /HTTPREQ_PASSWORD.*username and password go together/s],
  [{ password: "x" }, /HTTPREQ_USERNAME.*username and password go together/s],
  [{ endpoint: "https://user:pw@host/" }, /endpoint: has a login in it/],
  [{ endpoint: "https://host/base#part" }, /endpoint: has a fragment/],
  [{ endpoint: "ftp://host/" }, /endpoint: is no http/],
  [{ endpoint: undefined }, /HTTPREQ_ENDPOINT: is missing/],
])("refuses %j before any call", async (given, said) => {
  const config = { endpoint: "http://127.0.0.1:1", ...given };
  await expect(resolveConfig(httpreq, { config, env: {} })).rejects.toThrow(said);
});

test("takes lego's environment names", () => {
  expect(fieldsOf(httpreq).map(({ env }) => env[0])).toEqual([
    "HTTPREQ_ENDPOINT",
    "HTTPREQ_USERNAME",
    "HTTPREQ_PASSWORD",
    "HTTPREQ_MODE",
    "HTTPREQ_TTL",
  ]);
});
