import { AbortedError } from "./errors.ts";
import type { Stop } from "./lazy-signal.ts";
import { onAbort } from "./on-abort.ts";

/** Time and chance as parameters, so that tests run in virtual time and replay a seed. */
export interface Clock {
  /** Milliseconds of a steady clock: only differences mean anything. */
  now(): number;
  /** Resolves after `ms`; rejects with AbortedError as soon as the signal fires. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Uniform in [0, 1). */
  random(): number;
  /** Calls back after `ms` unless the function returned is called before, where that costs less than a sleep and a signal. */
  after?(ms: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  random: () => Math.random(),
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(abortReason(signal));
      const release =
        signal &&
        onAbort(signal, () => {
          clearTimeout(timer);
          reject(abortReason(signal));
        });
      const timer = setTimeout(() => {
        release?.();
        resolve();
      }, ms);
    });
  },
};

/** The signal's own reason if it is an error, else an AbortedError. */
export function abortReason(signal: Stop | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new AbortedError("stopped");
}

/**
 * Calls back after `ms`, unless the function returned is called before. For time limits, of which there are several in every
 * call and which are hardly ever reached: in real time one costs a timer, without a promise and a signal.
 */
export function after(clock: Clock, ms: number, callback: () => void): () => void {
  if (clock.sleep === systemClock.sleep) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  }
  if (clock.after !== undefined) return clock.after(ms, callback);
  const stop = new AbortController();
  clock.sleep(ms, stop.signal).then(callback, () => {});
  return () => stop.abort();
}
