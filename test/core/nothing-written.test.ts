import { expect, test } from "vitest";
import { AuthError, Dns01Error, RateLimitedError, RejectedError, TransientError } from "../../src/core/errors.ts";
import { silent } from "../../src/core/events.ts";
import { guard } from "../../src/core/guard.ts";
import { parseName } from "../../src/core/name.ts";
import type { TxtBackend } from "../../src/core/provider.ts";
import { recordBackend } from "../../src/core/records.ts";
import { rrsetBackend } from "../../src/core/rrsets.ts";
import { combineFailures, isUntouched } from "../../src/core/solver.ts";
import { virtualClock } from "./virtual-clock.ts";

const zone = { apex: parseName("example.com"), id: "1" };
const owner = { zone, fqdn: parseName("_acme-challenge.example.com"), relative: "_acme-challenge" };
const edits = [{ owner, add: ["a", "b"], remove: [] }];

/** What the error of adding two values says, by whatever each request of the service throws; undefined is success. */
async function said(backend: TxtBackend, abortAfterMs?: number): Promise<boolean | undefined> {
  const clock = virtualClock();
  const stop = new AbortController();
  if (abortAfterMs !== undefined)
    void clock.sleep(abortAfterMs, stop.signal).then(() => stop.abort(new AuthError("me")));
  const provider = { id: "fake", traits: { ttlSeconds: { min: 1, default: 60 } } };
  const guarded = guard(backend, { provider, observer: silent, clock, timeoutMs: 10_000 });
  const call = { signal: stop.signal, ttlSeconds: 60 };
  const error: unknown = await clock.drive(guarded.apply(zone, edits, call)).catch((e: unknown) => e);
  if (!Dns01Error.is(error)) throw new Error(`expected an error, got ${String(error)}`);
  return error.nothingWritten;
}

const inTurn = (...errors: readonly unknown[]) => {
  const left = [...errors];
  return async () => {
    const error = left.length > 1 ? left.shift() : left[0];
    if (error !== undefined) throw error;
  };
};
const findZone = async () => zone;
const records = (create: () => Promise<void>, list: () => Promise<readonly never[]> = async () => []) =>
  recordBackend({ findZone, list, create, delete: async () => {} });
const rrsets = (replace: () => Promise<void>) =>
  rrsetBackend({ conditional: true, findZone, read: async () => undefined, replace });
const direct = (apply: () => Promise<void>): TxtBackend => ({
  findZone,
  apply: async () => {
    await apply();
    return ["changed"];
  },
});

const rejected = () => new RejectedError("no");
const down = () => new TransientError("down");

test("nothing was written where every write was refused, or none was begun", async () => {
  expect(await said(records(inTurn(rejected())))).toBe(true);
  expect(await said(rrsets(inTurn(new AuthError("no"))))).toBe(true);
  expect(await said(records(inTurn(new RateLimitedError("slow", { retryAfterMs: 1 }), rejected())))).toBe(true);
  expect(await said(records(inTurn(undefined), () => Promise.reject(new AuthError("no"))))).toBe(true);
  expect(await said(records(inTurn(undefined), () => Promise.reject(down())))).toBe(true);
});

test("it is in doubt after a write that was carried out, or may have been", async () => {
  expect(await said(records(inTurn(undefined, rejected())))).toBe(false);
  expect(await said(records(inTurn(down(), rejected())))).toBe(false);
  expect(await said(rrsets(inTurn(down(), new AuthError("no"))))).toBe(false);
  expect(await said(rrsets(inTurn(down())))).toBe(false);
  expect(await said(rrsets(inTurn(new Dns01Error("UNKNOWN", "what", false))))).toBe(false);
});

test("an adapter that doubts its own refusal is believed, and one without a lift has to be sure itself", async () => {
  expect(await said(records(inTurn(new AuthError("no", { nothingWritten: false }))))).toBe(false);
  expect(await said(direct(inTurn(rejected())))).toBe(false);
  expect(await said(direct(inTurn(new RejectedError("no", { nothingWritten: true }))))).toBe(true);
  expect(await said(direct(inTurn(down(), new RejectedError("no", { nothingWritten: true }))))).toBe(false);
});

test("a caller's abort is left as it is, and a deadline in the middle of a write is no certainty", async () => {
  expect(
    await said(
      records(() => new Promise(() => {})),
      500,
    ),
  ).toBeUndefined();
  expect(await said(records(() => new Promise(() => {})))).toBe(false);
});

test("of several zones each is told by itself", () => {
  const never = new AbortController().signal;
  const sure = new RejectedError("no", { nothingWritten: true });
  const one = { name: "one.test", error: sure };
  const two = { name: "two.test", error: rejected() };
  const mixed = combineFailures([one, two], ["three.test"], never);
  const touched = ["one.test", "two.test", "three.test"].map((apex) => isUntouched(mixed, apex));
  expect(touched).toEqual([true, false, false]);
  expect(mixed).toMatchObject({ nothingWritten: false });
  expect(combineFailures([one, { name: "two.test", error: sure }], [], never)).toMatchObject({ nothingWritten: true });
  expect(isUntouched(combineFailures([one], [], never), "one.test")).toBe(true);
});
