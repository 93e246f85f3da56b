import { linkSignal, over, raceAbort } from "./abort.ts";
import { abortReason, after, type Clock } from "./clock.ts";
import type { Stop } from "./lazy-signal.ts";
import { onAbort } from "./on-abort.ts";

export interface TimeLimit {
  readonly timeoutMs: number;
  /** What to reject with when the time is over. */
  readonly late: () => Error;
  readonly signal: Stop;
  readonly clock: Clock;
}

/**
 * The result of `work`, but for no longer than the limit or the signal allow; what `work` does afterwards is nobody's
 * business. It is given a signal that ends with the wait. No timer is left behind.
 */
export async function withTimeLimit<T>(work: (signal: AbortSignal) => T | Promise<T>, limit: TimeLimit): Promise<T> {
  const link = linkSignal(limit.signal);
  const cancel = after(limit.clock, limit.timeoutMs, () => link.abort(limit.late()));
  try {
    return await raceAbort((async () => work(link.signal))(), link.stop);
  } finally {
    cancel();
    link.release();
    link.abort(over);
  }
}

/**
 * The result of work that is under way, but for no longer than the limit or the signal allow. The work is not told: where it
 * need not be, this costs no signal of its own.
 */
export function waitAtMost<T>(work: Promise<T>, { timeoutMs, late, signal, clock }: TimeLimit): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = () => {
      cancel();
      release();
    };
    const fail = (error: unknown) => {
      end();
      reject(error);
    };
    const cancel = after(clock, timeoutMs, () => fail(late()));
    const release = onAbort(signal, () => fail(abortReason(signal)));
    if (signal.aborted) fail(abortReason(signal));
    work.then((result) => {
      end();
      resolve(result);
    }, fail);
  });
}
