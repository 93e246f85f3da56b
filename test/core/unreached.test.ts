import { expect, test } from "vitest";
import { AuthError, TransientError } from "../../src/core/errors.ts";
import { guard } from "../../src/core/guard.ts";
import { parseName } from "../../src/core/name.ts";
import { virtualClock } from "./virtual-clock.ts";

const apex = parseName("example.com");
const zone = { apex, id: "1" };

/** A guarded service that answers each look-up with the next of these; the last one goes on for ever. */
function service(...answers: readonly (Error | undefined)[]) {
  const left = [...answers];
  const clock = virtualClock();
  let asked = 0;
  const findZone = async () => {
    asked++;
    const answer = left.length > 1 ? left.shift() : left[0];
    if (answer !== undefined) throw answer;
    return zone;
  };
  const backend = guard(
    { findZone, apply: async () => ["changed"] },
    { provider: { id: "fake", traits: { ttlSeconds: { min: 1, default: 60 } } }, observer: () => {}, clock },
  );
  const call = () => ({ signal: new AbortController().signal, ttlSeconds: 60 });
  const lookUp = async () => {
    const from = clock.now();
    const error: unknown = await clock.drive(backend.findZone(apex, call())).catch((e: unknown) => e);
    return { error, tookMs: clock.now() - from };
  };
  return { lookUp, asked: () => asked };
}

const ofSystem = (code: string) => Object.assign(new Error(`connect ${code} 192.0.2.1:53`), { code });

test.each(["ENOTFOUND", "EHOSTUNREACH", "ENETUNREACH"])("%s ends the first contact at once", async (code) => {
  const { lookUp, asked } = service(ofSystem(code));
  const { error, tookMs } = await lookUp();
  expect(error).toMatchObject({ code: "TRANSIENT", retryable: true });
  expect(tookMs).toBe(0);
  expect(asked()).toBe(1);
});

test.each(["ECONNREFUSED", "ETIMEDOUT", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"])(
  "%s ends the first contact after a few tries in eight seconds",
  async (code) => {
    const { lookUp, asked } = service(ofSystem(code));
    const { error, tookMs } = await lookUp();
    expect(error).toMatchObject({ code: "TRANSIENT" });
    expect(tookMs).toBeLessThan(8_000);
    expect(asked()).toBeGreaterThan(3);
  },
);

test.each<[string, Error | undefined]>([
  ["an answer", undefined],
  ["a refusal", new AuthError("wrong key")],
])("a service that was heard once, by %s, is asked until the deadline", async (_, first) => {
  const { lookUp } = service(first, ofSystem("ECONNREFUSED"));
  await lookUp();
  const { error, tookMs } = await lookUp();
  expect(error).toMatchObject({ code: "TRANSIENT" });
  expect(tookMs).toBeGreaterThan(60_000);
});

test("a server that comes back within a few seconds is no failure", async () => {
  const refused = ofSystem("ECONNREFUSED");
  expect((await service(refused, refused, refused, undefined).lookUp()).error).toEqual(zone);
});

test("a failure without a limit of its own is repeated until the deadline", async () => {
  expect((await service(new TransientError("busy")).lookUp()).tookMs).toBeGreaterThan(60_000);
});
