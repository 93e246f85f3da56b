import type { Clock } from "../core/clock.ts";
import { type Dns01Error, RateLimitedError, TransientError } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import { inWords } from "./retry-after.ts";

/** An attempt that failed in a way that may pass. */
export class Failure extends Error {
  /** What the caller gets to see when no further attempt is made. */
  readonly error: Dns01Error;
  /** Whether the server may have carried the request out. */
  readonly unclear: boolean;
  /** Whether to try again at once: nothing points at trouble. */
  readonly atOnce: boolean;

  constructor(error: Dns01Error, facts: { unclear: boolean; atOnce?: boolean }) {
    super(error.message, { cause: error });
    this.error = error;
    this.unclear = facts.unclear;
    this.atOnce = facts.atOnce ?? false;
  }
}

export interface Repetition<T> {
  readonly operation: string;
  readonly signal: AbortSignal;
  readonly attempts: number;
  /** Makes one attempt; throws Failure where another one may help. */
  readonly once: () => Promise<T>;
  /** After an unclear end: what the attempt achieved, or undefined when it has to be repeated. */
  readonly recover?: (() => Promise<T | undefined>) | undefined;
}

export interface RepeatDeps {
  readonly clock: Clock;
  readonly observer: Observer;
  /** Milliseconds that are left of what this signal allows; undefined when nobody knows. */
  readonly remainingMs: (signal: AbortSignal) => number | undefined;
}

/** Without a known deadline, nobody wants to wait longer for one request. */
const longestWaitMs = 60_000;
const firstWaitMs = 200;
const largestWaitMs = 5_000;

/** Attempts until one succeeds: waits as long as the CA asks, else longer each time, with jitter. */
export async function repeat<T>(job: Repetition<T>, deps: RepeatDeps): Promise<T> {
  const started = deps.clock.now();
  for (let attempt = 1; ; attempt++) {
    try {
      return await job.once();
    } catch (thrown) {
      if (!(thrown instanceof Failure)) throw thrown;
      const { error } = thrown;
      const waitMs = thrown.atOnce && attempt === 1 ? 0 : waitFor(error, attempt, job, deps);
      const late = !askedWait(error) && deps.clock.now() - started > longestWaitMs;
      if (waitMs === undefined || attempt >= job.attempts || late) throw error;
      const { code, message } = error;
      deps.observer({ type: "retry", what: job.operation, attempt, waitMs, code, message });
      await deps.clock.sleep(waitMs, job.signal);
      const recovered = thrown.unclear ? await job.recover?.() : undefined;
      if (recovered !== undefined) return recovered;
    }
  }
}

/** Throws when the CA asks for a longer wait than there is time for; undefined when repeating would be blind. */
function waitFor<T>(error: Dns01Error, attempt: number, job: Repetition<T>, deps: RepeatDeps): number | undefined {
  const asked = askedWait(error);
  // Zero, or a date that is past, allows the next attempt and says nothing of the one after it.
  if (asked === undefined || asked === 0) {
    if (error instanceof RateLimitedError && asked === undefined) return undefined;
    return Math.min(largestWaitMs, firstWaitMs * 2 ** (attempt - 1)) * (0.5 + deps.clock.random() / 2);
  }
  const allowed = deps.remainingMs(job.signal) ?? longestWaitMs;
  if (asked <= allowed) return asked;
  throw error instanceof RateLimitedError ? error : tooLong(job.operation, asked, error);
}

/** The CA is alive but wants to be left alone for longer than the caller can wait. */
export function tooLong(operation: string, waitMs: number, cause?: Dns01Error): RateLimitedError {
  const said = cause === undefined ? "" : `${cause.message} `;
  return new RateLimitedError(
    `${said}${cause === undefined ? `${operation}: ` : ""}The CA asks to wait ${inWords(waitMs)}.`,
    {
      operation,
      retryAfterMs: waitMs,
      hint: `Run again in ${inWords(waitMs)}; what is valid by then is reused.`,
      ...(cause === undefined ? { details: { waitingFor: operation } } : { cause, details: cause.details }),
    },
  );
}

function askedWait(error: Dns01Error): number | undefined {
  return error instanceof RateLimitedError || error instanceof TransientError ? error.retryAfterMs : undefined;
}
