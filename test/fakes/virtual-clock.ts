import { abortReason, type Clock } from "../../src/core/clock.ts";

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

export function createVirtualClock(random: () => number = seededRandom(1)): VirtualClock {
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

  return {
    now: () => now,
    random,
    get sleepers() {
      return sleepers;
    },
    sleep(ms, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(abortReason(signal));
        const end = () => {
          timer.fire = undefined;
          sleepers--;
          signal?.removeEventListener("abort", onAbort);
        };
        const onAbort = () => {
          end();
          reject(abortReason(signal));
        };
        const fire = () => {
          end();
          resolve();
        };
        const timer: Timer = { at: now + Math.max(0, ms), order: order++, fire };
        sleepers++;
        heap.push(timer);
        signal?.addEventListener("abort", onAbort, { once: true });
      });
    },
    async run(work) {
      let settled = false;
      const note = () => {
        settled = true;
      };
      work.then(note, note);
      for (;;) {
        await drained();
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

/** After everything that promises had to do. */
function drained(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** mulberry32: small, fast, and the same everywhere. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Binary heap by time, then by order of arrival. */
function createHeap() {
  const items: Timer[] = [];
  const before = (a: Timer, b: Timer) => a.at < b.at || (a.at === b.at && a.order < b.order);
  const swap = (i: number, j: number) => {
    const a = items[i];
    const b = items[j];
    if (a === undefined || b === undefined) return;
    items[i] = b;
    items[j] = a;
  };
  const isBefore = (i: number, j: number) => {
    const a = items[i];
    const b = items[j];
    return a !== undefined && b !== undefined && before(a, b);
  };
  return {
    first: () => items[0],
    push(timer: Timer) {
      items.push(timer);
      for (let i = items.length - 1; i > 0; ) {
        const parent = (i - 1) >> 1;
        if (!isBefore(i, parent)) return;
        swap(i, parent);
        i = parent;
      }
    },
    pop() {
      swap(0, items.length - 1);
      items.pop();
      for (let i = 0; ; ) {
        let least = i;
        for (const child of [2 * i + 1, 2 * i + 2]) if (isBefore(child, least)) least = child;
        if (least === i) return;
        swap(i, least);
        i = least;
      }
    },
  };
}
