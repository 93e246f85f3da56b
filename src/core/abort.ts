import { abortReason } from "./clock.ts";

/**
 * The result of `work`, or the signal's reason as soon as it fires: for work that ignores the signal or is slow to
 * obey. The work goes on behind the caller's back; its late failure is swallowed.
 */
export function raceAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(abortReason(signal));
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** A signal that follows `parent` and can also be fired alone; `release` lets go of the parent. */
export interface LinkedSignal {
  readonly signal: AbortSignal;
  abort(reason: Error): void;
  release(): void;
}

/** Not AbortSignal.any: that keeps one entry per call at a long-lived parent on Node 20. */
export function linkSignal(parent: AbortSignal): LinkedSignal {
  const own = new AbortController();
  const onAbort = () => own.abort(abortReason(parent));
  if (parent.aborted) onAbort();
  else parent.addEventListener("abort", onAbort, { once: true });
  return {
    signal: own.signal,
    abort: (reason) => own.abort(reason),
    release: () => parent.removeEventListener("abort", onAbort),
  };
}
