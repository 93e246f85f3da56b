import { describe, expect, test } from "vitest";
import { HOUR, MINUTE } from "../../src/issuer/budget-limits.ts";
import { createSchedule, type Look } from "../../src/issuer/schedule.ts";
import { createAgenda } from "../../src/issuer/schedule-agenda.ts";
import { createSpread } from "../../src/issuer/schedule-spread.ts";
import { createRandom } from "../../src/testing/random.ts";
import { createVirtualClock } from "../fakes/virtual-clock.ts";

const day = 24 * HOUR;

function world(look: (key: string, at: number) => Look | Promise<Look>, parallel = 2) {
  const clock = createVirtualClock();
  const stop = new AbortController();
  const jump = { ms: 0 };
  const looks: { readonly key: string; readonly at: number }[] = [];
  const faults: unknown[] = [];
  const now = () => clock.now() + jump.ms;
  const schedule = createSchedule({
    clock,
    now,
    signal: stop.signal,
    parallel,
    look: async (key) => {
      looks.push({ key, at: clock.now() });
      return await look(key, now());
    },
    onFault: (_, error) => void faults.push(error),
  });
  return { clock, stop, jump, looks, faults, schedule };
}

describe("the schedule", () => {
  test("looks when it is time, and again when it was told", async () => {
    const { clock, stop, looks, schedule } = world((_, at) => ({ at: at + HOUR }));
    schedule.set("a", 10 * MINUTE);
    const running = schedule.run();
    await clock.advance(3 * HOUR);
    expect(looks.map(({ at }) => at / MINUTE)).toEqual([10, 70, 130]);
    schedule.set("a", 0);
    await clock.advance(0);
    expect(looks).toHaveLength(4);
    stop.abort();
    await clock.run(running);
  });

  test("works on the most urgent first, on no more than so many at once, and waits for them at the end", async () => {
    const order: string[] = [];
    let atOnce = 0;
    let most = 0;
    const { clock, stop, schedule } = world((key) => ({
      urgency: Number(key),
      work: async () => {
        order.push(key);
        most = Math.max(most, ++atOnce);
        await clock.sleep(MINUTE);
        atOnce--;
        return Number.POSITIVE_INFINITY;
      },
    }));
    for (const [n, key] of ["5", "3", "1", "4", "2"].entries()) schedule.set(key, n < 2 ? 0 : 1000);
    const running = schedule.run();
    await clock.advance(90_000);
    expect(order.slice(2)).toEqual(["1", "2"]);
    expect(schedule.counts).toEqual({ keys: 5, looking: 0, waiting: 1, working: 2 });
    stop.abort();
    await clock.run(running);
    expect({ most, atOnce, done: order.length }).toEqual({ most: 2, atOnce: 0, done: 4 });
    expect(order.slice(0, 2).sort()).toEqual(["3", "5"]);
  });

  test("a clock that is set forward, or back, is noticed within a minute", async () => {
    for (const by of [10 * day, -10 * day]) {
      const { clock, stop, jump, looks, schedule } = world((_, at) => ({ at: at + 5 * day }));
      schedule.set("a", 0);
      const running = schedule.run();
      await clock.advance(HOUR);
      jump.ms = by;
      await clock.advance(61_000);
      expect(looks).toHaveLength(2);
      stop.abort();
      await clock.run(running);
    }
  });

  test("what is set while it is worked on is looked at once more; what is taken away is not", async () => {
    const { clock, stop, looks, schedule } = world(() => ({
      urgency: 0,
      work: async () => {
        await clock.sleep(MINUTE);
        return Number.POSITIVE_INFINITY;
      },
    }));
    schedule.set("a", 0);
    schedule.set("b", 0);
    const running = schedule.run();
    await clock.advance(1000);
    schedule.set("a", 0);
    schedule.delete("b");
    await clock.advance(10 * MINUTE);
    expect(looks.map(({ key }) => key)).toEqual(["a", "b", "a"]);
    expect(schedule.counts.keys).toBe(1);
    stop.abort();
    await clock.run(running);
  });

  test("a look that throws is told, and made again in an hour", async () => {
    const { clock, stop, looks, faults, schedule } = world(() => Promise.reject(new Error("no")));
    schedule.set("a", 0);
    const running = schedule.run();
    await clock.advance(61 * MINUTE);
    expect(looks).toHaveLength(2);
    expect(faults).toHaveLength(2);
    stop.abort();
    await clock.run(running);
  });
});

test("the agenda gives out keys by their time, whatever was put off or taken away", () => {
  const random = createRandom(7);
  const agenda = createAgenda();
  const wanted = new Map<string, number>();
  for (let n = 0; n < 5000; n++) {
    const key = `k${Math.floor(random() * 300)}`;
    if (random() < 0.2) {
      agenda.delete(key);
      wanted.delete(key);
    } else {
      const at = random();
      agenda.set(key, at);
      wanted.set(key, at);
    }
  }
  const taken: string[] = [];
  for (let key = agenda.take(1); key !== undefined; key = agenda.take(1)) taken.push(key);
  expect(taken).toEqual([...wanted].sort((a, b) => a[1] - b[1]).map(([key]) => key));
});

describe("the spread", () => {
  const subject = (n: number) => ({
    serial: `s${n}`,
    notBefore: 0,
    notAfter: 90 * day,
  });

  test("two thousand that were issued together come back over weeks, none late, no hour with too many", () => {
    const spread = createSpread();
    const last = 60 * day;
    const hours = new Map<number, number>();
    const places = Array.from({ length: 2000 }, (_, n) => spread.place(`c${n}`, subject(n), last, 0));
    for (const at of places) hours.set(Math.floor(at / HOUR), (hours.get(Math.floor(at / HOUR)) ?? 0) + 1);
    expect(Math.max(...places)).toBeLessThanOrEqual(last);
    expect(Math.min(...places)).toBeGreaterThanOrEqual(last - 27 * day);
    // 2,000 within 27 days are three an hour: full hours are rare, and none has many.
    expect(Math.max(...hours.values())).toBeLessThanOrEqual(6);
  });

  test("an instant stays while the certificate does, and is not in the past after a start", () => {
    const spread = createSpread();
    const last = 60 * day;
    const at = spread.place("c", subject(1), last, 0);
    expect(spread.place("c", subject(1), last, at + 1)).toBe(at);
    const fresh = createSpread();
    expect(fresh.place("c", subject(1), last, at + 1)).toBeGreaterThan(at);
    expect(fresh.place("c", subject(2), last, last + 1)).toBe(last);
  });
});
