import { abortReason } from "./clock.ts";
import { AbortedError } from "./errors.ts";
import { LazySignal, type Stop } from "./lazy-signal.ts";
import { onAbort } from "./on-abort.ts";

/**
 * The result of `work`, or the signal's reason as soon as it fires: for work that ignores the signal or is slow to
 * obey. The work goes on behind the caller's back; its late failure is swallowed.
 */
export function raceAbort<T>(work: Promise<T>, signal: Stop): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(abortReason(signal));
    const release = onAbort(signal, () => reject(abortReason(signal)));
    void work.then(
      (result) => {
        release();
        resolve(result);
      },
      (error: unknown) => {
        release();
        reject(error);
      },
    );
  });
}

/** Why timers and leftovers of finished work end. One for all: an error is dear to make, and nobody is shown this one. */
export const over = new AbortedError("over");

/** A signal that follows `parent` and can also be fired alone; `release` lets go of the parent. */
export interface LinkedSignal {
  readonly signal: AbortSignal;
  /** The same for whoever only waits: where nobody asks for `signal`, none is made. */
  readonly stop: LazySignal;
  abort(reason: Error): void;
  release(): void;
}

/** Not AbortSignal.any: that keeps one entry per call at a long-lived parent on Node 20. */
export function linkSignal(parent: Stop): LinkedSignal {
  const own = new LazySignal();
  if (parent.aborted) own.abort(abortReason(parent));
  const release = onAbort(parent, () => own.abort(abortReason(parent)));
  return {
    get signal() {
      return own.signal;
    },
    stop: own,
    abort: (reason) => own.abort(reason),
    release,
  };
}

/**
 * A signal that follows `parent` and fires after `ms` as well, with a TimeoutError; `release` when the work is over. Not
 * AbortSignal.any with AbortSignal.timeout: on Node 20 nothing holds the latter, and with it goes the limit at the next
 * garbage collection. Real time, as there.
 */
export function limitSignal(parent: Stop, ms: number): Pick<LinkedSignal, "signal" | "release"> {
  const link = linkSignal(parent);
  const timer = setTimeout(() => link.abort(new DOMException("the time is over", "TimeoutError")), ms).unref();
  return {
    signal: link.signal,
    release() {
      clearTimeout(timer);
      link.release();
    },
  };
}
