import { AbortedError } from "./errors.ts";
import { onAbort } from "./on-abort.ts";

/** Time and chance as parameters, so that tests run in virtual time and replay a seed. */
export interface Clock {
  /** Milliseconds of a steady clock: only differences mean anything. */
  now(): number;
  /** Resolves after `ms`; rejects with AbortedError as soon as the signal fires. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Uniform in [0, 1). */
  random(): number;
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
export function abortReason(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new AbortedError("stopped");
}
