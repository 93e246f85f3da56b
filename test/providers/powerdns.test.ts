import { expect, test } from "vitest";
import powerdns from "../../providers/powerdns.ts";
import { fieldsOf, resolveConfig } from "../../src/core/fields.ts";
import { type DomainName, parseName } from "../../src/core/name.ts";
import type { Edit, TxtBackend } from "../../src/core/provider.ts";
import { connectProvider } from "../../src/providers.ts";
import { testProvider } from "../../src/testing/index.ts";
import { createFastClock } from "../fakes/fast-clock.ts";
import { type PowerdnsFake, type PowerdnsOptions, startPowerdns } from "../fakes/powerdns.ts";
import { perBatchOfSets, subjectOf, tryAdapter } from "./trial.ts";

const oneKey = "a key of this API sees every zone of the server";
const skip = {
  "zones.choice-limited": oneKey,
  "errors.one-zone": oneKey,
  "messages.request-id": "the server gives its requests no ids",
};
tryAdapter({ provider: powerdns, shape: "rrset", start: startPowerdns, economy: perBatchOfSets, skip });

const before = subjectOf({
  provider: { ...powerdns, id: "powerdns before 4.9.12" },
  shape: "rrset",
  start: (zones) => startPowerdns(zones, { knowsSingleChanges: false, filters: false }),
  unconditional: "REPLACE overwrites",
  economy: perBatchOfSets,
});
testProvider(test, before, { operations: 30 });

const apex = parseName("example.com");
const fqdn = parseName("_acme-challenge.example.com");
const call = { signal: new AbortController().signal, ttlSeconds: 60 };

async function connect(given: Readonly<Record<string, unknown>>): Promise<TxtBackend> {
  const { config } = await resolveConfig(powerdns, { config: given });
  return connectProvider(powerdns, config, {
    signal: call.signal,
    clock: createFastClock(100),
    timeoutMs: 600_000,
    requestTimeoutMs: 300_000,
  });
}

async function withFake(
  options: PowerdnsOptions,
  work: (fake: PowerdnsFake, backend: TxtBackend) => Promise<void>,
  config: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const fake = await startPowerdns([apex], options);
  try {
    await work(fake, await connect({ ...fake.config, ...config }));
    expect(fake.http.defects).toEqual([]);
  } finally {
    await fake.http.close();
  }
}

async function apply(backend: TxtBackend, change: Partial<Pick<Edit, "add" | "remove">>, name: DomainName = fqdn) {
  const zone = await backend.findZone(apex, call);
  if (zone === undefined) throw new Error("the zone was not found");
  const owner = { zone, fqdn: name, relative: name.replace(`.${apex}`, "") };
  return backend.apply(zone, [{ owner, add: change.add ?? [], remove: change.remove ?? [] }], call);
}

test("adds and takes away single values where the server can, whole sets where it cannot", async () => {
  const answers: unknown[] = [];
  const types = async (options: PowerdnsOptions) => {
    let sent: readonly string[] = [];
    await withFake(options, async ({ http, put }, backend) => {
      put(apex, fqdn, ["foreign"], 600);
      answers.push(...(await apply(backend, { add: ["ours"] })), ...(await apply(backend, { remove: ["ours"] })));
      sent = http.calls.flatMap(({ request: { body } }) => body.match(/(?<="changetype":")\w+/g) ?? []);
    });
    return sent;
  };
  expect(await types({})).toEqual(["EXTEND", "PRUNE"]);
  expect(await types({ knowsSingleChanges: false })).toEqual(["EXTEND", "REPLACE", "PRUNE", "REPLACE"]);
  // Whole sets can be overwritten by somebody else.
  expect(answers).toEqual(["changed", "changed", "unsettled", "unsettled"]);
});

test("an earlier server is asked for the single value first each time, as its page says", () =>
  withFake({ knowsSingleChanges: false }, async ({ http }, backend) => {
    for (const value of ["one", "two"]) {
      http.clearCalls();
      await apply(backend, { add: [value] });
      const operations = http.calls.map(({ operation }) => operation.replace(/ .*/, ""));
      expect(operations).toEqual(["GET", "GET", "PATCH", "PATCH"]);
    }
  }));

test("has secondaries told of a primary's change, and does not mind when nobody is to be told", async () => {
  await withFake({ kind: "Master" }, async ({ notified, http, values }, backend) => {
    await apply(backend, { add: ["one"] });
    expect(notified).toEqual(["example.com."]);
    http.inject({ kind: "error500", when: ({ operation }) => operation.endsWith("/notify") });
    await apply(backend, { add: ["two"] });
    expect(values(apex, fqdn)).toEqual(["one", "two"]);
    await apply(backend, { add: ["two"] });
    expect(notified).toEqual(["example.com."]);
  });
});

test.each(["Slave", "Secondary"])("does not write to a zone of kind %s, which the next transfer would undo", (kind) =>
  withFake({ kind }, async (_fake, backend) => {
    await expect(apply(backend, { add: ["one"] })).rejects.toThrow(/only transfers example\.com from elsewhere/);
  }),
);

test("keeps records that are switched off as they are where the server shows them", () =>
  withFake({ knowsSingleChanges: false, filters: false }, async ({ putSet, setsAt }, backend) => {
    const off = { content: '"off"', disabled: true };
    const strings = { content: '"two" "strings"', disabled: false };
    putSet(apex, { name: `${fqdn}.`, type: "TXT", ttl: 300, records: [off, strings] });
    await apply(backend, { add: ["ours"] });
    const ours = { content: '"ours"', disabled: false };
    expect(setsAt(apex, fqdn)).toEqual([{ name: `${fqdn}.`, type: "TXT", ttl: 300, records: [off, strings, ours] }]);
    await apply(backend, { remove: ["ours", "twostrings"] });
    expect(setsAt(apex, fqdn)[0]?.records).toEqual([off]);
  }));

test.each(["/", "/api/v1", "/api/v1/"])("takes the address of the API with %s at its end", async (end) => {
  await withFake({}, async (fake) => {
    const config = { apiUrl: `${fake.http.url}${end}`, apiKey: fake.config["apiKey"] };
    const backend = await connect(config);
    expect(await backend.findZone(apex, call)).toMatchObject({ apex });
  });
});

test.each(["{}", "[]", "null", "<!DOCTYPE html><title>Login</title>"])(
  "believes no change that is answered with %s: the list decides",
  (body) =>
    withFake({}, async ({ http, values }, backend) => {
      http.inject({ kind: "reply", when: ({ write }) => write, reply: () => ({ body }) });
      await apply(backend, { add: ["one"] });
      expect(values(apex, fqdn)).toEqual(["one"]);
    }),
);

test("names what to look at when there is no such server", () =>
  withFake(
    {},
    async (_fake, backend) => {
      const hint = expect.stringContaining("PDNS_API_URL");
      await expect(backend.findZone(apex, call)).rejects.toMatchObject({ code: "REJECTED", hint });
    },
    { serverName: "other" },
  ));

test("the key is sent in the header that a proxy expects, and only there", () =>
  withFake(
    { header: "x-pdns-key" },
    async ({ http, values }, backend) => {
      await apply(backend, { add: ["one"] });
      expect(values(apex, fqdn)).toEqual(["one"]);
      expect(http.calls.filter(({ request: { headers } }) => headers["x-api-key"] !== undefined)).toEqual([]);
    },
    { apiKeyHeaderName: "X-PDNS-Key" },
  ));

test("a request that takes longer than the timeout is asked again", () =>
  withFake(
    {},
    async ({ http, values }, backend) => {
      http.inject({ kind: "hang" });
      await apply(backend, { add: ["one"] });
      expect(values(apex, fqdn)).toEqual(["one"]);
    },
    { timeout: 0.2 },
  ));

test.each([
  [{ apiKeyHeaderName: "Host" }, "is a header of HTTP itself"],
  [{ apiKeyHeaderName: "X-Key: x" }, "is not the name of a header"],
  [{ timeout: 0 }, "has to be more than 0"],
])("bad configuration is a fault: %j", async (given, fault) => {
  const config = { endpoint: "http://127.0.0.1:1", apiKey: "key", ...given };
  await expect(resolveConfig(powerdns, { config })).rejects.toThrow(fault);
});

test.each([true, false])("puts nothing beside a CNAME, which is told (single changes: %s)", (knowsSingleChanges) =>
  withFake({ knowsSingleChanges }, async ({ putSet, put, setsAt, values }, backend) => {
    const records = [{ content: "elsewhere.test.", disabled: false }];
    putSet(apex, { name: `${fqdn}.`, type: "CNAME", ttl: 60, records });
    const hint = expect.stringContaining("CNAME");
    await expect(apply(backend, { add: ["one"] })).rejects.toMatchObject({ code: "REJECTED", hint });
    expect(setsAt(apex, fqdn)).toHaveLength(1);
    expect(await apply(backend, { remove: ["one"] })).toEqual(["unchanged"]);
    // What others managed to put there can be taken away again.
    put(apex, fqdn, ["one"], 60);
    await apply(backend, { remove: ["one"] });
    expect(values(apex, fqdn)).toEqual([]);
    expect(setsAt(apex, fqdn)).toHaveLength(1);
  }),
);

test("takes lego's environment names, the TTL's too", () => {
  const names = fieldsOf(powerdns).map(({ name, env }) => [name, env[0]]);
  expect(names).toEqual([
    ["endpoint", "PDNS_API_URL"],
    ["apiKey", "PDNS_API_KEY"],
    ["serverName", "PDNS_SERVER_NAME"],
    ["apiKeyHeaderName", "POWERDNS_API_KEY_HEADER_NAME"],
    ["timeout", "POWERDNS_TIMEOUT"],
    ["ttl", "PDNS_TTL"],
  ]);
});
