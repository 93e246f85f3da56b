import { abortReason } from "./clock.ts";
import { AbortedError } from "./errors.ts";
import { onAbort } from "./on-abort.ts";

/**
 * The result of `work`, or the signal's reason as soon as it fires: for work that ignores the signal or is slow to
 * obey. The work goes on behind the caller's back; its late failure is swallowed.
 */
export function raceAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(abortReason(signal));
    const release = onAbort(signal, () => reject(abortReason(signal)));
    void work.then(resolve, reject).finally(release);
  });
}

/** Why timers and leftovers of finished work end. One for all: an error is dear to make, and nobody is shown this one. */
export const over = new AbortedError("over");

/** A signal that follows `parent` and can also be fired alone; `release` lets go of the parent. */
export interface LinkedSignal {
  readonly signal: AbortSignal;
  abort(reason: Error): void;
  release(): void;
}

/** Not AbortSignal.any: that keeps one entry per call at a long-lived parent on Node 20. */
export function linkSignal(parent: AbortSignal): LinkedSignal {
  const own = new AbortController();
  if (parent.aborted) own.abort(abortReason(parent));
  const release = onAbort(parent, () => own.abort(abortReason(parent)));
  return {
    signal: own.signal,
    abort: (reason) => own.abort(reason),
    release,
  };
}
