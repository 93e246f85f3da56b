import { expect, test } from "vitest";
import { goalMs, mean, waitInWeather } from "./propagation-weather.ts";

/** The faults of test/real/cli-never-early.test.ts. */
const heavy = { drop: 0.4, truncate: 0.3, servfail: 0.2, rttMs: 1 };
/** What the way from the verdict to the answered challenges may take of the goal. */
const restMs = 40;

test.each([
  ["heavy weather", { ...heavy, late: 0 }],
  ["heavy weather on a busy machine", { ...heavy, late: 0.03 }],
  ["a busy machine alone", { drop: 0, truncate: 0, servfail: 0, rttMs: 1, late: 0.03 }],
])(
  "in %s the yes comes within 0.1 + 0.05·√T s in the mean, never early, and within the questions",
  async (_, weather) => {
    const waits = [];
    for (let seed = 1; seed <= 100; seed++) waits.push(await waitInWeather(seed, weather));
    for (const [i, wait] of waits.entries()) {
      expect(wait.verdict.status, `seed ${i + 1}`).toBe("propagated");
      expect(wait.overshootMs, `seed ${i + 1}`).toBeGreaterThanOrEqual(0);
      expect(wait.questions, `seed ${i + 1}`).toBeLessThanOrEqual(wait.budget);
    }
    expect(mean(waits.map((w) => w.overshootMs))).toBeLessThanOrEqual(goalMs(waits) - restMs);
    expect(mean(waits.map((w) => w.sent.length))).toBeLessThanOrEqual(mean(waits.map((w) => w.budget)));
  },
);
