import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { AbortedError, AuthError, ConflictError, RateLimitedError, TransientError } from "../../src/core/errors.ts";
import { createLock } from "../../src/core/lock.ts";
import { createRateLimit } from "../../src/core/rate.ts";
import { retry } from "../../src/core/retry.ts";
import { virtualClock } from "./virtual-clock.ts";

const never = new AbortController().signal;

describe("createLock", () => {
  test("lets one holder at a time in, in order of arrival", async () => {
    const lock = createLock();
    const log: string[] = [];
    const work = (name: string) => async () => {
      log.push(`${name} in`);
      await setImmediate();
      log.push(`${name} out`);
    };
    await Promise.all(["a", "b", "c"].map((name) => lock.hold(["key"], never, work(name))));
    expect(log).toEqual(["a in", "a out", "b in", "b out", "c in", "c out"]);
    expect(lock.size).toBe(0);
  });

  test("two callers with the same keys in another order do not wait for each other", async () => {
    const lock = createLock();
    const hold = (keys: readonly string[]) => lock.hold(keys, never, () => setImmediate("done"));
    const all = Array.from({ length: 20 }, (_, i) => hold(i % 2 === 0 ? ["a", "b", "c"] : ["c", "b", "a", "a"]));
    expect(await Promise.all(all)).toHaveLength(20);
    expect(lock.size).toBe(0);
  });

  test("a waiter that gives up leaves the line, and the others go on", async () => {
    const lock = createLock();
    const stop = new AbortController();
    let release = () => {};
    const holder = lock.hold(["key"], never, () => new Promise<void>((resolve) => (release = resolve)));
    const waiter = lock.hold(["a", "key"], stop.signal, async () => "never");
    const next = lock.hold(["key"], never, async () => "next");
    await setImmediate();
    stop.abort(new AbortedError("enough"));
    await expect(waiter).rejects.toThrow("enough");
    release();
    await holder;
    expect(await next).toBe("next");
    expect(lock.size).toBe(0);
  });

  test("lets go when the work fails", async () => {
    const lock = createLock();
    await expect(lock.hold(["key"], never, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(await lock.hold(["key"], never, async () => "yes")).toBe("yes");
  });
});

describe("createRateLimit", () => {
  test("lets no more than the limit through in any window", async () => {
    const clock = virtualClock();
    const limit = createRateLimit(clock, { requests: 4, perMs: 1000 });
    const times: number[] = [];
    const take = async () => {
      await limit.take(never);
      times.push(clock.now());
    };
    await clock.drive(Promise.all(Array.from({ length: 23 }, take)));
    for (const [i, at] of times.entries())
      expect((times[i + 4] ?? Number.POSITIVE_INFINITY) - at).toBeGreaterThanOrEqual(1000);
    expect(clock.now()).toBe(5000);
  });

  test("an impatient caller leaves at once and takes nobody's turn", async () => {
    const clock = virtualClock();
    const limit = createRateLimit(clock, { requests: 1, perMs: 1000 });
    const stop = new AbortController();
    await limit.take(never);
    const impatient = limit.take(stop.signal);
    const patient = limit.take(never);
    stop.abort(new AbortedError("enough"));
    await expect(impatient).rejects.toThrow("enough");
    await clock.drive(patient);
    expect(clock.now()).toBe(1000);
    expect(clock.pending).toBe(0);
  });

  test("keeps silent for as long as the service asked", async () => {
    const clock = virtualClock();
    const limit = createRateLimit(clock);
    limit.pause(30_000, "slow down");
    expect([29_000, 30_000].map((ms) => limit.silence(clock.now() + ms))).toEqual(["slow down", "slow down"]);
    expect(limit.silence(clock.now() + 30_001)).toBeUndefined();
    await clock.drive(limit.take(never));
    expect(clock.now()).toBe(30_000);
  });
});

describe("retry", () => {
  const options = (clock = virtualClock(), deadline = 60_000) => ({ clock, signal: never, deadline });

  function failing(...errors: readonly Error[]): {
    readonly run: () => Promise<string>;
    readonly times: number[];
    readonly clock: ReturnType<typeof virtualClock>;
  } {
    const clock = virtualClock();
    const times: number[] = [];
    const left = [...errors];
    return {
      clock,
      times,
      run: async () => {
        times.push(clock.now());
        const error = left.shift();
        if (error !== undefined) throw error;
        return "done";
      },
    };
  }

  test("tries a conflict again at once", async () => {
    const { clock, run, times } = failing(new ConflictError("changed"));
    expect(await clock.drive(retry(run, options(clock)))).toBe("done");
    expect(times).toEqual([0, 0]);
  });

  test("waits as long as it was asked to, and never less", async () => {
    const { clock, run, times } = failing(new RateLimitedError("slow down", { retryAfterMs: 7000 }));
    await clock.drive(retry(run, options(clock)));
    expect(times[1]).toBeGreaterThanOrEqual(7000);
    expect(times[1]).toBeLessThan(8000);
  });

  test("waits longer each time otherwise", async () => {
    const errors = Array.from({ length: 4 }, () => new TransientError("down"));
    const { clock, run, times } = failing(...errors);
    await clock.drive(retry(run, options(clock)));
    const pauses = times.slice(1).map((at, i) => at - (times[i] ?? 0));
    for (const [i, pause] of pauses.entries()) {
      expect(pause).toBeGreaterThanOrEqual(250 * 2 ** i);
      expect(pause).toBeLessThanOrEqual(500 * 2 ** i);
    }
  });

  test("does not repeat what will fail again", async () => {
    const { clock, run, times } = failing(new AuthError("no"));
    await expect(clock.drive(retry(run, options(clock)))).rejects.toThrow("no");
    expect(times).toHaveLength(1);
  });

  test("gives up at once when the pause would outlast the deadline", async () => {
    const { clock, run } = failing(new RateLimitedError("slow down", { retryAfterMs: 300_000 }));
    await expect(clock.drive(retry(run, options(clock)))).rejects.toThrow("slow down");
    expect(clock.now()).toBe(0);
  });

  test("a pause ends with the signal", async () => {
    const stop = new AbortController();
    const { clock, run } = failing(new RateLimitedError("slow down", { retryAfterMs: 30_000 }));
    const work = retry(run, { ...options(clock), signal: stop.signal });
    await setImmediate();
    stop.abort(new AbortedError("enough"));
    await expect(work).rejects.toThrow("enough");
    expect(clock.pending).toBe(0);
  });

  test("ends by the deadline when it fails for ever", async () => {
    const clock = virtualClock();
    const run = () => Promise.reject(new TransientError("down"));
    await expect(clock.drive(retry(run, options(clock, 60_000)))).rejects.toThrow("down");
    expect(clock.now()).toBeLessThan(60_000);
  });
});
