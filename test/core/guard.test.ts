import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import {
  AbortedError,
  AuthError,
  ConflictError,
  Dns01Error,
  RateLimitedError,
  TransientError,
} from "../../src/core/errors.ts";
import type { Dns01Event } from "../../src/core/events.ts";
import { type GuardOptions, guard } from "../../src/core/guard.ts";
import { parseName } from "../../src/core/name.ts";
import type { Edit, TxtBackend } from "../../src/core/provider.ts";
import { createRedactor } from "../../src/core/redact.ts";
import { HttpError } from "../../src/http.ts";
import { virtualClock } from "./virtual-clock.ts";

const zone = { apex: parseName("example.com"), id: "1" };
const owner = { zone, fqdn: parseName("_acme-challenge.example.com"), relative: "_acme-challenge" };
const edits: readonly Edit[] = [{ owner, add: ["a"], remove: [] }];

function setUp(apply: TxtBackend["apply"], options: Partial<GuardOptions> = {}, findZone?: TxtBackend["findZone"]) {
  const clock = virtualClock();
  const events: Dns01Event[] = [];
  const stop = new AbortController();
  const backend = guard(
    { findZone: findZone ?? (async () => zone), apply },
    {
      provider: { id: "fake", traits: { ttlSeconds: { min: 1, default: 60 } } },
      observer: (event) => events.push(event),
      clock,
      ...options,
    },
  );
  return { backend, clock, events, stop, call: { signal: stop.signal, ttlSeconds: 60 } };
}

const failing = (...errors: readonly unknown[]): TxtBackend["apply"] => {
  const left = [...errors];
  return async () => {
    if (left.length > 0) throw left.shift();
    return ["changed"];
  };
};

test("a retryable failure is repeated and reported", async () => {
  const { backend, clock, events, call } = setUp(failing(new TransientError("down"), new ConflictError("busy")));
  expect(await clock.drive(backend.apply(zone, edits, call))).toEqual(["changed"]);
  expect(events.map((e) => (e.type === "call" || e.type === "retry" ? `${e.type} ${e.code}` : `${e.type}`))).toEqual([
    "step",
    "call TRANSIENT",
    "retry TRANSIENT",
    "step",
    "call CONFLICT",
    "retry CONFLICT",
    "step",
    "call OK",
    "step",
  ]);
  expect(clock.pending).toBe(0);
});

test("a permanent failure is not repeated, and says who failed at what", async () => {
  const { backend, clock, events, call } = setUp(
    failing(new AuthError("signature rejected", { hint: "Check the key." })),
  );
  const error: unknown = await clock.drive(backend.apply(zone, edits, call)).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(AuthError);
  expect(error).toMatchObject({
    message: "fake: cannot change TXT in example.com: signature rejected",
    provider: "fake",
    zone: "example.com",
    operation: "apply",
    hint: "Check the key.",
  });
  expect(events.filter(({ type }) => type === "call")).toHaveLength(1);
});

test.each([
  [401, "AUTH"],
  [403, "AUTH"],
  [404, "REJECTED"],
  [409, "CONFLICT"],
  [412, "CONFLICT"],
  [422, "REJECTED"],
  [429, "RATE_LIMITED"],
  [408, "TRANSIENT"],
  [500, "TRANSIENT"],
  [503, "TRANSIENT"],
])("a status of %d becomes %s", async (status, code) => {
  const cause = new HttpError(`POST http://x/y: ${status}`, { status, body: undefined, headers: {} });
  const once = { attempts: 1, baseMs: 0, maxMs: 0 };
  const { backend, clock, call } = setUp(failing(cause), { retry: once });
  await expect(clock.drive(backend.apply(zone, edits, call))).rejects.toMatchObject({ code });
});

test.each([
  [Object.assign(new Error("connect"), { code: "ECONNREFUSED" }), "TRANSIENT"],
  [new TypeError("fetch failed", { cause: Object.assign(new Error("x"), { code: "ENOTFOUND" }) }), "TRANSIENT"],
  [
    new TypeError("fetch failed", {
      cause: Object.assign(new AggregateError([Object.assign(new Error("a"), { code: "ETIMEDOUT" })])),
    }),
    "TRANSIENT",
  ],
  [new TypeError("fetch failed", { cause: Object.assign(new Error("x"), { code: "CERT_HAS_EXPIRED" }) }), "REJECTED"],
  [new TypeError("x is not a function"), "UNKNOWN"],
  ["a string", "UNKNOWN"],
  [undefined, "UNKNOWN"],
])("%s becomes %s", async (cause, code) => {
  const once = { attempts: 1, baseMs: 0, maxMs: 0 };
  const apply = () => Promise.reject(cause);
  const { backend, clock, call } = setUp(apply, { retry: once });
  const error: unknown = await clock.drive(backend.apply(zone, edits, call)).catch((e: unknown) => e);
  expect(Dns01Error.is(error) && error.code).toBe(code);
});

test("the provider's own table is asked first, and may itself fail", async () => {
  const traits = { ttlSeconds: { min: 1, default: 60 } };
  const own = setUp(failing(new Error("quota 42")), {
    provider: { id: "fake", traits, classify: () => new AuthError("no right to do so") },
  });
  await expect(own.clock.drive(own.backend.apply(zone, edits, own.call))).rejects.toMatchObject({ code: "AUTH" });
  const broken = setUp(failing(new Error("quota 42")), {
    provider: {
      id: "fake",
      traits,
      classify: () => {
        throw new Error("table is broken");
      },
    },
  });
  await expect(broken.clock.drive(broken.backend.apply(zone, edits, broken.call))).rejects.toThrow("quota 42");
});

test("a request that never answers ends after its time limit, and is tried again", async () => {
  let calls = 0;
  const apply: TxtBackend["apply"] = () => (++calls === 1 ? new Promise(() => {}) : Promise.resolve(["changed"]));
  const { backend, clock, call } = setUp(apply, { requestTimeoutMs: 10_000 });
  expect(await clock.drive(backend.apply(zone, edits, call))).toEqual(["changed"]);
  expect(calls).toBe(2);
  // Time limit, and then the grace for the abandoned write to end.
  expect(clock.now()).toBeGreaterThanOrEqual(15_000);
  expect(clock.pending).toBe(0);
});

test("the next attempt waits for an abandoned write to end", async () => {
  const log: string[] = [];
  const { backend, clock, call } = setUp(
    async () => {
      log.push("begins");
      if (log.length === 1) await clock.sleep(12_000);
      log.push("ends");
      return ["changed"];
    },
    { requestTimeoutMs: 10_000 },
  );
  await clock.drive(backend.apply(zone, edits, call));
  expect(log).toEqual(["begins", "ends", "begins", "ends"]);
});

test("the whole ends at the deadline, although the backend never answers", async () => {
  const { backend, clock, call } = setUp(() => new Promise(() => {}), { timeoutMs: 60_000, requestTimeoutMs: 25_000 });
  await expect(clock.drive(backend.apply(zone, edits, call))).rejects.toMatchObject({
    code: "TRANSIENT",
    timeout: true,
  });
  expect(clock.now()).toBeLessThanOrEqual(60_000);
  expect(clock.pending).toBe(0);
});

test("the caller's signal ends the wait at once with its own reason, and no further attempt is made", async () => {
  let calls = 0;
  const apply: TxtBackend["apply"] = () => {
    calls++;
    return new Promise(() => {});
  };
  const { backend, clock, stop, call } = setUp(apply);
  const work = backend.apply(zone, edits, call);
  await setImmediate();
  const reason = new AbortedError("enough");
  stop.abort(reason);
  await expect(work).rejects.toBe(reason);
  expect(calls).toBe(1);
  expect(clock.pending).toBe(0);
});

test("a service that asks for silence gets it from every request", async () => {
  let calls = 0;
  const apply: TxtBackend["apply"] = async () => {
    if (++calls === 1) throw new RateLimitedError("slow down", { retryAfterMs: 20_000 });
    return ["changed"];
  };
  const { backend, clock, call } = setUp(apply);
  const first = backend.apply(zone, edits, call);
  await setImmediate();
  const second = backend.findZone(zone.apex, call);
  await clock.drive(second);
  expect(clock.now()).toBeGreaterThanOrEqual(20_000);
  await clock.drive(first);
});

test("nonsense from a backend is an error that names the provider", async () => {
  const short = setUp(async () => []);
  await expect(short.clock.drive(short.backend.apply(zone, edits, short.call))).rejects.toThrow(
    /^fake: .*each of 1 edits/,
  );
  const wrong = setUp(failing(), {}, async () => ({ apex: parseName("example.org"), id: "1" }));
  await expect(wrong.clock.drive(wrong.backend.findZone(zone.apex, wrong.call))).rejects.toThrow(
    /^fake: .*exactly example.com/,
  );
  const number = setUp(failing(), {}, async () => ({ apex: zone.apex, id: 7 as unknown as string }));
  await expect(number.clock.drive(number.backend.findZone(zone.apex, number.call))).rejects.toThrow(
    "asked for exactly example.com and returned an id that is no text (number): String(id) makes it one",
  );
  const throwing = setUp(() => {
    throw new Error("at once");
  });
  await expect(throwing.clock.drive(throwing.backend.apply(zone, edits, throwing.call))).rejects.toThrow("at once");
});

test("secrets are masked in the message and in what is kept of the cause", async () => {
  const redactor = createRedactor();
  redactor.add("hunter2hunter2");
  const cause = Object.assign(new Error("login hunter2hunter2 failed"), {
    config: { headers: { authorization: `Basic ${btoa("me:hunter2hunter2")}` } },
    code: "E42",
  });
  const { backend, clock, call } = setUp(failing(cause), { redact: redactor.redact });
  const error = await clock.drive(backend.apply(zone, edits, call)).then(
    () => undefined,
    (e: Error) => e,
  );
  expect(error?.message).toBe("fake: cannot change TXT in example.com: login *** failed");
  expect(`${error?.stack}`).not.toContain("hunter2");
  expect(error?.cause).toMatchObject({ message: "login *** failed", code: "E42" });
  expect(error?.cause).not.toHaveProperty("config");
  expect(String((error?.cause as Error | undefined)?.stack)).not.toContain("hunter2");
});

test("a silence that outlasts the call is told at once to every call, in the service's words, and nothing is sent", async () => {
  let calls = 0;
  const { backend, clock, call } = setUp(
    async () => {
      calls += 1;
      throw new RateLimitedError("slow down", { retryAfterMs: 3_600_000 });
    },
    { timeoutMs: 30_000 },
  );
  const messages: string[] = [];
  for (let i = 0; i < 3; i++) {
    const before = clock.now();
    const error: unknown = await clock.drive(backend.apply(zone, edits, call)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "RATE_LIMITED", retryAfterMs: 3_600_000 });
    messages.push((error as Error).message);
    expect(clock.now() - before).toBe(0);
  }
  expect(new Set(messages).size).toBe(1);
  expect(calls).toBe(1);
});

test("a silence that one zone's writes are asked for leaves reads and other zones alone", async () => {
  const other = { apex: parseName("example.net"), id: "2" };
  const otherEdits: readonly Edit[] = [{ owner: { ...owner, zone: other }, add: ["a"], remove: [] }];
  let calls = 0;
  const { backend, clock, call } = setUp(
    async ({ apex }) => {
      calls += 1;
      if (apex === zone.apex) throw new RateLimitedError("slow down", { retryAfterMs: 3_600_000, scope: "zone" });
      return ["changed"];
    },
    { timeoutMs: 30_000 },
  );
  const refused = () => clock.drive(backend.apply(zone, edits, call)).catch((thrown: unknown) => thrown);
  expect(await refused()).toMatchObject({ code: "RATE_LIMITED", scope: "zone" });
  expect(await clock.drive(backend.apply(other, otherEdits, call))).toEqual(["changed"]);
  expect(await clock.drive(backend.findZone(zone.apex, call))).toEqual(zone);
  expect(clock.now()).toBe(0);
  // Of the zone itself nothing is sent in vain.
  expect(await refused()).toMatchObject({ code: "RATE_LIMITED", retryAfterMs: 3_600_000 });
  expect(calls).toBe(2);
});

test("a short silence of a zone is kept by its writes, and they go on after it", async () => {
  const other = { apex: parseName("example.net"), id: "2" };
  const otherEdits: readonly Edit[] = [{ owner: { ...owner, zone: other }, add: ["a"], remove: [] }];
  const sent: string[] = [];
  const { backend, clock, call } = setUp(async ({ apex }) => {
    sent.push(`${apex} ${Math.floor(clock.now() / 20_000)}`);
    if (sent.length === 1) throw new RateLimitedError("slow down", { retryAfterMs: 20_000, scope: "zone" });
    return ["changed"];
  });
  const first = backend.apply(zone, edits, call);
  await setImmediate();
  const rest = [backend.apply(zone, edits, call), backend.apply(other, otherEdits, call)];
  await clock.drive(Promise.all([first, ...rest]));
  expect(sent.slice(0, 2)).toEqual(["example.com 0", "example.net 0"]);
  expect(sent.slice(2)).toEqual(["example.com 1", "example.com 1"]);
});
