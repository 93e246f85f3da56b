import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { chooseChain } from "../../src/acme/chains.ts";
import { buildCsr } from "../../src/acme/csr.ts";
import { generateKey } from "../../src/acme/keys.ts";
import {
  answerAll,
  authorizationsOf,
  checkCount,
  checkOrdered,
  finalizeOrder,
  pendingDns01,
  resumeOrder,
  waitForFinalAuthorizations,
  waitForOrder,
} from "../../src/acme/order.ts";
import type { AcmeClient, Authorization, Order } from "../../src/acme/types.ts";
import { AcmeError, RateLimitedError, TransientError } from "../../src/core/errors.ts";
import { ScriptedCa } from "./scripted-ca.ts";
import { type FastClock, failureOf, never, open } from "./support.ts";

const names = ["example.test", "*.example.test"];
const account = { contact: [], termsOfServiceAgreed: true };
const csr = await buildCsr(await generateKey("ec256"), names);

let ca: ScriptedCa;
let client: AcmeClient;
let clock: FastClock;
beforeEach(async () => {
  ca = await ScriptedCa.start();
  ({ client, clock } = await open(ca));
  await client.newAccount(account, never);
});
afterEach(async () => {
  client.close();
  await ca.close();
});

const options = () => ({ clock, signal: never });

async function prove(identifiers: readonly string[] = names): Promise<Order> {
  const order = await client.newOrder({ identifiers }, never);
  await answerAll(client, pendingDns01(client, await authorizationsOf(client, order, never)), never);
  return order;
}

describe("the whole order", () => {
  it("takes nine requests from newOrder to the certificate of apex and wildcard", async () => {
    const before = client.requests;
    const ready = await waitForOrder(client, await prove(), "ready", options());
    const valid = await finalizeOrder(client, ready, csr, options());
    await chooseChain(client, valid, undefined, never);
    expect(client.requests - before).toBe(9);
    expect(ca.trace.slice(1)).toEqual([
      "newOrder",
      "authorization",
      "authorization",
      "challenge",
      "challenge",
      "order",
      "finalize",
      "order",
      "certificate",
    ]);
  });

  it("needs at most 2.2 times as many while half of all nonces are refused", async () => {
    // Every second nonce, whoever uses it: a run of luck cannot hide a client that pays twice for a refusal.
    let n = 0;
    ca.fault = (seen) => {
      if (seen.protected === undefined) return undefined;
      n += 1;
      return n % 2 === 0 ? { kind: "badNonce" } : undefined;
    };
    const before = client.requests;
    const ready = await waitForOrder(client, await prove(), "ready", options());
    const valid = await finalizeOrder(client, ready, csr, options());
    await chooseChain(client, valid, undefined, never);
    expect(client.requests - before).toBeLessThanOrEqual(Math.floor(2.2 * 9));
  });

  it.each(["pending", "ready", "processing", "valid"] as const)("goes on from %s", async (state) => {
    let order = await prove();
    if (state !== "pending") order = await waitForOrder(client, order, "ready", options());
    if (state === "processing" || state === "valid") order = await client.finalize(order, csr, never);
    if (state === "valid") order = await waitForOrder(client, order, "valid", options());
    expect(order.status).toBe(state);
    const found = await resumeOrder(client, order.url, never);
    if (found === undefined) throw new Error("the order is known");
    const valid = await finalizeOrder(client, found, csr, options());
    expect((await chooseChain(client, valid, undefined, never)).pem).toContain("BEGIN CERTIFICATE");
    expect(ca.count("finalize")).toBe(1);
  });

  it("skips everything when the order is born ready", async () => {
    ca.validAlready = () => true;
    const order = await client.newOrder({ identifiers: names }, never);
    expect(order.status).toBe("ready");
    expect(await waitForOrder(client, order, "ready", options())).toBe(order);
    await finalizeOrder(client, order, csr, options());
    expect(ca.count("authorization")).toBe(0);
  });

  it("handles a hundred names", async () => {
    const many = Array.from({ length: 100 }, (_, i) => `h${i}.example.test`);
    const order = await prove(many);
    expect((await waitForOrder(client, order, "ready", options())).status).toBe("ready");
    expect(ca.count("challenge")).toBe(100);
  });
});

describe("authorizations", () => {
  it("are matched by name and wildcard, never by place", async () => {
    const order = await client.newOrder({ identifiers: ["example.test", "*.example.test", "a.example.test"] }, never);
    const pending = pendingDns01(client, await authorizationsOf(client, order, never));
    expect(pending.map(({ domain, base, wildcard }) => [domain, base, wildcard])).toEqual([
      ["a.example.test", "a.example.test", false],
      ["*.example.test", "example.test", true],
      ["example.test", "example.test", false],
    ]);
    for (const { domain, token, value } of pending) {
      const states = [...ca.orders.values()].flatMap(({ authorizations }) => authorizations);
      const state = states.find((a) => (a.wildcard ? `*.${a.value}` : a.value) === domain);
      expect(token).toBe(state?.token);
      expect(value).toBe(client.dnsValue(token));
    }
  });

  it.each(["", "a b", "../x", "tok\u0000en"])("with the token %j are refused", async (token) => {
    const order = await client.newOrder({ identifiers: names }, never);
    const authorizations = (await authorizationsOf(client, order, never)).map((a) => ({
      ...a,
      challenges: a.challenges.map((challenge) => ({ ...challenge, token })),
    }));
    expect(() => pendingDns01(client, authorizations)).toThrow(/token/);
  });

  it.each([
    [["example.test"], "EXAMPLE.test.", true],
    [["*.example.test"], "example.test", true],
    [["example.test"], "example.org", false],
    [["example.test"], "sub.example.test", false],
    [["a.example.test"], "example.test", false],
  ])("for an order of %j: one for %s is taken: %s", (ordered, value, taken) => {
    const one = { identifier: { type: "dns", value } } as Authorization;
    const check = () => checkOrdered([one], ordered);
    if (taken) expect(check).not.toThrow();
    else expect(check).toThrow(/not ordered/);
  });

  it("that are more than the names ordered are refused unasked; fewer, and one listed twice, are fine", async () => {
    ca.listed = (urls) => [...urls, ...urls];
    const order = await client.newOrder({ identifiers: names }, never);
    expect(order.authorizations).toHaveLength(2);
    expect(() => checkCount(order, names)).not.toThrow();
    expect(() => checkCount(order, [...names, "a.test"])).not.toThrow();
    expect(() => checkCount(order, ["example.test"])).toThrow(/lists 2 authorizations, but it is for one name/);
  });

  it("that are valid already need nothing", async () => {
    ca.validAlready = (domain) => domain === "example.test";
    const order = await client.newOrder({ identifiers: names }, never);
    const pending = pendingDns01(client, await authorizationsOf(client, order, never));
    expect(pending.map(({ domain }) => domain)).toEqual(["*.example.test"]);
  });

  it("may share one token, hence one value", async () => {
    ca.sameToken = true;
    const order = await client.newOrder({ identifiers: names }, never);
    const pending = pendingDns01(client, await authorizationsOf(client, order, never));
    expect(new Set(pending.map(({ value }) => value)).size).toBe(1);
    expect(pending).toHaveLength(2);
  });

  it("without dns-01 say what is offered", async () => {
    ca.challengeTypes = ["http-01", "dns-persist-01"];
    const order = await client.newOrder({ identifiers: ["example.test"] }, never);
    const authorizations = await authorizationsOf(client, order, never);
    expect(() => pendingDns01(client, authorizations)).toThrow(/example\.test: the CA offers http-01, dns-persist-01/);
  });

  it("whose challenge is under way keep their value and are not answered again", async () => {
    ca.looksUntilDecided = 9;
    const order = await prove(["example.test"]);
    const pending = pendingDns01(client, await authorizationsOf(client, order, never));
    expect(pending.map(({ status }) => status)).toEqual(["processing"]);
    await answerAll(client, pending, never);
    expect(ca.count("challenge")).toBe(1);
  });

  it("that failed before end the order with their problem", async () => {
    ca.failing = () => ({ type: "urn:ietf:params:acme:error:dns", detail: "SERVFAIL" });
    const order = await prove(["example.test"]);
    const authorizations = await authorizationsOf(client, order, never);
    expect(() => pendingDns01(client, authorizations)).toThrow(/example\.test: SERVFAIL \(dns\)/);
  });

  it("are all answered even when one answer is refused", async () => {
    const order = await client.newOrder({ identifiers: names }, never);
    const pending = pendingDns01(client, await authorizationsOf(client, order, never));
    ca.fault = (seen, nth) =>
      seen.resource === "challenge" && nth === 1
        ? { kind: "answer", status: 403, body: '{"type":"urn:ietf:params:acme:error:unauthorized","detail":"no"}' }
        : undefined;
    expect(await failureOf(answerAll(client, pending, never))).toBeInstanceOf(AcmeError);
    expect(ca.count("challenge")).toBe(2);
  });
});

describe("waiting for the order", () => {
  it("asks for none of the authorizations that a later answer adds", async () => {
    ca.failing = () => ({ type: "urn:ietf:params:acme:error:dns", detail: "SERVFAIL" });
    const order = await prove();
    const before = ca.count("authorization");
    ca.listed = (urls) => [...urls, ...Array.from({ length: 500 }, (_, i) => `${urls[0]}/${i}`)];
    const failed = [
      await failureOf(waitForOrder(client, order, "ready", options())),
      await failureOf(finalizeOrder(client, order, csr, options())),
    ];
    for (const error of failed) expect(error.message).toContain("SERVFAIL");
    expect(ca.count("authorization") - before).toBe(4);
  });

  it("asks the order only, at a growing interval", async () => {
    ca.looksUntilDecided = 9;
    const order = await prove();
    clock.waits.length = 0;
    await waitForOrder(client, order, "ready", options());
    expect(clock.waits).toEqual([40, 100, 250, 500, 1000, 2000, 2000, 2000, 2000]);
    expect(ca.count("authorization")).toBe(2);
  });

  it.each([
    ["seconds", { "retry-after": "30" }],
    ["a date", { "retry-after": "Wed, 25 Nov 2026 10:00:30 GMT", date: "Wed, 25 Nov 2026 10:00:00 GMT" }],
  ])("waits as long as Retry-After says: %s", async (_, headers) => {
    ca.looksUntilDecided = 3;
    ca.fault = (seen) => (seen.resource === "order" ? { kind: "alter", headers } : undefined);
    const order = await prove();
    clock.waits.length = 0;
    await waitForOrder(client, order, "ready", options());
    expect(clock.waits).toEqual([40, 30_000, 30_000]);
  });

  it("ends with the time when Retry-After leads past the deadline", async () => {
    ca.looksUntilDecided = 3;
    ca.fault = (seen) =>
      seen.resource === "order" ? { kind: "alter", headers: { "retry-after": "86400" } } : undefined;
    const order = await prove();
    clock.waits.length = 0;
    const error = await failureOf(waitForOrder(client, order, "ready", options()));
    if (!(error instanceof RateLimitedError)) throw error;
    expect(error.retryAfterMs).toBe(86_400_000);
    expect(clock.waits).toEqual([40]);
  });

  it("keeps a minute of the order's life in reserve", async () => {
    ca.looksUntilDecided = 1000;
    const wall = Date.parse("2026-11-25T10:00:00Z");
    ca.expires = "2026-11-25T10:01:30Z";
    const order = await prove();
    const begun = clock.now();
    const error = await failureOf(waitForOrder(client, order, "ready", { ...options(), wallNow: () => wall }));
    if (!(error instanceof TransientError)) throw error;
    expect(error.timeout).toBe(true);
    expect(error.message).toContain("still pending");
    expect(clock.now() - begun).toBe(30_000);
  });

  it("names every failed challenge with the CA's reason", async () => {
    ca.failing = (domain) => ({
      type: `urn:ietf:params:acme:error:${domain.startsWith("*") ? "incorrectResponse" : "dns"}`,
      detail: `reason for ${domain}`,
      status: 400,
    });
    const error = await failureOf(waitForOrder(client, await prove(), "ready", options()));
    if (!(error instanceof AcmeError)) throw error;
    expect(error.problem.subproblems?.map(({ identifier }) => identifier?.value).toSorted()).toEqual([
      "*.example.test",
      "example.test",
    ]);
    expect(error.message).toContain("example.test: reason for example.test (dns)");
    expect(error.message).toContain("*.example.test: reason for *.example.test (incorrectResponse)");
  });

  it("takes the type of the failures when they agree, and its hint", async () => {
    ca.failing = () => ({ type: "urn:ietf:params:acme:error:caa", detail: "CAA record forbids issuance" });
    const error = await failureOf(waitForOrder(client, await prove(), "ready", options()));
    if (!(error instanceof AcmeError)) throw error;
    expect(error.problem.type).toBe("urn:ietf:params:acme:error:caa");
    expect(error.hint).toContain("CAA");
  });

  it("gives up a stored order that the CA no longer knows", async () => {
    expect(await resumeOrder(client, `${ca.base}/a/order/none`, never)).toBeUndefined();
  });

  it.each(["asleep", "asking"])("ends when the signal fires while it is %s", async (state) => {
    ca.looksUntilDecided = 1000;
    const order = await prove();
    const stop = new AbortController();
    const sleep = async (ms: number, signal?: AbortSignal) => {
      if (state === "asleep") stop.abort();
      await clock.sleep(ms, signal);
    };
    ca.fault = () => {
      stop.abort();
      return { kind: "silent" };
    };
    const failed = waitForOrder(client, order, "ready", { clock: { ...clock, sleep }, signal: stop.signal });
    expect(await failureOf(failed)).toBe(stop.signal.reason);
  });
});

describe("finalizing", () => {
  it("does not take ready for done after the CSR was sent", async () => {
    ca.lagAfterFinalize = 3;
    const ready = await waitForOrder(client, await prove(), "ready", options());
    const valid = await finalizeOrder(client, ready, csr, options());
    expect(valid.status).toBe("valid");
    expect(ca.count("finalize")).toBe(1);
  });

  it.each(["lost", "truncate"] as const)(
    "reads the order after its answer was %s, rather than send the CSR twice",
    async (kind) => {
      const ready = await waitForOrder(client, await prove(), "ready", options());
      ca.fault = (seen, nth) => (seen.resource === "finalize" && nth === 1 ? { kind } : undefined);
      expect((await finalizeOrder(client, ready, csr, options())).status).toBe("valid");
      expect(ca.count("finalize")).toBe(1);
    },
  );

  it("sends the CSR again when the first attempt never arrived", async () => {
    const ready = await waitForOrder(client, await prove(), "ready", options());
    ca.fault = (seen, nth) => (seen.resource === "finalize" && nth === 1 ? { kind: "reset" } : undefined);
    expect((await finalizeOrder(client, ready, csr, options())).status).toBe("valid");
    expect(ca.count("finalize")).toBe(2);
  });

  it("takes orderNotReady for success when the order was finalized before", async () => {
    const ready = await waitForOrder(client, await prove(), "ready", options());
    await client.finalize(ready, csr, never);
    expect((await finalizeOrder(client, ready, csr, options())).status).toBe("valid");
  });

  it("is tried again when the CA refuses an order that is ready by its own word", async () => {
    const ready = await waitForOrder(client, await prove(), "ready", options());
    const body = JSON.stringify({ type: "urn:ietf:params:acme:error:orderNotReady", detail: "not yet" });
    ca.fault = (seen, nth) =>
      seen.resource === "finalize" && nth <= 3 ? { kind: "answer", status: 403, body } : undefined;
    expect((await finalizeOrder(client, ready, csr, options())).status).toBe("valid");
    expect(ca.count("finalize")).toBe(4);
  });

  it("is given up when the CA goes on refusing it", async () => {
    const ready = await waitForOrder(client, await prove(), "ready", options());
    const body = JSON.stringify({ type: "urn:ietf:params:acme:error:orderNotReady", detail: "not yet" });
    ca.fault = (seen) => (seen.resource === "finalize" ? { kind: "answer", status: 403, body } : undefined);
    expect(await failureOf(finalizeOrder(client, ready, csr, options()))).toBeInstanceOf(AcmeError);
    expect(ca.count("finalize")).toBeLessThan(20);
  });

  it("never happens while the order is pending", async () => {
    ca.looksUntilDecided = 3;
    await finalizeOrder(client, await prove(), csr, options());
    expect(ca.seen.filter(({ resource, status }) => resource === "finalize" && status >= 400)).toEqual([]);
  });

  it("waits minutes for a CA that issues slowly", async () => {
    ca.looksUntilIssued = 100;
    const ready = await waitForOrder(client, await prove(), "ready", options());
    clock.waits.length = 0;
    expect((await finalizeOrder(client, ready, csr, options())).status).toBe("valid");
    expect(clock.now()).toBeGreaterThan(180_000);
  });
});

describe("before the values are taken out", () => {
  it("every answered authorization is final", async () => {
    ca.looksUntilDecided = 4;
    const order = await prove();
    expect(await waitForFinalAuthorizations(client, order.authorizations, options())).toBe(true);
    const states = [...ca.orders.values()].flatMap(({ authorizations }) => authorizations.map(({ status }) => status));
    expect(states).toEqual(["valid", "valid"]);
  });

  it("those that nobody answered are not waited for", async () => {
    const order = await client.newOrder({ identifiers: names }, never);
    const done = await waitForFinalAuthorizations(client, order.authorizations, { ...options(), onlyAnswered: true });
    expect(done).toBe(true);
    expect(ca.count("authorization")).toBe(2);
  });

  it("the wait is bounded", async () => {
    ca.looksUntilDecided = 1000;
    const order = await prove();
    const begun = clock.now();
    const wait = { ...options(), timeoutMs: 10_000 };
    expect(await waitForFinalAuthorizations(client, order.authorizations, wait)).toBe(false);
    expect(clock.now() - begun).toBe(10_000);
  });

  it("pending authorizations are left to be reused", async () => {
    ca.failing = (domain) => (domain === "example.test" ? { type: "x", detail: "no" } : undefined);
    await failureOf(waitForOrder(client, await prove(), "ready", options()));
    expect(ca.seen.some(({ payload }) => payload?.includes("deactivated"))).toBe(false);
  });
});
