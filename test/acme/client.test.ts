import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createAcmeClient } from "../../src/acme/client.ts";
import { fanOut } from "../../src/acme/fan-out.ts";
import { AcmeError, ConfigError, RateLimitedError, TransientError } from "../../src/core/errors.ts";
import { ScriptedCa, txtValue } from "./scripted-ca.ts";
import { failureOf, never, open } from "./support.ts";

const account = { contact: ["mailto:ops@example.test"], termsOfServiceAgreed: true };
const pair = { identifiers: ["example.test", "*.example.test"] };

let ca: ScriptedCa;
beforeEach(async () => {
  ca = await ScriptedCa.start();
});
afterEach(async () => {
  await ca.close();
});

describe("nonces (RFC 8555 §6.5)", () => {
  it("takes the nonce of each response and asks newNonce once only", async () => {
    const { client } = await open(ca);
    await client.newAccount(account, never);
    const order = await client.newOrder(pair, never);
    for (const url of order.authorizations) await client.authorization(url, never);
    expect(ca.count("newNonce")).toBe(1);
    client.close();
  });

  it("reads a pair's authorizations side by side without another newNonce", async () => {
    const { client } = await open(ca);
    await client.newAccount(account, never);
    const order = await client.newOrder(pair, never);
    await Promise.all(order.authorizations.map((url) => client.authorization(url, never)));
    expect(ca.count("newNonce")).toBe(1);
    client.close();
  });

  it("never has more than eight nonces in use, however many requests wait", async () => {
    const { client } = await open(ca);
    await client.newAccount(account, never);
    const names = Array.from({ length: 100 }, (_, i) => `h${i}.example.test`);
    const order = await client.newOrder({ identifiers: names }, never);
    const shared = fanOut(never);
    await Promise.all(order.authorizations.map((url) => client.authorization(url, shared)));
    expect(ca.count("authorization")).toBe(100);
    expect(ca.count("newNonce")).toBeLessThanOrEqual(8);
    client.close();
  });

  it("signs anew for every attempt: no nonce is sent twice", async () => {
    ca.fault = (seen, nth) =>
      seen.resource === "newOrder" && nth <= 4 ? { kind: nth % 2 === 0 ? "lost" : "answer", status: 503 } : undefined;
    const { client } = await open(ca);
    await client.newAccount(account, never);
    await client.newOrder(pair, never);
    const nonces = ca.seen.flatMap((seen) => (seen.protected === undefined ? [] : [seen.protected["nonce"]]));
    expect(ca.count("newOrder")).toBe(5);
    expect(new Set(nonces).size).toBe(nonces.length);
    client.close();
  });

  it("uses a kept nonce for five minutes at most", async () => {
    const { client, clock } = await open(ca);
    await client.newAccount(account, never);
    clock.advance(5 * 60_000 + 1);
    await client.newOrder(pair, never);
    expect(ca.count("newNonce")).toBe(2);
    client.close();
  });

  it("repeats at once with the nonce that a refusal brought, up to twenty times", async () => {
    ca.fault = (seen, nth) => (seen.resource === "newOrder" && nth <= 20 ? { kind: "badNonce" } : undefined);
    const { client, clock, events } = await open(ca);
    await client.newAccount(account, never);
    const order = await client.newOrder(pair, never);
    expect(order.status).toBe("pending");
    expect(ca.count("newNonce")).toBe(1);
    expect(clock.waits).toEqual([]);
    expect(events.filter((event) => event.type === "retry")).toHaveLength(20);
    client.close();
  });

  it("gives up after the twenty-first refusal with the CA's own problem", async () => {
    ca.fault = (seen) => (seen.resource === "newOrder" ? { kind: "badNonce" } : undefined);
    const { client } = await open(ca);
    await client.newAccount(account, never);
    const error = await failureOf(client.newOrder(pair, never));
    expect(error).toBeInstanceOf(AcmeError);
    expect(ca.count("newOrder")).toBe(21);
    client.close();
  });

  it("recovers when the CA forgot every nonce it gave out", async () => {
    const { client } = await open(ca);
    await client.newAccount(account, never);
    ca.forgetNonces();
    expect((await client.newOrder(pair, never)).status).toBe("pending");
    client.close();
  });
});

describe("signatures (RFC 8555 §6.2, §6.3)", () => {
  it("signs newAccount with the key and everything else with the account's address", async () => {
    const { client } = await open(ca);
    const { url } = await client.newAccount(account, never);
    const order = await client.newOrder(pair, never);
    await client.order(order.url, never);
    for (const { resource, protected: header } of ca.seen) {
      if (header === undefined) continue;
      expect("jwk" in header).toBe(resource === "newAccount");
      if (resource !== "newAccount") expect(header["kid"]).toBe(url);
    }
    client.close();
  });

  it("reads with an empty payload and starts a challenge with {}", async () => {
    const { client } = await open(ca);
    await client.newAccount(account, never);
    const order = await client.newOrder({ identifiers: ["example.test"] }, never);
    const authorization = await client.authorization(order.authorizations[0] ?? "", never);
    const challenge = authorization.challenges.find(({ type }) => type === "dns-01");
    await client.answer(challenge?.url ?? "", never);
    expect(ca.seen.filter(({ resource }) => resource === "authorization").map(({ payload }) => payload)).toEqual([""]);
    expect(ca.seen.filter(({ resource }) => resource === "challenge").map(({ payload }) => payload)).toEqual(["{}"]);
    client.close();
  });

  it.each(["P-256", "P-384", "RSA"])("works with an account key of type %s", async (type) => {
    const { generateKeyPairSync } = await import("node:crypto");
    const { privateKey } =
      type === "RSA"
        ? generateKeyPairSync("rsa", { modulusLength: 2048 })
        : generateKeyPairSync("ec", { namedCurve: type });
    const accountKey = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    const { client } = await open(ca, { accountKey });
    const { url } = await client.newAccount(account, never);
    expect((await client.newOrder(pair, never)).status).toBe("pending");
    const jwk = ca.accounts.get(url);
    expect(client.dnsValue("tokentoken")).toBe(await txtValue("tokentoken", jwk ?? {}));
    client.close();
  });

  it("refuses account keys that CAs do not take, without any request", async () => {
    const { generateKeyPairSync } = await import("node:crypto");
    const bad = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    for (const accountKey of [bad, "no key at all"]) {
      const deps = { userAgent: "dns01/test" };
      const error = await failureOf(createAcmeClient({ directoryUrl: ca.directoryUrl, accountKey }, deps));
      expect(error).toBeInstanceOf(ConfigError);
    }
    expect(ca.seen).toEqual([]);
  });

  it("names itself in every request", async () => {
    const { client } = await open(ca);
    await client.newAccount(account, never);
    expect(new Set(ca.seen.map(({ headers }) => headers["user-agent"]))).toEqual(new Set(["dns01/0.0.0-test"]));
    client.close();
  });
});

describe("directory (RFC 8555 §7.1.1)", () => {
  it("is read once, tolerates what it does not know, and keeps it", async () => {
    ca.directoryExtra = {
      meta: { profiles: { classic: "the usual" }, future: [1] },
      futureResource: "https://x.test/",
    };
    const { client } = await open(ca);
    const directory = await client.directory(never);
    await client.directory(never);
    expect(directory.meta?.profiles).toEqual({ classic: "the usual" });
    expect(directory).toMatchObject({ futureResource: "https://x.test/" });
    expect(ca.count("directory")).toBe(1);
    client.close();
  });

  it("is read again when an address of it is gone, and after a day", async () => {
    const { client, clock } = await open(ca);
    await client.newAccount(account, never);
    ca.prefix = "/b";
    // The account's address names it, wherever the CA serves it.
    expect((await client.newOrder(pair, never)).url).toContain("/b/order/");
    expect(ca.count("directory")).toBe(2);
    clock.advance(25 * 3_600_000);
    await client.directory(never);
    expect(ca.count("directory")).toBe(3);
    client.close();
  });

  it("finds the new place of newNonce too", async () => {
    const { client } = await open(ca);
    await client.directory(never);
    ca.prefix = "/b";
    expect((await client.newAccount(account, never)).url).toContain("/b/account/");
    client.close();
  });

  it.each([
    ["a web page", "<html><title>Welcome</title></html>", 200],
    ["other JSON", '{"hello":"world"}', 200],
    ["nothing there", "", 404],
  ])("says that the address is no ACME directory: %s", async (_, body, status) => {
    ca.fault = () => ({ kind: "answer", status, body, headers: { "content-type": "text/html" } });
    const { client } = await open(ca);
    const error = await failureOf(client.directory(never));
    expect(error).toBeInstanceOf(AcmeError);
    expect(error.message).toContain(`${ca.directoryUrl} is not an ACME directory`);
    client.close();
  });

  it("follows a redirect of the directory but not of a signed request", async () => {
    const { client: moved } = await open(ca, { directoryUrl: `${ca.base}/moved` });
    ca.fault = (seen) =>
      seen.path === "/moved"
        ? { kind: "answer", status: 301, headers: { location: "/directory" } }
        : seen.resource === "newAccount"
          ? { kind: "answer", status: 307, headers: { location: "/elsewhere" } }
          : undefined;
    expect((await moved.directory(never)).newOrder).toContain("/a/newOrder");
    const error = await failureOf(moved.newAccount(account, never));
    expect(error.message).toContain("redirects to /elsewhere");
    expect(ca.count("gone")).toBe(1);
    moved.close();
  });

  it("refuses a profile that it does not list, naming those it does", async () => {
    ca.directoryExtra = { meta: { profiles: { classic: "", shortlived: "" } } };
    const { client } = await open(ca);
    await client.newAccount(account, never);
    const error = await failureOf(client.newOrder({ ...pair, profile: "tlsserver" }, never));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain("classic, shortlived");
    expect(error).toMatchObject({ hint: "Choose one of these, or leave it out; nothing was ordered." });
    expect(ca.count("newOrder")).toBe(0);
    client.close();
    ca.directoryExtra = {};
    const other = await open(ca);
    const none = await failureOf(other.client.newOrder({ ...pair, profile: "tlsserver" }, never));
    expect(none).toMatchObject({ hint: "Leave the profile out; nothing was ordered." });
    other.client.close();
  });

  it("sends a profile that it lists", async () => {
    ca.directoryExtra = { meta: { profiles: { shortlived: "" } } };
    const { client } = await open(ca);
    await client.newAccount(account, never);
    await client.newOrder({ ...pair, profile: "shortlived" }, never);
    expect(JSON.parse(ca.seen.at(-1)?.payload ?? "")).toMatchObject({ profile: "shortlived" });
    client.close();
  });
});

describe("repeating", () => {
  it("survives a storm in which half of all requests get 503 and half of all nonces are refused", async () => {
    let n = 0;
    ca.fault = () => {
      n += 1;
      if (n % 4 === 1) return { kind: "answer", status: 503 };
      return n % 4 === 3 ? { kind: "badNonce" } : undefined;
    };
    const { client } = await open(ca);
    await client.newAccount(account, never);
    const order = await client.newOrder(pair, never);
    expect(order.authorizations).toHaveLength(2);
    client.close();
  });

  it("waits longer each time, with jitter, and gives up as TransientError", async () => {
    ca.fault = (seen) =>
      seen.resource === "newOrder" ? { kind: "answer", status: 503, body: "<html>busy" } : undefined;
    const { client, clock } = await open(ca);
    await client.newAccount(account, never);
    const error = await failureOf(client.newOrder(pair, never));
    expect(error).toBeInstanceOf(TransientError);
    expect(error.message).toContain("503");
    expect(clock.waits).toEqual([150, 300, 600, 1200, 2400, 3750, 3750, 3750, 3750]);
    client.close();
  });

  it.each([
    [503, "0"],
    [503, "Wed, 25 Nov 2026 09:59:00 GMT"],
    [429, "0"],
  ])("does not rush at a CA that fails with %i and Retry-After: %s", async (status, value) => {
    const headers = { "retry-after": value, date: "Wed, 25 Nov 2026 10:00:00 GMT" };
    ca.fault = (seen) => (seen.resource === "newOrder" ? { kind: "answer", status, headers } : undefined);
    const { client, clock } = await open(ca);
    await client.newAccount(account, never);
    expect(await failureOf(client.newOrder(pair, never))).toMatchObject({ retryable: true });
    expect(clock.waits).toEqual([150, 300, 600, 1200, 2400, 3750, 3750, 3750, 3750]);
    client.close();
  });

  it.each([
    ["seconds", "7", 7000],
    ["an HTTP date", "Wed, 25 Nov 2026 10:00:09 GMT", 9000],
  ])("waits as long as Retry-After says: %s", async (_, value, expected) => {
    const headers = { "retry-after": value, date: "Wed, 25 Nov 2026 10:00:00 GMT" };
    ca.fault = (seen, nth) =>
      seen.resource === "newOrder" && nth === 1 ? { kind: "answer", status: 503, headers } : undefined;
    const { client, clock } = await open(ca);
    await client.newAccount(account, never);
    await client.newOrder(pair, never);
    expect(clock.waits).toEqual([expected]);
    client.close();
  });

  it("does not sleep past the deadline: RateLimitedError with the time", async () => {
    const body = JSON.stringify({ type: "urn:ietf:params:acme:error:rateLimited", detail: "too many certificates" });
    const headers = { "retry-after": "86400", link: '<https://letsencrypt.example/docs>;rel="help"' };
    ca.fault = (seen) => (seen.resource === "newOrder" ? { kind: "answer", status: 429, headers, body } : undefined);
    const { client, clock } = await open(ca, { remainingMs: 60_000 });
    await client.newAccount(account, never);
    const error = await failureOf(client.newOrder(pair, never));
    if (!(error instanceof RateLimitedError)) throw error;
    expect(error.retryAfterMs).toBe(86_400_000);
    expect(error.message).toContain("too many certificates");
    expect(error.message).toContain("24 h");
    expect(error.hint).toContain("https://letsencrypt.example/docs");
    expect(clock.waits).toEqual([]);
    expect(ca.count("newOrder")).toBe(1);
    client.close();
  });

  it("does not repeat a rate limit blindly when the CA names no time", async () => {
    ca.fault = (seen) =>
      seen.resource === "newOrder" ? { kind: "answer", status: 429, body: "slow down" } : undefined;
    const { client } = await open(ca);
    await client.newAccount(account, never);
    expect(await failureOf(client.newOrder(pair, never))).toBeInstanceOf(RateLimitedError);
    expect(ca.count("newOrder")).toBe(1);
    client.close();
  });

  it.each(["lost", "truncate", "reset"] as const)("orders again after an answer that was %s", async (kind) => {
    ca.fault = (seen, nth) => (seen.resource === "newOrder" && nth === 1 ? { kind } : undefined);
    const { client } = await open(ca);
    await client.newAccount(account, never);
    expect((await client.newOrder(pair, never)).status).toBe("pending");
    client.close();
  });

  it.each(["newOrder", "order"])(
    "repeats when a proxy puts a page in the place of the answer (%s)",
    async (resource) => {
      const page = { kind: "answer", status: 200, body: "<html>log in</html>" } as const;
      ca.fault = (seen, nth) => (seen.resource === resource && nth === 1 ? page : undefined);
      const { client } = await open(ca);
      await client.newAccount(account, never);
      const order = await client.newOrder(pair, never);
      expect((await client.order(order.url, never)).status).toBe("pending");
      client.close();
    },
  );

  it("finds the account that a lost newAccount made, for its binding key is used up", async () => {
    ca.externalAccountRequired = true;
    const hmacKey = Buffer.alloc(32, 7).toString("base64url");
    ca.eabKeys = { "kid-1": hmacKey };
    ca.fault = (seen, nth) => (seen.resource === "newAccount" && nth === 1 ? { kind: "lost" } : undefined);
    const { client } = await open(ca);
    const { url } = await client.newAccount({ ...account, eab: { kid: "kid-1", hmacKey } }, never);
    expect(ca.accounts.has(url)).toBe(true);
    expect(JSON.parse(ca.seen.at(-1)?.payload ?? "")).toEqual({ onlyReturnExisting: true, contact: account.contact });
    client.close();
  });

  it.each([["lost"], ["truncate"]] as const)(
    "reads the challenge after its answer was %s, rather than start it twice",
    async (kind) => {
      const { client } = await open(ca);
      await client.newAccount(account, never);
      const order = await client.newOrder({ identifiers: ["example.test"] }, never);
      const { challenges } = await client.authorization(order.authorizations[0] ?? "", never);
      const url = challenges.find(({ type }) => type === "dns-01")?.url ?? "";
      ca.fault = (seen) => (seen.payload === "{}" && seen.resource === "challenge" ? { kind } : undefined);
      expect((await client.answer(url, never)).status).toBe("processing");
      const sent = ca.seen.filter(({ resource }) => resource === "challenge").map(({ payload }) => payload);
      expect(sent).toEqual(["{}", ""]);
      client.close();
    },
  );

  it("starts a challenge again when the first attempt never arrived", async () => {
    const { client } = await open(ca);
    await client.newAccount(account, never);
    const order = await client.newOrder({ identifiers: ["example.test"] }, never);
    const { challenges } = await client.authorization(order.authorizations[0] ?? "", never);
    const url = challenges.find(({ type }) => type === "dns-01")?.url ?? "";
    ca.fault = (seen, nth) => (seen.resource === "challenge" && nth === 1 ? { kind: "reset" } : undefined);
    expect((await client.answer(url, never)).status).toBe("processing");
    const sent = ca.seen.filter(({ resource }) => resource === "challenge").map(({ payload }) => payload);
    expect(sent).toEqual(["{}", "", "{}"]);
    client.close();
  });

  it("takes a challenge that was started before for started", async () => {
    const { client } = await open(ca);
    await client.newAccount(account, never);
    const order = await client.newOrder({ identifiers: ["example.test"] }, never);
    const { challenges } = await client.authorization(order.authorizations[0] ?? "", never);
    const url = challenges.find(({ type }) => type === "dns-01")?.url ?? "";
    await client.answer(url, never);
    expect((await client.answer(url, never)).status).toBe("processing");
    client.close();
  });
});

describe("refusals (RFC 8555 §6.7)", () => {
  const refuse = async (status: number, body: object, headers: Record<string, string> = {}) => {
    ca.fault = (seen) =>
      seen.resource === "newOrder" ? { kind: "answer", status, headers, body: JSON.stringify(body) } : undefined;
    const { client } = await open(ca);
    await client.newAccount(account, never);
    const error = await failureOf(client.newOrder(pair, never));
    client.close();
    if (!(error instanceof AcmeError)) throw error;
    return error;
  };

  it("carries type, status, detail, instance and every subproblem with its name", async () => {
    const error = await refuse(403, {
      type: "urn:ietf:params:acme:error:compound",
      detail: "some names are refused",
      instance: "urn:uuid:1",
      subproblems: [
        {
          type: "urn:ietf:params:acme:error:caa",
          detail: "CAA forbids",
          identifier: { type: "dns", value: "example.test" },
        },
        {
          type: "urn:ietf:params:acme:error:rejectedIdentifier",
          detail: "no",
          identifier: { type: "dns", value: "*.example.test" },
        },
      ],
    });
    expect(error.problem).toMatchObject({ status: 403, instance: "urn:uuid:1" });
    expect(error.problem.subproblems).toHaveLength(2);
    expect(error.message).toContain("some names are refused");
    expect(error.message).toContain("example.test: CAA forbids (caa)");
    expect(error.message).toContain("*.example.test: no (rejectedIdentifier)");
    expect(ca.count("newOrder")).toBe(1);
  });

  it("gives the link to the changed terms of service", async () => {
    const link = '<https://ca.example/terms-2>;rel="terms-of-service", <https://ca.example/dir>;rel="index"';
    const body = { type: "urn:ietf:params:acme:error:userActionRequired", detail: "terms changed" };
    expect((await refuse(403, body, { link })).hint).toContain("https://ca.example/terms-2");
  });

  it("gives the link that lifts a pause", async () => {
    const body = {
      type: "urn:ietf:params:acme:error:userActionRequired",
      detail: "paused",
      instance: "https://ca.example/unpause?x=1",
    };
    expect((await refuse(403, body)).hint).toContain("https://ca.example/unpause?x=1");
  });

  it("is told apart from a proxy's page", async () => {
    ca.fault = (seen) =>
      seen.resource === "newOrder"
        ? {
            kind: "answer",
            status: 403,
            headers: { "content-type": "text/html; charset=utf-8" },
            body: "<html><head><title>Access Denied\u001b[31m</title></head></html>",
          }
        : undefined;
    const { client } = await open(ca);
    await client.newAccount(account, never);
    const error = await failureOf(client.newOrder(pair, never));
    expect(error.message).toContain('HTTP 403 with text/html in place of a problem document: "Access Denied');
    expect(error.message).not.toContain("\u001b");
    client.close();
  });

  it("says what is missing when an answer is no order", async () => {
    ca.fault = (seen) => (seen.resource === "newOrder" ? { kind: "answer", status: 201, body: "{}" } : undefined);
    const { client } = await open(ca);
    await client.newAccount(account, never);
    expect((await failureOf(client.newOrder(pair, never))).message).toContain("lacks a Location");
    client.close();
  });
});

describe("events", () => {
  it("tell each request before and after it, and its status", async () => {
    const { client, events } = await open(ca);
    await client.newAccount(account, never);
    const steps = events.flatMap((event) => (event.type === "step" ? [`${event.state} ${event.detail}`] : []));
    expect(steps).toEqual([
      "before GET directory",
      "after GET directory",
      "before HEAD newNonce",
      "after HEAD newNonce",
      "before POST newAccount",
      "after POST newAccount",
    ]);
    expect(events.filter((event) => event.type === "acme.request").map(({ status }) => status)).toEqual([
      200, 200, 201,
    ]);
    expect(client.requests).toBe(3);
    client.close();
  });

  it("and errors hold neither the account key nor the binding key in any form", async () => {
    const hmacKey = Buffer.alloc(32, 9).toString("base64");
    ca.externalAccountRequired = true;
    const { client, events } = await open(ca);
    const error = await failureOf(client.newAccount({ ...account, eab: { kid: "k", hmacKey } }, never));
    const { inspect } = await import("node:util");
    const text = inspect([error, events, client], { depth: 10 });
    const secret = Buffer.from(hmacKey, "base64");
    for (const form of [hmacKey, secret.toString("base64url"), secret.toString("hex"), "PRIVATE KEY"]) {
      expect(text).not.toContain(form);
    }
    client.close();
  });
});
