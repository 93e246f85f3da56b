import type { Clock } from "./clock.ts";
import { Dns01Error } from "./errors.ts";
import { LazySignal, type Stop } from "./lazy-signal.ts";

export interface RetryPolicy {
  /** Attempts in all; the deadline usually ends the series first. */
  readonly attempts: number;
  /** The first pause; each further one is twice as long, up to `maxMs`. */
  readonly baseMs: number;
  readonly maxMs: number;
}

export const defaultRetryPolicy: RetryPolicy = { attempts: 100, baseMs: 500, maxMs: 30_000 };

export interface RetryOptions {
  readonly signal: Stop;
  readonly clock: Clock;
  /** In the clock's milliseconds: no attempt begins after it. */
  readonly deadline: number;
  readonly policy?: RetryPolicy | undefined;
  /** An earlier end for a series whose last error this is. */
  readonly deadlineAfter?: ((error: Dns01Error) => number | undefined) | undefined;
  readonly onRetry?: ((error: Dns01Error, attempt: number, waitMs: number) => void) | undefined;
}

/**
 * Repeats `run` while it throws retryable errors: a conflict at once (it reads again itself), anything else after what
 * the other side asked for (Retry-After) or else after an exponential pause with jitter. Throws the last error as soon
 * as the pause would outlast the deadline, so that nobody waits for nothing.
 */
export async function retry<T>(run: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { signal, clock, policy = defaultRetryPolicy, deadlineAfter, onRetry } = options;
  let conflicts = 0;
  let failures = 0;
  for (let attempt = 1; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      if (!Dns01Error.is(error) || !error.retryable || error.code === "ABORTED" || signal.aborted) throw error;
      if (attempt >= policy.attempts) throw error;
      const waitMs =
        error.code === "CONFLICT"
          ? conflictPause(conflicts++, clock)
          : (askedFor(error, clock) ?? backoff(failures++, policy, clock));
      const deadline = Math.min(options.deadline, deadlineAfter?.(error) ?? options.deadline);
      if (clock.now() + waitMs >= deadline) throw error;
      onRetry?.(error, attempt, waitMs);
      if (waitMs > 0) await clock.sleep(waitMs, signal instanceof LazySignal ? signal.signal : signal);
    }
  }
}

/** Retry-After is a promise of the other side: never sooner, and a little later so that its clients do not return as one. */
function askedFor(error: Dns01Error, clock: Clock): number | undefined {
  const { retryAfterMs } = error as { readonly retryAfterMs?: unknown };
  if (typeof retryAfterMs !== "number" || !Number.isFinite(retryAfterMs) || retryAfterMs < 0) return undefined;
  return Math.round(retryAfterMs + clock.random() * Math.min(1000, 50 + retryAfterMs * 0.1));
}

function backoff(failures: number, policy: RetryPolicy, clock: Clock): number {
  const ceiling = Math.min(policy.maxMs, policy.baseMs * 2 ** Math.min(failures, 30));
  return Math.round(ceiling * (0.5 + clock.random() * 0.5));
}

/** Once at once; after that writers who keep meeting are spread out. */
function conflictPause(conflicts: number, clock: Clock): number {
  return conflicts === 0 ? 0 : Math.round(clock.random() * Math.min(2000, 25 * 2 ** Math.min(conflicts, 10)));
}
