import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  deadlineWith,
  emptyHint,
  hazardPerSecond,
  observedMs,
  type PropagationHint,
  parseHint,
  quantileMs,
  withObservation,
} from "../../src/dns/hint.ts";
import { budgetOf, gapMs, jittered, slowdown } from "../../src/dns/polling.ts";
import { from, lab, mute } from "./propagation-lab.ts";

function learned(...times: readonly number[]): PropagationHint {
  return times.reduce((hint, ms) => withObservation(hint, ms), emptyHint);
}

const tenAt = (ms: number) => learned(...new Array<number>(10).fill(ms));

describe("history", () => {
  test("says nothing before there is enough of it", () => {
    const little = learned(3_000, 3_000, 3_000);
    expect(quantileMs(little, 0.5)).toBeUndefined();
    expect(hazardPerSecond(little, 3_000)).toBeUndefined();
    expect(deadlineWith(little, 60_000)).toBe(60_000);
  });

  test("brackets every quantile from below by at most one bucket", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 3_600_000 }), { minLength: 8, maxLength: 150 }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (times, q) => {
          const sorted = times.toSorted((a, b) => a - b);
          const exact = sorted[Math.ceil(q * sorted.length - 1e-9) - 1] ?? 0;
          const found = quantileMs(learned(...times), q) ?? Number.NaN;
          expect(found).toBeLessThanOrEqual(exact);
          expect(Math.max(found, 250 / Math.SQRT2) * Math.SQRT2 * 1.000_001).toBeGreaterThanOrEqual(
            Math.min(exact, 250 * 2 ** 15.5),
          );
        },
      ),
    );
  });

  test("survives JSON, and what is no history is refused", () => {
    const hint = withObservation(tenAt(2_000), 5_000, true);
    expect(parseHint(JSON.parse(JSON.stringify(hint)))).toEqual(hint);
    for (const other of [
      undefined,
      null,
      3,
      [],
      {},
      { schema: 2, counts: [] },
      { schema: 1, counts: [-1] },
      { schema: 1, counts: [0.5] },
      { schema: 1, counts: new Array(99).fill(1) },
    ]) {
      expect(parseHint(other)).toBeUndefined();
    }
  });

  test("forgets half when there is a lot, so that a change is learned", () => {
    let hint = emptyHint;
    for (let i = 0; i < 1_000; i++) hint = withObservation(hint, 1_000);
    expect(hint.counts.reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(200);
    for (let i = 0; i < 300; i++) hint = withObservation(hint, 60_000);
    expect(quantileMs(hint, 0.5)).toBeGreaterThan(30_000);
  });

  test("ignores what is no time", () => {
    expect(withObservation(emptyHint, Number.NaN)).toBe(emptyHint);
    expect(withObservation(emptyHint, -1)).toBe(emptyHint);
  });

  test("raises a deadline that is too short for this provider and never lowers one", () => {
    expect(deadlineWith(tenAt(200_000), 300_000)).toBeGreaterThanOrEqual(600_000);
    expect(deadlineWith(tenAt(1_000), 300_000)).toBe(300_000);
    expect(deadlineWith(undefined, 300_000)).toBe(300_000);
  });

  test("is observed as the time when the last nameserver agreed", async () => {
    const verdict = await lab(
      { "192.0.2.1": from(0), "192.0.2.2": from(3_000), "192.0.2.3": mute },
      { settleMs: 9_000 },
    ).run();
    const observed = observedMs(verdict);
    expect(observed).toBeGreaterThanOrEqual(3_000);
    expect(observed).toBeLessThan(3_500);
    expect(observedMs({ ...verdict, status: "timeout" })).toBeUndefined();
  });
});

describe("a wait with history", () => {
  test("asks nobody before one change in ten was ready, and says why", async () => {
    const { run, asked, events } = lab({ "192.0.2.1": from(9_000) }, { hint: tenAt(8_000) });
    expect((await run()).status).toBe("propagated");
    expect(asked[0]?.at).toBeGreaterThan(5_000);
    expect(events.find((e) => e.type === "propagation.wait")).toMatchObject({
      reason: expect.stringContaining("earlier changes"),
    });
  });
  test("does not sleep where changes are quick", async () => {
    const { run, asked } = lab({ "192.0.2.1": from(0) }, { hint: tenAt(900) });
    await run();
    expect(asked[0]?.at).toBe(0);
  });
  test("never sleeps through the deadline", async () => {
    const { run } = lab({ "192.0.2.1": from(0) }, { hint: tenAt(60_000), deadlineMs: 10_000 });
    expect((await run()).status).toBe("propagated");
  });
});

describe("the gap between two questions", () => {
  test.each([
    [0, 250],
    [1_000, 250],
    [6_250, 250],
    [25_000, 500],
    [100_000, 1_000],
    [120_000, 1_000],
    [240_000, 2_000],
    [600_000, 5_000],
    [6_000_000, 5_000],
  ])("after %i ms is %i ms", (elapsed, gap) => {
    expect(gapMs(elapsed)).toBeCloseTo(gap, 6);
  });
  test("is shorter where history knows that it happens about now, and never longer", () => {
    expect(gapMs(29_000, tenAt(30_000))).toBeLessThan(0.7 * gapMs(29_000));
    expect(gapMs(5_000, tenAt(30_000))).toBe(gapMs(5_000));
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 600_000 }), { minLength: 8, maxLength: 40 }),
        fc.integer({ min: 0, max: 600_000 }),
        (times, at) => {
          const gap = gapMs(at, learned(...times));
          expect(gap).toBeGreaterThanOrEqual(Math.max(250, gapMs(at) / 2));
          expect(gap).toBeLessThanOrEqual(gapMs(at));
        },
      ),
    );
  });
  test("is spread by a tenth", () => {
    expect([jittered(1_000, 0), jittered(1_000, 0.5), jittered(1_000, 0.999_999)].map(Math.round)).toEqual([
      900, 1_000, 1_100,
    ]);
  });
  test("doubles with each budget that is used up", () => {
    expect(budgetOf(4)).toBe(600);
    expect(budgetOf(100)).toBe(2_000);
    expect([0, 599, 600, 1_199, 1_200, 60_000].map((used) => slowdown(used, 600))).toEqual([1, 1, 2, 2, 4, 16]);
  });
});
