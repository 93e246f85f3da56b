import { afterEach, describe, expect, test } from "vitest";
import { behaviours, readBehaviour, type Sandbox, type SandboxOptions, startSandbox } from "../../src/sandbox/index.ts";
import { authorizationsOf, certify, chainOf, newOrder, orderOf, settled, solve } from "./acme-steps.ts";
import { csrFor, type RawAcme, rawAcme } from "./raw-acme.ts";

const names = ["example.test"];
let box: Sandbox;
let client: RawAcme;
let passed = 0;

afterEach(async () => {
  client.close();
  await box.close();
});

/** A sandbox that behaves as `--behaviour` says, with a clock that can be moved on. */
async function start(texts: readonly string[], more: SandboxOptions = {}): Promise<void> {
  passed = 0;
  const changes = texts.map(readBehaviour).map((one) => {
    if ("fault" in one) throw new Error(one.fault);
    return one.change;
  });
  const now = () => new Date(Date.now() + passed);
  box = await startSandbox(Object.assign({ seed: 3, now }, ...changes, more) as SandboxOptions);
  client = await rawAcme(box);
  await client.register();
}

async function admin(action: string, body: unknown): Promise<{ readonly status: number; readonly json: unknown }> {
  const reply = await client.fetch("POST", `${box.env["DNS01_SANDBOX"]}/${action}`, { body: JSON.stringify(body) });
  return { status: reply.status, json: reply.json };
}

async function windowOf(): Promise<{ readonly start: number; readonly end: number; readonly retry: string }> {
  const { renewalInfo = "" } = await client.directory();
  const [id = ""] = [...box.ca.state.certificates.values()].map((one) => one.renewalId);
  const reply = await client.fetch("GET", `${renewalInfo}/${id}`);
  const window = reply.json["suggestedWindow"] as { readonly start: string; readonly end: string };
  return { start: Date.parse(window.start), end: Date.parse(window.end), retry: String(reply.headers["retry-after"]) };
}

async function lifetimeOf(url: string): Promise<{ readonly from: number; readonly to: number }> {
  const [leaf] = chainOf((await client.post(url)).text);
  return { from: Date.parse(leaf?.validFrom ?? ""), to: Date.parse(leaf?.validTo ?? "") };
}

const days = (ms: number) => ms / 86_400_000;

describe("renewal windows", () => {
  test("lie in the past, move, or lie at a share of the lifetime, also when that is changed while it runs", async () => {
    await start(["ari=past", "ari-retry=60s"]);
    const { from, to } = await lifetimeOf(await certify(box, client, names));
    const past = await windowOf();
    expect([past.end < Date.now(), past.retry]).toEqual([true, "60"]);
    await admin("behaviour", { ari: "moving" });
    const moving = [await windowOf(), await windowOf(), await windowOf()];
    expect(new Set(moving.map((w) => w.start)).size).toBe(3);
    await admin("behaviour", { ari: "0.1-0.2" });
    const shares = await windowOf();
    expect([(shares.start - from) / (to - from), (shares.end - from) / (to - from)].map((n) => n.toFixed(2))).toEqual([
      "0.10",
      "0.20",
    ]);
    await admin("behaviour", { ari: "none" });
    expect(await client.directory()).not.toHaveProperty("renewalInfo");
  });

  test("are set for one certificate, by name, with an explanation", async () => {
    await start([]);
    await certify(box, client, names);
    await certify(box, client, ["other.example.test"]);
    const window = { start: "2020-01-01T00:00:00.000Z", end: "2020-01-02T00:00:00.000Z" };
    const set = await admin("renewal-window", { name: "example.test", ...window, explanationURL: "https://why.test" });
    expect(set).toMatchObject({ status: 200, json: { certificates: [expect.any(String)] } });
    expect(await windowOf()).toMatchObject({ start: Date.parse(window.start), end: Date.parse(window.end) });
    await admin("renewal-window", {});
    expect((await windowOf()).start).toBeGreaterThan(Date.now());
    expect(await admin("renewal-window", { name: "elsewhere.test" })).toMatchObject({ status: 404 });
  });
});

test("certificates live as long as is asked for, and are never born expired", async () => {
  await start(["lifetime=10m", "profiles=tiny:1h,long:30d"]);
  const short = await lifetimeOf(await certify(box, client, names));
  expect(short.to - Date.now()).toBeGreaterThan(8 * 60_000);
  expect(short.to - short.from).toBeLessThanOrEqual(600_000);
  const long = await lifetimeOf(await certify(box, client, names, { profile: "long" }));
  expect(Math.round(days(long.to - long.from))).toBe(30);
});

test("a profile that is dropped while it runs is refused and not listed", async () => {
  await start([]);
  expect((await newOrder(client, names, { profile: "tlsserver" })).status).toBe(201);
  await admin("behaviour", { profiles: "classic:90d" });
  expect((await newOrder(client, names, { profile: "tlsserver" })).problem).toBe("invalidProfile");
  await admin("behaviour", { profiles: "none" });
  expect((await newOrder(client, names, { profile: "classic" })).problem).toBe("invalidProfile");
});

test("orders are processing for as long as one likes, with Retry-After in both forms", async () => {
  await start(["processing=24h", "retry-after=30s"]);
  const order = orderOf(await newOrder(client, names));
  await solve(box, client, order);
  await settled(client, order.url);
  const waits = [await client.post(order.finalize, { csr: await csrFor(names) })];
  for (let i = 0; i < 12; i++) waits.push(await client.post(order.url));
  expect(new Set(waits.map(({ json }) => json["status"]))).toEqual(new Set(["processing"]));
  const forms = new Set(
    waits.map(({ headers }) => (/^\d+$/.test(String(headers["retry-after"])) ? "seconds" : "date")),
  );
  expect(forms).toEqual(new Set(["seconds", "date"]));
});

test("an equal valid order is given again, with its certificate", async () => {
  await start(["orders=valid"]);
  const certificate = await certify(box, client, names);
  expect(orderOf(await newOrder(client, names))).toMatchObject({ status: "valid", certificate });
  expect(orderOf(await newOrder(client, ["a.example.test"])).status).toBe("pending");
});

test("orders and failures are limited by account and time, and the CA says until when", async () => {
  await start(["order-limit=2/1h", "failure-limit=1/1h"]);
  const first = orderOf(await newOrder(client, names));
  await solve(box, client, first, () => "x".repeat(43));
  expect((await settled(client, first.url)).status).toBe("invalid");
  const refused = await newOrder(client, names);
  expect([refused.status, refused.problem]).toEqual([429, "rateLimited"]);
  expect(refused.json["detail"]).toMatch(
    /too many failed authorizations \(1\) for "example\.test" recently, retry after 20/,
  );
  await newOrder(client, ["b.example.test"]);
  const limited = await newOrder(client, ["c.example.test"]);
  expect(limited.problem).toBe("rateLimited");
  const wait = String(limited.headers["retry-after"]);
  const seconds = /^\d+$/.test(wait) ? Number(wait) : (Date.parse(wait) - Date.now() - passed) / 1000;
  expect(seconds).toBeGreaterThan(3_500);
  passed = 3_601_000;
  expect((await newOrder(client, ["c.example.test"])).status).toBe(201);
  expect((await newOrder(client, names)).status).toBe(201);
});

test.each([
  ["reset", undefined],
  ["serverError", 503],
] as const)("an outage (%s) strikes everything until it is over", async (kind, status) => {
  await start([]);
  expect(await admin("outage", { seconds: 60, kind })).toMatchObject({ status: 200 });
  const during = await client.fetch("GET", box.directoryUrl).catch(() => undefined);
  expect(during?.status).toBe(status);
  passed = 61_000;
  expect((await client.fetch("GET", box.directoryUrl)).status).toBe(200);
});

test("faults and terms change while it runs; the log can be read; what is wrong is named", async () => {
  await start([]);
  await admin("faults", { serverError: 1 });
  expect((await client.fetch("GET", box.directoryUrl)).status).toBe(503);
  await admin("faults", { serverError: 0 });
  await admin("terms", {});
  expect((await newOrder(client, names)).problem).toBe("userActionRequired");
  const log = await client.fetch("GET", `${box.env["DNS01_SANDBOX"]}/log`);
  expect(JSON.stringify(log.json)).toContain("serverError");
  for (const [action, body, text] of [
    ["behaviour", { arri: "past" }, "arri"],
    ["behaviour", { ari: "soon" }, "ari=past|"],
    ["behaviour", { blocked: "" }, "blocked=NAME,…|none"],
    ["behaviour", { blocked: "a.test,,b.test" }, "blocked=NAME,…|none"],
    ["behaviour", { blocked: ["a.test"] }, "blocked=NAME,…|none"],
    ["behaviour", { "same-token": true, ari: ".-1" }, "ari=past|"],
    ["behaviour", { ari: "0.6-0.5" }, "ari=past|"],
    ["behaviour", { ari: null }, "ari=past|"],
    ["behaviour", { lifetime: "0s" }, "lifetime=TIME"],
    ["behaviour", { profiles: "" }, "profiles=NAME:TIME,…|none"],
    ["behaviour", { profiles: "classic:0s" }, "profiles=NAME:TIME,…|none"],
    ["behaviour", { processing: "10000h" }, "processing=TIME"],
    ["behaviour", { "order-limit": "1/0s" }, "order-limit=N/TIME|none"],
    ["behaviour", { "authz-reuse": 2 }, "authz-reuse=RATE"],
    ["behaviour", { "caching-resolver": "yes" }, "caching-resolver"],
    ["faults", { serverError: 1, drop: 2 }, "0 to 1"],
    ["faults", { dorp: 1 }, "dorp"],
    ["outage", { seconds: "1" }, "seconds"],
    ["renewal-window", { start: "soon" }, "certificate"],
    ["nothing", {}, "renewal-window"],
  ] as const) {
    const { status, json } = await admin(action, body);
    expect(status, text).toBe(text === "certificate" || text === "renewal-window" ? 404 : 400);
    expect(JSON.stringify(json)).toContain(text);
  }
  // Nothing of a request that was refused has taken effect.
  const { sameToken, blocked } = box.ca.state.behaviour;
  expect([sameToken, blocked]).toEqual([undefined, undefined]);
  expect((await client.fetch("GET", box.directoryUrl)).status).toBe(200);
  expect((await admin("behaviour", { blocked: "a.test" })).status).toBe(200);
  expect((await admin("behaviour", { blocked: "none" })).status).toBe(200);
  expect(box.ca.state.behaviour.blocked).toEqual([]);
});

test("what was switched on is switched off again while it runs; no order at all is a limit, too", async () => {
  await start(["same-token", "caching-resolver", "unknown-challenges", "order-limit=0/1h"]);
  const limited = await newOrder(client, names);
  expect(limited).toMatchObject({ status: 429, problem: "rateLimited" });
  await admin("behaviour", {
    ...{ "same-token": false, "caching-resolver": false, "unknown-challenges": false },
    ...{ "order-limit": "none", "failure-limit": "none" },
  });
  const order = orderOf(await newOrder(client, ["example.test", "*.example.test"]));
  const offered = (await authorizationsOf(client, order)).flatMap(({ challenges }) => challenges);
  expect(new Set(offered.map(({ token }) => token)).size).toBe(2);
  expect(offered.every(({ type }) => type === "dns-01")).toBe(true);
  expect(box.ca.state.behaviour).toMatchObject({ cachingResolver: false, orderLimit: undefined });
});

test("every behaviour is read, and its form is told", async () => {
  await start([
    "caching-resolver",
    "same-token",
    "unknown-challenges",
    "authz-reuse=1",
    "blocked=a.test,b.test",
    "pending-for=1h",
    "validating=1ms",
  ]);
  const order = orderOf(await newOrder(client, [...names, "*.example.test"]));
  const offered = (await authorizationsOf(client, order)).flatMap(({ challenges }) =>
    challenges.map(({ token, type }) => [type, token]),
  );
  expect(new Set(offered.filter(([type]) => type === "dns-01").map(([, token]) => token)).size).toBe(1);
  expect((await newOrder(client, ["x.a.test"])).problem).toBe("rejectedIdentifier");
  for (const [name, { value }] of Object.entries(behaviours)) {
    const wrong = readBehaviour(value === undefined ? `${name}=x` : name);
    expect(wrong).toMatchObject({ fault: expect.stringContaining(value === undefined ? name : `${name}=${value}`) });
  }
});
