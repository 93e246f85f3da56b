import { afterEach, beforeEach, describe, expect, test } from "vitest";
import cloudflare from "../../providers/cloudflare.ts";
import { ConfigError } from "../../src/core/errors.ts";
import { resolveConfig } from "../../src/core/fields.ts";
import { parseName } from "../../src/core/name.ts";
import { type CloudflareFake, email, globalKey, startCloudflareFake, token } from "../fakes/cloudflare.ts";
import { failure } from "../fakes/cloudflare-auth.ts";
import { callsOf, failureOf, type ProgramOptions, startProgram } from "./program.ts";

const apex = parseName("example.com");
const owner = parseName("_acme-challenge.www.example.com");
const dnsOnly = { permissions: new Set(["dns:edit"] as const) };
const other = "zone-look-up-token-0123456789-ABCDEFGHIJ-abc";

let fake: CloudflareFake;
const running: { stop(): void }[] = [];

async function program(options: ProgramOptions = {}, on = fake) {
  const started = await startProgram(cloudflare, on, options);
  running.push(started);
  return started;
}

beforeEach(async () => {
  fake = await startCloudflareFake([apex]);
});
afterEach(async () => {
  for (const started of running.splice(0)) started.stop();
  await fake.http.close();
});

describe("signing in", () => {
  test("sends an API token as Bearer, and the global key with its e-mail address", async () => {
    await (await program()).present(owner, "one");
    await (await program({ config: { apiToken: undefined, email, apiKey: globalKey } })).present(owner, "two");
    expect(fake.values(apex, owner)).toEqual(["one", "two"]);
    const last = fake.http.calls.at(-1)?.request.headers;
    expect(last).toMatchObject({ "x-auth-email": email, "x-auth-key": globalKey });
    expect(last?.authorization).toBeUndefined();
  });

  test("looks zones up with a token of their own", async () => {
    fake.credentials.tokens.set(token, dnsOnly);
    fake.credentials.tokens.set(other, { permissions: new Set(["zone:read"]) });
    await (await program({ config: { zoneToken: other } })).present(owner, "value");
    const used = fake.http.calls.map(({ request }) => [
      request.path.includes("dns_records"),
      request.headers.authorization,
    ]);
    expect(used.every(([records, bearer]) => bearer === `Bearer ${records ? token : other}`)).toBe(true);
    expect(fake.values(apex, owner)).toEqual(["value"]);
  });

  test.each([
    ["with the API's path", "/client/v4"],
    ["with a slash behind it", "/client/v4/"],
    ["without a path", ""],
    ["with nothing but a slash", "/"],
  ])("takes an endpoint %s", async (_how, path) => {
    await (await program({ config: { endpoint: `${fake.http.url}${path}` } })).present(owner, "value");
    expect(fake.http.calls.every(({ request }) => request.path.startsWith("/client/v4/zones"))).toBe(true);
  });
});

describe("the zone", () => {
  test("of DNS is asked for first, else the name and its parents", async () => {
    await (await program({ zoneCut: apex })).present(owner, "one");
    expect(callsOf(fake).filter((call) => call === "GET /zones")).toHaveLength(1);
    fake.http.clearCalls();
    await (await program()).present(owner, "two");
    const asked = fake.http.calls.filter(({ operation }) => operation === "GET /zones");
    expect(asked.map(({ request }) => request.query.get("name"))).toEqual([owner, "www.example.com", apex]);
  });

  test("that is pending or a CNAME setup is passed over for a parent that is served", async () => {
    await fake.http.close();
    fake = await startCloudflareFake([parseName("www.example.com"), apex]);
    for (const state of [{ status: "pending" }, { type: "partial", status: "active" }]) {
      Object.assign(fake.zone("www.example.com"), state);
      await (await program()).present(owner, JSON.stringify(state));
      expect(fake.values(apex, owner)).toContain(JSON.stringify(state));
    }
    expect(fake.zone("www.example.com").records).toEqual([]);
  });

  test("that is internal or secondary is passed over for its public twin or a parent", async () => {
    await fake.http.close();
    fake = await startCloudflareFake([apex, apex, parseName("www.example.com")]);
    const [twin] = fake.zones;
    Object.assign(twin ?? {}, { id: "0".repeat(32), type: "internal" });
    fake.zone("www.example.com").type = "secondary";
    await (await program()).present(owner, "value");
    const standing = fake.zones.map(({ type, records }) => [type, records.length]);
    expect(standing).toEqual([
      ["internal", 0],
      ["full", 1],
      ["secondary", 0],
    ]);
  });

  test.each([
    ["internal", /an internal zone/],
    ["secondary", /a secondary zone/],
    ["partial", /a CNAME setup/],
  ])("that is %s, and no other, is named with the reason; pinned too", async (type, reason) => {
    fake.zone(apex).type = type;
    for (const config of [{}, { zoneID: fake.zone(apex).id }]) {
      const error = await (await program({ config })).fail(owner, "value");
      expect(error).toMatchObject({ code: "ZONE_NOT_FOUND", hint: expect.any(String) });
      expect(error.message).toMatch(reason);
    }
    expect(fake.zone(apex).records).toEqual([]);
  });

  test("that nothing is listed beside leads to the missing right", async () => {
    fake.credentials.tokens.set(token, { permissions: new Set(["dns:edit"]) });
    const error = await (await program()).fail(owner, "value");
    expect(error).toMatchObject({ code: "ZONE_NOT_FOUND", message: expect.stringContaining("credentials see none") });
    expect(error.hint).toMatch(/Zone → Zone → Read.*zoneToken.*zoneID/);
  });

  test("that is pending, and no other, is named with what to do", async () => {
    fake.zone(apex).status = "pending";
    const error = await (await program()).fail(owner, "value");
    expect(error).toMatchObject({ code: "ZONE_NOT_FOUND", details: { candidates: [apex] } });
    expect(error.message).toBe(
      "cloudflare: cannot look up the zone example.com: Cloudflare does not serve the zone example.com: it has the status pending",
    );
    expect(error.hint).toContain("nameservers");
  });

  test("is found although older deployments refuse the look-up of others", async () => {
    await fake.http.close();
    fake = await startCloudflareFake([apex, parseName("elsewhere.test")]);
    fake.limitTo?.(apex);
    fake.lookups = "refused";
    await (await program()).present(owner, "value");
    expect(fake.values(apex, owner)).toEqual(["value"]);
    fake.http.clearCalls();
    const error = await (await program()).fail("_acme-challenge.a.elsewhere.test", "value");
    expect(error.code).toBe("AUTH");
    expect(error.message).toContain("com.cloudflare.api.account.zone.list");
    expect(callsOf(fake), "each name is asked for once").toHaveLength(3);
  });
});

describe("a pinned zone", () => {
  const pin = () => ({ zoneID: fake.zone(apex).id });

  test("needs no look-up by name, and no right to read zones", async () => {
    fake.credentials.tokens.set(token, dnsOnly);
    const { present, cleanUp } = await program({ config: pin(), zoneCut: apex });
    const [solved] = await present(owner, "value");
    expect(solved?.zone).toEqual({ apex, id: fake.zone(apex).id });
    expect(fake.values(apex, owner)).toEqual(["value"]);
    await cleanUp(owner, "value");
    expect(fake.values(apex, owner)).toEqual([]);
    expect(callsOf(fake)).not.toContain("GET /zones");
  });

  test("that may be read is the zone of its own names only", async () => {
    const { present, fail } = await program({ config: pin() });
    const [solved] = await present(owner, "value");
    expect(solved?.zone.apex).toBe(apex);
    const error = await fail("_acme-challenge.example.net", "value");
    expect(error).toMatchObject({ code: "ZONE_NOT_FOUND", hint: expect.stringContaining("Check zoneID:") });
    expect(error.message).toBe(
      "cloudflare: cannot look up the zone _acme-challenge.example.net: zoneID names the zone example.com",
    );
    expect(callsOf(fake)).not.toContain("GET /zones");
  });

  test("is found below the zone that DNS names", async () => {
    await fake.http.close();
    fake = await startCloudflareFake([apex, parseName("www.example.com")]);
    const { id } = fake.zone("www.example.com");
    const [solved] = await (await program({ config: { zoneID: id }, zoneCut: apex })).present(owner, "value");
    expect(solved?.zone.id).toBe(id);
  });

  test("that may not be read never keeps a name of another zone", async () => {
    fake.credentials.tokens.set(token, dnsOnly);
    const { fail, cleanUp } = await program({ config: pin() });
    const error = await fail("_acme-challenge.example.net", "value");
    expect(error.code).toBe("ZONE_NOT_FOUND");
    expect(error.hint).toContain("zoneID");
    expect(fake.zone(apex).records).toEqual([]);
    await cleanUp("_acme-challenge.example.net", "value");
  });

  test("that does not exist is a fault of the setting", async () => {
    const error = await (await program({ config: { zoneID: "nonsense" } })).fail(owner, "value");
    expect(error).toMatchObject({ code: "REJECTED", serviceCode: "7003, 7000" });
    expect(error.hint).toContain("Check zoneID and");
  });
});

describe("records", () => {
  test("are sent with quotes and recognised with and without, in pieces too", async () => {
    fake.add(apex, { type: "TXT", name: owner, content: "bare" });
    fake.add(apex, { type: "TXT", name: owner, content: '"pie" "ces"' });
    const { present, cleanUp } = await program();
    const solved = await Promise.all(["bare", "pieces"].map((value) => present(owner, value)));
    expect(solved.flat().map(({ changed }) => changed)).toEqual([false, false]);
    await present(owner, "new");
    expect(fake.zone(apex).records.at(-1)?.content).toBe('"new"');
    await cleanUp(owner, "bare", "pieces", "new");
    expect(fake.zone(apex).records).toEqual([]);
  });

  test("are found on every page", async () => {
    fake.add(apex, { type: "TXT", name: owner, content: "oldest" });
    for (let i = 0; i < 250; i++) fake.add(apex, { type: "TXT", name: owner, content: `value-${i}` });
    const { present, cleanUp } = await program();
    expect((await present(owner, "oldest"))[0]?.changed).toBe(false);
    fake.http.clearCalls();
    await cleanUp(owner, "oldest", "value-120");
    expect(fake.zone(apex).records).toHaveLength(249);
    // Not the look-ups of zones: on a busy machine the fast clock forgets them in between.
    expect(callsOf(fake).filter((call) => call.startsWith("GET") && call.includes("dns_records"))).toHaveLength(3);
  });

  test("that lists do not show yet are cleaned up by another program, and those still listed are not believed", async () => {
    fake.listLagMs = 50;
    await (await program({ zoneCut: apex })).present(owner, "value");
    const second = await program({ zoneCut: apex });
    expect((await second.cleanUp(owner, "value"))[0]?.changed).toBe(true);
    expect(fake.values(apex, owner)).toEqual([]);
    expect((await (await program({ zoneCut: apex })).present(owner, "value"))[0]?.changed).toBe(true);
    expect(fake.values(apex, owner)).toEqual(["value"]);
  });

  test("that lists do not show yet are cleaned up although a deleted one of the same value is still listed", async () => {
    const first = await program({ zoneCut: apex });
    await first.present(owner, "value");
    // Less than the ten seconds, a tenth of one by the fast clock, for which the adapter expects lists to be late.
    fake.listLagMs = 80;
    await new Promise((resolve) => setTimeout(resolve, 80));
    await first.cleanUp(owner, "value");
    await (await program({ zoneCut: apex })).present(owner, "value");
    expect(fake.values(apex, owner)).toEqual(["value"]);
    expect((await (await program({ zoneCut: apex })).cleanUp(owner, "value"))[0]?.changed).toBe(true);
    expect(fake.values(apex, owner)).toEqual([]);
  });

  test("carry a comment only where one is configured", async () => {
    await (await program()).present(owner, "one");
    await (await program({ config: { comment: "made by dns01" } })).present(owner, "two");
    expect(fake.zone(apex).records.map(({ comment }) => comment)).toEqual([null, "made by dns01"]);
  });

  test.each([
    ["automatic", 1, 60, 1, 0],
    ["as it is", 120, 60, 120, 0],
    ["the least of an Enterprise zone", 30, 30, 30, 0],
    ["raised to what the zone takes", 30, 60, 60, 1],
    ["raised to what older deployments take", 60, 120, 120, 1],
  ])("have the TTL: %s", async (_what, ttl, least, expected, warned) => {
    fake.zone(apex).minTtl = least;
    const { present, warnings } = await program({ config: { ttl } });
    await present(owner, "one");
    await present("_acme-challenge.example.com", "two");
    expect(fake.zone(apex).records.map((record) => record.ttl)).toEqual([expected, expected]);
    expect(warnings()).toHaveLength(warned);
  });

  test.each([
    ["404 with the code", failure(404, { code: 81044, message: "Record does not exist." })],
    ["404 with another", failure(404, { code: 7003, message: "Could not route" })],
    ["200 without success", failure(200, { code: 81044, message: "Record does not exist." })],
  ])("that went away meanwhile are looked for once more: %s", async (_how, reply) => {
    const { present, cleanUp } = await program();
    await present(owner, "value");
    fake.http.inject({ kind: "reply", when: ({ operation }) => operation.startsWith("DELETE"), reply: () => reply });
    await cleanUp(owner, "value");
    expect(fake.values(apex, owner)).toEqual([]);
  });

  test.each([{ body: "<html>Not Found</html>" }, { body: {} }, { body: { success: false, errors: [] } }])(
    "are not taken for gone by a 404 of something in between: %j",
    async (page) => {
      const { present, cleanUp } = await program({ once: true });
      await present(owner, "value");
      const reply = () => ({ status: 404, ...page });
      fake.http.inject({ kind: "reply", when: ({ operation }) => operation.startsWith("DELETE"), reply });
      expect(await failureOf(cleanUp(owner, "value"))).toMatchObject({ code: "REJECTED" });
      expect(fake.values(apex, owner)).toEqual(["value"]);
    },
  );

  test.each([
    ["81058", failure(400, { code: 81058, message: "An identical record already exists." })],
    ["81057", failure(400, { code: 81057, message: "Record already exists." })],
    [
      "81057 as a cause",
      failure(400, {
        code: 1004,
        message: "DNS Validation Error",
        error_chain: [{ code: 81057, message: "Record already exists." }],
      }),
    ],
  ])("that somebody made meanwhile are no error: %s", async (_code, reply) => {
    const { present } = await program();
    fake.http.inject({
      kind: "reply",
      when: ({ write }) => write,
      reply: () => {
        fake.put(apex, owner, ["value"], 60);
        return reply;
      },
    });
    const [solved] = await present(owner, "value");
    expect(solved?.changed).toBe(false);
    expect(fake.values(apex, owner)).toEqual(["value"]);
  });
});

describe("refusals", () => {
  test("a CNAME in the way is told", async () => {
    fake.add(apex, { type: "CNAME", name: owner, content: "elsewhere.test" });
    const error = await (await program()).fail(owner, "value");
    expect(error).toMatchObject({ code: "REJECTED", serviceCode: "81054" });
    expect(error.message).toBe(
      `cloudflare: cannot create TXT at ${owner}: A CNAME record with that host already exists (81054)`,
    );
    expect(error.hint).toContain("remove it");
  });

  test("a delegated name, a full zone and a free top-level domain have their own hints", async () => {
    fake.add(apex, { type: "NS", name: owner, content: "ns.elsewhere.test" });
    expect((await (await program()).fail(owner, "value")).hint).toContain("delegated");
    fake.zone(apex).quota = 1;
    expect((await (await program()).fail("_acme-challenge.example.com", "value")).hint).toContain("left-over");
    const message = "You cannot use this API for domains with a .cf, .ga, .gq, .ml, or .tk TLD (top-level domain).";
    const reply = () => failure(403, { code: 1038, message });
    fake.http.inject({ kind: "reply", when: ({ write }) => write, reply });
    const error = await (await program()).fail("_acme-challenge.example.com", "value");
    expect(error).toMatchObject({ code: "REJECTED", serviceCode: "1038" });
  });

  test("a validation error names its cause", async () => {
    const error = await (await program({ config: { ttl: 100_000 } })).fail(owner, "value");
    expect(error).toMatchObject({ code: "REJECTED", serviceCode: "1004, 9021" });
    expect(error.message).toContain(
      "DNS Validation Error: TTL must be between 60 and 86400 seconds, or 1 for Automatic (1004, 9021)",
    );
  });

  test("each missing right is named", async () => {
    fake.credentials.tokens.set(token, { permissions: new Set(["zone:read", "dns:read"]) });
    expect(await (await program()).fail(owner, "value")).toMatchObject({
      code: "AUTH",
      hint: expect.stringContaining("Zone → DNS → Edit"),
    });
    fake.credentials.tokens.set(token, dnsOnly);
    fake.lookups = "refused";
    expect(await (await program()).fail(owner, "value")).toMatchObject({
      code: "AUTH",
      hint: expect.stringContaining("Zone → Zone → Read"),
    });
  });

  test.each([
    ["an unknown token", { apiToken: "x".repeat(40) }, "9109", "valid"],
    ["a token of the wrong form", { apiToken: "short" }, "6003, 6111", "the API token alone"],
    ["a token in the place of the key", { apiToken: undefined, email, apiKey: token }, "6003, 6103", "apiKey"],
    ["an unknown key", { apiToken: undefined, email, apiKey: "0".repeat(37) }, "9103", "belong together"],
  ])("%s is AUTH, with what to look at", async (_what, config, codes, hint) => {
    const error = await (await program({ config })).fail(owner, "value");
    expect(error.code).toBe("AUTH");
    expect(error.message).toContain(`(${codes})`);
    expect(error.hint).toContain(hint);
    expect(callsOf(fake).filter((call) => call !== "GET /zones")).toEqual([]);
  });

  test("too many requests: the wait is handed on when it is longer than the call may take", async () => {
    const { present } = await program();
    fake.http.inject({ kind: "throttleRetryAfter", retryAfterSeconds: 30_000, times: Number.POSITIVE_INFINITY });
    const error = await failureOf(present(owner, "value"));
    expect(error).toMatchObject({ code: "RATE_LIMITED", retryAfterMs: 30_000_000, retryable: true });
    expect(error.message).toContain("Please wait and consider throttling your request speed (971)");
    expect(fake.http.calls).toHaveLength(1);
  });

  test("code 971 is a throttle whatever its status", async () => {
    const { present } = await program();
    fake.http.inject({ kind: "reply", reply: () => failure(400, { code: 971, message: "Please wait" }) });
    await present(owner, "value");
    expect(fake.values(apex, owner)).toEqual(["value"]);
  });

  test.each([520, 522, 524, 530, 502])("a page of the edge with status %d is passing trouble", async (status) => {
    const reply = () => ({ status, headers: { "content-type": "text/html" }, body: "<html>cloudflare</html>" });
    fake.http.inject({ kind: "reply", reply });
    const error = await (await program({ once: true })).fail(owner, "value");
    expect(error.code).toBe("TRANSIENT");
    expect(error.message).toBe(`cloudflare: cannot look up the zone ${owner}: HTTP status ${status}`);
  });

  test("another API's JSON is not taken for an empty list", async () => {
    fake.http.inject({ kind: "reply", reply: () => ({ body: { result: [] } }) });
    expect((await (await program({ once: true })).fail(owner, "value")).code).toBe("TRANSIENT");
  });
});

describe("configuration", () => {
  const issuesOf = async (config: Readonly<Record<string, unknown>>) => {
    const error = await resolveConfig(cloudflare, { config, env: {} }).catch((thrown: unknown) => thrown);
    return error instanceof ConfigError ? error.issues.map(({ path, message }) => `${path}: ${message}`) : [];
  };

  test.each([
    ["nothing", {}, /CLOUDFLARE_API_TOKEN: is missing \(or email and apiKey\)/],
    ["an e-mail address alone", { email }, /CLOUDFLARE_API_KEY: is missing: an email is given/],
    ["a key alone", { apiKey: globalKey }, /CLOUDFLARE_EMAIL: is missing: an apiKey is given/],
    ["both ways", { apiToken: token, email, apiKey: globalKey }, /^apiKey: is given together with apiToken/],
    ["the word Bearer", { apiToken: `Bearer ${token}` }, /^apiToken: .*give the token without "Bearer"/],
    ["a line end inside", { apiToken: `${token}\n${token}` }, /^apiToken: holds blanks, line ends/],
    ["a blank in the key", { email, apiKey: ` ${globalKey}` }, /^apiKey: holds blanks/],
    ["an address that cannot be sent", { email: "a b@c", apiKey: globalKey }, /^email: holds blanks/],
    ["a zone id with a slash", { apiToken: token, zoneID: "a/b" }, /^zoneID: is not the id of a zone/],
    ["an endpoint of another kind", { apiToken: token, endpoint: "ftp://example.com" }, /^endpoint: is no http/],
    ["a long comment", { apiToken: token, comment: "x".repeat(101) }, /^comment: is longer than 100/],
  ])("%s is a fault, and shows no secret", async (_what, config, expected) => {
    const issues = await issuesOf(config);
    expect(issues).toEqual([expect.stringMatching(expected)]);
    expect(issues.join()).not.toMatch(new RegExp(`${token}|${globalKey}`));
  });

  test("an e-mail address beside a token is let be: published Issuers have both", async () => {
    expect(await issuesOf({ apiToken: token, email })).toEqual([]);
  });

  test.each([
    ["apiToken", ["CLOUDFLARE_API_TOKEN", "CF_DNS_API_TOKEN", "CLOUDFLARE_DNS_API_TOKEN", "CF_API_TOKEN"]],
    ["zoneToken", ["CF_ZONE_API_TOKEN", "CLOUDFLARE_ZONE_API_TOKEN", "CLOUDFLARE_ZONE_TOKEN"]],
    ["email", ["CLOUDFLARE_EMAIL", "CF_API_EMAIL"]],
    ["apiKey", ["CLOUDFLARE_API_KEY", "CF_API_KEY"]],
    ["zoneID", ["CLOUDFLARE_ZONE_ID"]],
    ["endpoint", ["CLOUDFLARE_ENDPOINT", "CLOUDFLARE_BASE_URL", "CF_BASE_URL"]],
  ])("%s is read from its established names", async (field, names) => {
    const value = field === "endpoint" ? "https://api.test/v4" : "given";
    const rest = { apiToken: {}, email: { apiKey: "k" }, apiKey: { email: "e@x" } }[field] ?? { apiToken: "t" };
    for (const name of names) {
      const resolved = await resolveConfig(cloudflare, { env: { [name]: value }, config: rest });
      expect(resolved.config, name).toMatchObject({ [field]: value });
    }
  });
});
