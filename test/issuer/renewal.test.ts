import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RenewalAnswer } from "../../src/acme/ari.ts";
import {
  afterCheck,
  afterFailure,
  decideRenewal,
  isCheckDue,
  nextCheck,
  type RenewalState,
  type RenewalSubject,
} from "../../src/issuer/renewal.ts";

const hour = 3_600_000;
const day = 24 * hour;
const epoch = Date.parse("2026-01-01T00:00:00Z");
const at = (ms: number) => epoch + ms;
const random = () => 0.5;

function living(days: number, serial = "01"): RenewalSubject {
  return { serial, notBefore: at(0), notAfter: at(days * day) };
}

function window(
  start: number,
  end: number,
  more: { retryAfterMs?: number; explanationUrl?: string } = {},
): RenewalAnswer {
  return { kind: "window", start: new Date(at(start)), end: new Date(at(end)), ...more };
}

describe("without renewal information", () => {
  it.each([
    [90, 60],
    [45, 30],
    [10, 10 - 10 / 3],
    [9, 4.5],
    [6, 3],
  ])("a certificate of %i days is due after %f", (days, due) => {
    const subject = living(days);
    expect(decideRenewal(subject, undefined, at(due * day - 1000)).isDue).toBe(false);
    expect(decideRenewal(subject, undefined, at(due * day))).toMatchObject({ isDue: true, rule: "lifetime" });
    expect(decideRenewal(subject, undefined, at(days * 2 * day)).isDue).toBe(true);
  });
});

describe("with the CA's window", () => {
  const subject = living(90);

  it("it is the instant chosen in it, and the reason names the window and the explanation", () => {
    const answer = window(10 * day, 12 * day, { explanationUrl: "https://ca.example/why" });
    const state = afterCheck(subject, undefined, answer, at(day), random);
    const decision = decideRenewal(subject, state, at(2 * day));
    expect(decision).toMatchObject({ isDue: false, at: at(11 * day), rule: "ari" });
    expect(decision.reason).toContain("https://ca.example/why");
    expect(decideRenewal(subject, state, at(11 * day)).isDue).toBe(true);
  });

  it("a window in the past is due now: that is how CAs ask for it after an incident", () => {
    const state = afterCheck(subject, undefined, window(-3 * day, -2 * day), at(day), random);
    expect(decideRenewal(subject, state, at(day)).isDue).toBe(true);
  });

  it("an instant before the next look is due now", () => {
    const state = afterCheck(subject, undefined, window(10 * day, 12 * day), at(day), random);
    expect(decideRenewal(subject, state, at(10.9 * day), at(11.1 * day)).isDue).toBe(true);
    expect(decideRenewal(subject, state, at(10.9 * day), at(11 * day)).isDue).toBe(false);
  });

  it("a window far after the rule of lifetimes puts it off by no more than 2 %", () => {
    const state = afterCheck(subject, undefined, window(80 * day, 89 * day), at(day), random);
    const decision = decideRenewal(subject, state, at(60 * day));
    expect(decision).toMatchObject({ isDue: false, at: at(61.8 * day), rule: "lifetime" });
    expect(decideRenewal(subject, state, at(61.8 * day)).isDue).toBe(true);
  });

  it("a window of another certificate says nothing", () => {
    const state = afterCheck(living(90, "02"), undefined, window(-3 * day, -2 * day), at(day), random);
    expect(decideRenewal(subject, state, at(day)).isDue).toBe(false);
    expect(isCheckDue(subject, state, at(day))).toBe(true);
  });

  it("a window that vanished with the CA's renewal information counts no more", () => {
    const state = afterCheck(subject, undefined, window(10 * day, 12 * day), at(day), random);
    const later = afterCheck(subject, state, { kind: "unsupported" }, at(2 * day), random);
    expect(decideRenewal(subject, later, at(20 * day)).isDue).toBe(false);
  });
});

describe("when the CA is asked", () => {
  const subject = living(90);
  const failing = (lasting: boolean, retryAfterMs?: number): RenewalAnswer => ({
    kind: "failed",
    lasting,
    reason: "no",
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });

  it.each<[string, RenewalAnswer, number]>([
    ["what it says", window(10 * day, 12 * day, { retryAfterMs: 2 * hour }), 2 * hour],
    ["six hours when it does not say", window(10 * day, 12 * day), 6 * hour],
    ["six hours after a lasting failure", failing(true), 6 * hour],
    ["a minute after a first passing failure", failing(false), 60_000],
    ["what it says with a failure", failing(false, 3 * hour), 3 * hour],
    ["a day when it has no renewal information", { kind: "unsupported" }, day],
  ])("is again after %s", (_, answer, ms) => {
    const state = afterCheck(subject, undefined, answer, at(day), random);
    expect(nextCheck(subject, state, at(day))).toEqual(at(day + ms));
    expect(isCheckDue(subject, state, at(day + ms - 1))).toBe(false);
    expect(isCheckDue(subject, state, at(day + ms))).toBe(true);
  });

  it("is later with every passing failure, but never later than six hours; an answer ends the row", () => {
    let state: RenewalState | undefined;
    const waits: number[] = [];
    for (let i = 0; i < 20; i++) {
      state = afterCheck(subject, state, failing(false), at(day), random);
      waits.push(nextCheck(subject, state, at(day)) - at(day));
    }
    expect(waits.slice(0, 3)).toEqual([60_000, 120_000, 240_000]);
    expect(Math.max(...waits)).toBe(6 * hour);
    const after = afterCheck(
      subject,
      afterCheck(subject, state, window(day, 2 * day), at(day), random),
      failing(false),
      at(day),
      random,
    );
    expect(nextCheck(subject, after, at(day))).toEqual(at(day + 60_000));
  });

  it("is not for what is due or over anyway", () => {
    expect(isCheckDue(subject, undefined, at(day))).toBe(true);
    expect(isCheckDue(subject, undefined, at(61 * day))).toBe(false);
    expect(isCheckDue(subject, undefined, at(100 * day))).toBe(false);
  });

  it("is now when the clock was wrong at the last time", () => {
    const state = afterCheck(subject, undefined, window(10 * day, 12 * day), at(50 * day), random);
    expect(isCheckDue(subject, state, at(day))).toBe(true);
  });
});

it("failures of a try are counted for this certificate and survive a look at the CA", () => {
  const subject = living(90);
  const error = { code: "ACME", message: "no", hint: "try" };
  const twice = afterFailure(subject, afterFailure(subject, undefined, error, at(0)), error, at(day));
  const state = afterCheck(subject, twice, window(10 * day, 12 * day), at(2 * day), random);
  expect(state.lastError).toEqual({ ...error, at: new Date(at(day)).toISOString(), count: 2 });
  expect(afterFailure(living(90, "02"), state, error, at(0)).lastError?.count).toBe(1);
});

describe("whatever the CA says and whenever it is asked", () => {
  const seed = Number(process.env["DNS01_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  const days = fc.constantFrom(3, 6, 9, 10, 45, 64, 90, 398);
  const answers: fc.Arbitrary<RenewalAnswer> = fc.oneof(
    fc
      .record({ from: fc.integer({ min: -400 * day, max: 800 * day }), length: fc.integer({ min: 1, max: 400 * day }) })
      .map(({ from, length }) => window(from, from + length)),
    fc.constant<RenewalAnswer>({ kind: "unsupported" }),
    fc.boolean().map((lasting): RenewalAnswer => ({ kind: "failed", lasting, reason: "no" })),
  );
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const history = fc.array(fc.tuple(answers, chance, fc.integer({ min: 0, max: 10 * day })), { maxLength: 12 });

  const stateAfter = (subject: RenewalSubject, steps: readonly (readonly [RenewalAnswer, number, number])[]) => {
    let state: RenewalState | undefined;
    let now = 0;
    for (const [answer, value, pause] of steps) {
      now += pause;
      state = afterCheck(subject, state, answer, at(now), () => value);
    }
    return { state, now };
  };

  it(`it is due before its life is at its end, at a third or half minus 2 % at the latest (seed ${seed})`, () => {
    fc.assert(
      fc.property(days, history, (life, steps) => {
        const subject = living(life);
        const { state } = stateAfter(subject, steps);
        const last = life * day * (1 - (life < 10 ? 1 / 2 : 1 / 3) + 1 / 50);
        expect(decideRenewal(subject, state, at(last + 1)).isDue).toBe(true);
        expect(decideRenewal(subject, state, at(0)).at).toBeLessThanOrEqual(at(last));
      }),
      { seed, numRuns: 500 },
    );
  });

  it(`once due by one state it stays due (seed ${seed})`, () => {
    fc.assert(
      fc.property(days, history, fc.nat(400 * day), fc.nat(400 * day), (life, steps, a, b) => {
        const subject = living(life);
        const { state } = stateAfter(subject, steps);
        const [early, late] = a < b ? [a, b] : [b, a];
        if (decideRenewal(subject, state, at(early)).isDue) {
          expect(decideRenewal(subject, state, at(late)).isDue).toBe(true);
        }
      }),
      { seed, numRuns: 500 },
    );
  });

  it(`the instant lies in the window, and stays while the window stays, through a restart too (seed ${seed})`, () => {
    fc.assert(
      fc.property(
        fc.nat(100 * day),
        fc.integer({ min: 1, max: 100 * day }),
        fc.array(chance, { minLength: 2 }),
        (from, length, chances) => {
          const subject = living(90);
          let state: RenewalState | undefined;
          const chosen = new Set<number | undefined>();
          for (const value of chances) {
            state = afterCheck(subject, state, window(from, from + length), at(day), () => value);
            // As the store keeps it.
            state = JSON.parse(JSON.stringify(state)) as RenewalState;
            chosen.add(state.window?.at);
          }
          expect(chosen.size).toBe(1);
          const instant = state?.window?.at ?? Number.NaN;
          expect(instant).toBeGreaterThanOrEqual(at(from));
          expect(instant).toBeLessThanOrEqual(at(from + length));
        },
      ),
      { seed, numRuns: 300 },
    );
  });

  it(`instants are spread over the whole window (seed ${seed})`, () => {
    fc.assert(
      fc.property(chance, (value) => {
        const state = afterCheck(living(90), undefined, window(10 * day, 20 * day), at(day), () => value);
        expect((state.window?.at ?? Number.NaN) - at(10 * day)).toBeCloseTo(value * 10 * day, -1);
      }),
      { seed, numRuns: 100 },
    );
  });

  it(`the CA is asked at least twice a day unless it wants otherwise, and never in less than a minute (seed ${seed})`, () => {
    fc.assert(
      fc.property(history, (steps) => {
        const subject = living(398);
        const { state, now } = stateAfter(subject, steps);
        if (state === undefined) return;
        const wait = nextCheck(subject, state, at(now)) - at(now);
        expect(wait).toBeGreaterThanOrEqual(60_000);
        expect(wait).toBeLessThanOrEqual(steps.at(-1)?.[0].kind === "unsupported" ? day : 12 * hour);
      }),
      { seed, numRuns: 300 },
    );
  });
});
