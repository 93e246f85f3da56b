import { abortReason, type Clock } from "../../src/core/clock.ts";
import { onAbort } from "../../src/core/on-abort.ts";
import { createRandom } from "../../src/testing/random.ts";

/** A clock that stands still until it is run; the same seed gives the same run. */
export interface VirtualClock extends Clock {
  /** Lets time pass, from event to event, until `work` has settled; throws when nothing is left that could settle it. */
  run<T>(work: Promise<T>): Promise<T>;
  /** Lets `ms` pass. */
  advance(ms: number): Promise<void>;
  /** Sleepers that have neither woken nor been stopped. */
  readonly sleepers: number;
}

interface Timer {
  readonly at: number;
  readonly order: number;
  fire: (() => void) | undefined;
}

export function createVirtualClock(random: () => number = createRandom(1)): VirtualClock {
  const heap = createHeap();
  let now = 0;
  let order = 0;
  let sleepers = 0;

  /** The next event, or false when there is none until `limit`. */
  function step(limit: number): boolean {
    for (let next = heap.first(); next !== undefined; next = heap.first()) {
      if (next.fire !== undefined && next.at > limit) return false;
      heap.pop();
      if (next.fire === undefined) continue;
      now = Math.max(now, next.at);
      next.fire();
      return true;
    }
    return false;
  }

  const after = (ms: number, callback: () => void): (() => void) => {
    const end = () => {
      if (timer.fire === undefined) return;
      timer.fire = undefined;
      sleepers--;
    };
    const fire = () => {
      end();
      callback();
    };
    const timer: Timer = { at: now + Math.max(0, ms), order: order++, fire };
    sleepers++;
    heap.push(timer);
    return end;
  };

  return {
    now: () => now,
    random,
    after,
    get sleepers() {
      return sleepers;
    },
    sleep(ms, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(abortReason(signal));
        const release =
          signal &&
          onAbort(signal, () => {
            cancel();
            reject(abortReason(signal));
          });
        const cancel = after(ms, () => {
          release?.();
          resolve();
        });
      });
    },
    async run(work) {
      let settled = false;
      const note = () => {
        settled = true;
      };
      work.then(note, note);
      for (let turns = 0; ; turns++) {
        // Now and then a turn for the test runner, whose messages wait as long as this lasts.
        await (turns % 1000 === 0 ? drained() : settledPromises());
        if (settled) return work;
        if (!step(Number.POSITIVE_INFINITY)) throw new Error(`nothing happens any more at ${now} ms`);
      }
    },
    async advance(ms) {
      const until = now + ms;
      await drained();
      while (step(until)) await drained();
      now = until;
    },
  };
}

/** After everything that promises had to do, and what they have set off. */
function drained(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** After everything that promises had to do: Node empties their queue before it comes to the next tick. */
function settledPromises(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

/** Binary heap by time, then by order of arrival. */
function createHeap() {
  const items: Timer[] = [];
  const before = (a: Timer, b: Timer) => a.at < b.at || (a.at === b.at && a.order < b.order);
  return {
    first: () => items[0],
    push(timer: Timer) {
      let i = items.push(timer) - 1;
      while (i > 0) {
        const above = (i - 1) >> 1;
        const parent = items[above];
        if (parent === undefined || !before(timer, parent)) break;
        items[i] = parent;
        i = above;
      }
      items[i] = timer;
    },
    pop() {
      const moved = items.pop();
      if (moved === undefined || items.length === 0) return;
      let i = 0;
      for (;;) {
        let below = 2 * i + 1;
        let least = items[below];
        if (least === undefined) break;
        const right = items[below + 1];
        if (right !== undefined && before(right, least)) {
          least = right;
          below += 1;
        }
        if (!before(least, moved)) break;
        items[i] = least;
        i = below;
      }
      items[i] = moved;
    },
  };
}
