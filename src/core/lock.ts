import { abortReason } from "./clock.ts";
import type { Stop } from "./lazy-signal.ts";
import { onAbort } from "./on-abort.ts";

/** One holder at a time per key, within this process; fair, in order of arrival. */
export interface KeyedLock {
  /**
   * Runs `work` while holding all `keys`. Keys are taken in one order by everybody, so two callers cannot wait for each
   * other. Rejects with the signal's reason if it fires while waiting; once `work` runs, the signal is its business.
   */
  hold<T>(keys: readonly string[], signal: Stop, work: () => Promise<T>): Promise<T>;
  /** Keys held or waited for; for tests. */
  readonly size: number;
}

export function createLock(): KeyedLock {
  /** Per held key the waiters, first come first. A key that nobody holds has no entry. */
  const queues = new Map<string, (() => void)[]>();

  const acquire = (key: string, signal: Stop): Promise<void> =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(abortReason(signal));
      const queue = queues.get(key);
      if (queue === undefined) {
        queues.set(key, []);
        return resolve();
      }
      const stay = onAbort(signal, () => {
        queue.splice(queue.indexOf(enter), 1);
        reject(abortReason(signal));
      });
      const enter = () => {
        stay();
        resolve();
      };
      queue.push(enter);
    });

  const release = (key: string): void => {
    const next = queues.get(key)?.shift();
    if (next === undefined) queues.delete(key);
    else next();
  };

  return {
    get size() {
      return queues.size;
    },
    async hold(keys, signal, work) {
      const held: string[] = [];
      try {
        for (const key of keys.length > 1 ? [...new Set(keys)].sort() : keys) {
          // A free one costs no turn.
          if (!queues.has(key) && !signal.aborted) queues.set(key, []);
          else await acquire(key, signal);
          held.push(key);
        }
        return await work();
      } finally {
        for (const key of held.reverse()) release(key);
      }
    },
  };
}
