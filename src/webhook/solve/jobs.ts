import { abortReason, type Clock } from "../../core/clock.ts";
import { AbortedError, type Dns01Error, TransientError } from "../../core/errors.ts";
import { withTimeLimit } from "../../core/time-limit.ts";

/** What a job may know of itself. */
export interface JobContext {
  readonly signal: AbortSignal;
  /** Says what is being done, for the answer of a call whose time is over. */
  step(step: Step): void;
}

export type Step = "waiting" | "secrets" | "provider" | "propagation";

export interface JobRequest {
  /** Equal for calls that ask for exactly the same. */
  readonly key: string;
  /** What it is about: a result that waits to be picked up is worth nothing after another job on the same. */
  readonly subject: string;
  readonly signal: AbortSignal;
  /** What a caller is answered whose time is over before the job is. */
  readonly late: (step: Step) => Dns01Error;
  /** The same call already runs: its correlation id. */
  readonly onJoin: (correlationId: string) => void;
  /** Nobody waits any more; or it has ended then. */
  readonly onBackground: (end: "begun" | { readonly error: unknown }) => void;
  readonly correlationId: string;
}

/**
 * Work that may outlive the call that began it. A call that asks for the same while it runs waits for it instead of
 * beginning again; what ends well when nobody waits is picked up by the next such call, for a while.
 */
export interface Jobs {
  run(request: JobRequest, work: (context: JobContext) => Promise<void>): Promise<void>;
  /** Running ones; for tests and metrics. */
  readonly size: number;
  /** Ends those that nobody waits for; resolves when none is left. */
  close(): Promise<void>;
}

export interface JobsOptions {
  readonly clock: Clock;
  /** How long a call waits. */
  readonly callTimeoutMs: number;
  /** How long a job may run. */
  readonly jobTimeoutMs: number;
}

interface Job {
  readonly done: Promise<void>;
  readonly end: AbortController;
  readonly correlationId: string;
  readonly subject: string;
  waiters: number;
  step: Step;
  /** A caller was answered that it goes on. */
  detached: boolean;
}

const keptForMs = 2 * 60_000;
const mostKept = 2_000;
/** Jobs that nobody waits for; beyond that the oldest is given up. */
const mostDetached = 1_000;

export function createJobs({ clock, callTimeoutMs, jobTimeoutMs }: JobsOptions): Jobs {
  const running = new Map<string, Job>();
  const succeeded = new Map<string, { readonly subject: string; readonly until: number }>();

  const keep = (key: string, subject: string): void => {
    succeeded.delete(key);
    succeeded.set(key, { subject, until: clock.now() + keptForMs });
    for (const [oldest, { until }] of succeeded) {
      if (succeeded.size <= mostKept && until > clock.now()) break;
      succeeded.delete(oldest);
    }
  };

  const pickUp = (key: string): boolean => {
    const kept = succeeded.get(key);
    succeeded.delete(key);
    return kept !== undefined && kept.until > clock.now();
  };

  const start = (request: JobRequest, work: (context: JobContext) => Promise<void>): Job => {
    const { key, subject } = request;
    const end = new AbortController();
    const late = () => new TransientError(`was given up after ${jobTimeoutMs / 1000} s`, { timeout: true });
    const limited = withTimeLimit((signal) => work({ signal, step: (step) => (job.step = step) }), {
      timeoutMs: jobTimeoutMs,
      late,
      signal: end.signal,
      clock,
    });
    const finish = (error: unknown): void => {
      if (running.get(key) === job) running.delete(key);
      for (const [other, kept] of succeeded) if (kept.subject === subject) succeeded.delete(other);
      if (job.waiters > 0) return;
      // Whoever waits for the turn on the same value makes this result an old one.
      const followed = [...running.values()].some((other) => other.subject === subject);
      if (error === undefined && !followed) keep(key, subject);
      if (job.detached) request.onBackground({ error });
    };
    const job: Job = {
      done: limited,
      end,
      correlationId: request.correlationId,
      subject,
      waiters: 0,
      step: "waiting",
      detached: false,
    };
    limited.then(
      () => finish(undefined),
      (error: unknown) => finish(error ?? new Error("unknown")),
    );
    running.set(key, job);
    return job;
  };

  const giveUpOldest = (): void => {
    const idle = [...running.values()].filter((job) => job.detached && job.waiters === 0);
    if (idle.length > mostDetached) idle[0]?.end.abort(new AbortedError("too much is under way"));
  };

  return {
    get size() {
      return running.size;
    },
    async run(request, work) {
      const { key, signal } = request;
      if (signal.aborted) throw abortReason(signal);
      const under = running.get(key);
      for (const [other, kept] of succeeded)
        if (kept.subject === request.subject && other !== key) succeeded.delete(other);
      if (under === undefined && pickUp(key)) return;
      if (under !== undefined) request.onJoin(under.correlationId);
      const job = under ?? start(request, work);
      let timeUp: Dns01Error | undefined;
      const late = () => {
        timeUp = request.late(job.step);
        return timeUp;
      };
      job.waiters += 1;
      try {
        await withTimeLimit(() => job.done, { timeoutMs: callTimeoutMs, late, signal, clock });
      } catch (error) {
        if (error === timeUp && running.get(key) === job && !job.detached) {
          job.detached = true;
          request.onBackground("begun");
        }
        throw error;
      } finally {
        job.waiters -= 1;
        if (job.waiters === 0 && running.get(key) === job) {
          // Whoever went away before the answer starts again from what stands in DNS then.
          if (!job.detached) job.end.abort(new AbortedError("the caller went away"));
          else giveUpOldest();
        }
      }
    },
    async close() {
      for (const job of running.values()) {
        if (job.waiters === 0) job.end.abort(new AbortedError("dns01 ends"));
      }
      await Promise.allSettled([...running.values()].map(({ done }) => done));
    },
  };
}
