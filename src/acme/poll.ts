import type { Clock } from "../core/clock.ts";
import { tooLong } from "./repeat.ts";

/** The first ones suit a CA that is quick, the later ones one that takes minutes. Milliseconds. */
export const pace = [40, 100, 250, 500, 1000];
export const slowestMs = 2000;

/**
 * Retry-After counts whole seconds, so "1" is the least a server can ask for, and what those say that need milliseconds
 * (Pebble with no delay configured). The first looks go by our own pace then; anything longer is honoured from the start.
 */
const leastRetryAfterMs = 1000;
const earlyLooks = 3;

export interface Poll<T> {
  readonly operation: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** On the clock. */
  readonly deadline: number;
  /** What the CA said about waiting before the first look. */
  readonly firstWaitMs?: number | undefined;
  /** Looks once: `done`, or how long the CA asks to wait before the next look. */
  readonly look: () => Promise<{ readonly done: T } | { readonly retryAfterMs?: number | undefined }>;
}

/**
 * Looks until something is done; the last look is at the deadline. Retry-After is honoured; where it leads past the
 * deadline, RateLimitedError with the time. Undefined when the deadline passed.
 */
export async function poll<T>(job: Poll<T>): Promise<T | undefined> {
  const { clock, signal, deadline } = job;
  let asked = job.firstWaitMs;
  for (let i = 0; ; i++) {
    const left = deadline - clock.now();
    if (left <= 0 && i > 0) return undefined;
    if (asked !== undefined && asked > Math.max(left, 0)) throw tooLong(job.operation, asked);
    const soon = asked !== undefined && asked <= leastRetryAfterMs && i < earlyLooks;
    await clock.sleep(Math.max(soon ? 0 : (asked ?? 0), Math.min(pace[i] ?? slowestMs, Math.max(left, 0))), signal);
    const seen = await job.look();
    if ("done" in seen) return seen.done;
    asked = seen.retryAfterMs;
  }
}
