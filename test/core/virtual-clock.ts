import { setImmediate } from "node:timers/promises";
import { abortReason, type Clock } from "../../src/core/clock.ts";
import { createRandom } from "../../src/testing/random.ts";

export interface VirtualClock extends Clock {
  /** Lets time pass from timer to timer until the promise has settled. */
  drive<T>(work: Promise<T>): Promise<T>;
  /** Timers that are set and not yet due. */
  readonly pending: number;
}

/** Time that passes only while a test drives it. */
export function virtualClock(seed = 1): VirtualClock {
  let now = 0;
  const random = createRandom(seed);
  const timers = new Set<{ readonly at: number; readonly fire: () => void }>();
  return {
    now: () => now,
    random,
    get pending() {
      return timers.size;
    },
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(abortReason(signal));
        const timer = {
          at: now + Math.max(0, ms),
          fire: () => {
            signal?.removeEventListener("abort", onAbort);
            resolve();
          },
        };
        const onAbort = () => {
          timers.delete(timer);
          reject(abortReason(signal));
        };
        timers.add(timer);
        signal?.addEventListener("abort", onAbort, { once: true });
      }),
    async drive(work) {
      let settled = false;
      const done = () => {
        settled = true;
      };
      work.then(done, done);
      for (;;) {
        // Everything that can happen without time passing happens first.
        await setImmediate();
        if (settled) return work;
        const next = [...timers].sort((a, b) => a.at - b.at)[0];
        if (next === undefined) continue;
        timers.delete(next);
        now = Math.max(now, next.at);
        next.fire();
      }
    },
  };
}
