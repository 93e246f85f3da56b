import { over, raceAbort } from "../../core/abort.ts";
import { abortReason, after, type Clock } from "../../core/clock.ts";
import { AbortedError, type Dns01Error, TransientError } from "../../core/errors.ts";
import { LazySignal, type Stop } from "../../core/lazy-signal.ts";
import { waitAtMost } from "../../core/time-limit.ts";

/** What a job may know of itself. */
export interface JobContext {
  readonly stop: LazySignal;
  /** Says what is being done, for the answer of a call whose time is over. */
  step(step: Step): void;
}

export type Step = "waiting" | "secrets" | "provider" | "propagation";

export interface JobRequest {
  /** Equal for calls that ask for exactly the same. */
  readonly key: string;
  /** What it is about: jobs on the same are done in turn, and a result holds until the next. */
  readonly subject: string;
  readonly signal: Stop;
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
  readonly key: string;
  readonly subject: string;
  readonly correlationId: string;
  readonly done: Promise<void>;
  readonly end: LazySignal;
  waiters: number;
  readonly progress: { step: Step };
  /** A caller was answered that it goes on. */
  detached: boolean;
}

const keptForMs = 2 * 60_000;
const mostKept = 2_000;
/** Jobs that nobody waits for; beyond that the oldest is given up. */
const mostDetached = 1_000;

export function createJobs({ clock, callTimeoutMs, jobTimeoutMs }: JobsOptions): Jobs {
  const running = new Set<Job>();
  /** Of each subject the job that came last: only that one's result holds when it ends. */
  const last = new Map<string, Job>();
  /** By subject. */
  const succeeded = new Map<string, { readonly key: string; readonly until: number }>();

  const keep = ({ key, subject }: Job): void => {
    succeeded.set(subject, { key, until: clock.now() + keptForMs });
    for (const [oldest, { until }] of succeeded) {
      if (succeeded.size <= mostKept && until > clock.now()) break;
      succeeded.delete(oldest);
    }
  };

  const pickUp = ({ key, subject }: JobRequest): boolean => {
    const kept = succeeded.get(subject);
    succeeded.delete(subject);
    return kept !== undefined && kept.key === key && kept.until > clock.now();
  };

  const finish = (job: Job, request: JobRequest, error: unknown): void => {
    running.delete(job);
    const isLast = last.get(job.subject) === job;
    if (isLast) last.delete(job.subject);
    if (job.waiters > 0) return;
    if (error === undefined && isLast) keep(job);
    if (job.detached) request.onBackground({ error });
  };

  const start = (request: JobRequest, work: (context: JobContext) => Promise<void>): Job => {
    const { key, subject, correlationId } = request;
    const end = new LazySignal();
    const cancel = after(clock, jobTimeoutMs, () =>
      end.abort(new TransientError(`was given up after ${jobTimeoutMs / 1000} s`, { timeout: true })),
    );
    const progress: Job["progress"] = { step: "waiting" };
    const step = (now: Step): void => {
      progress.step = now;
    };
    const done = raceAbort((async () => work({ stop: end, step }))(), end).finally(() => {
      cancel();
      end.abort(over);
    });
    const job: Job = { key, subject, correlationId, done, end, waiters: 0, progress, detached: false };
    running.add(job);
    last.set(subject, job);
    done.then(
      () => finish(job, request, undefined),
      (error: unknown) => finish(job, request, error ?? new Error("unknown")),
    );
    return job;
  };

  const giveUpOldest = (): void => {
    const idle = [...running].filter((job) => job.detached && job.waiters === 0);
    if (idle.length > mostDetached) idle[0]?.end.abort(new AbortedError("too much is under way"));
  };

  /** What is only waited for at the nameservers, and by nobody, gives way to the next: what follows may take it out again. */
  const supersede = (job: Job | undefined): void => {
    if (job?.waiters !== 0 || job.progress.step !== "propagation") return;
    job.end.abort(new AbortedError("a later call for the same value has come"));
  };

  /** Somebody no longer waits. */
  const leave = (job: Job): void => {
    job.waiters -= 1;
    if (job.waiters > 0 || !running.has(job)) return;
    // Whoever went away before the answer starts again from what stands in DNS then.
    if (job.detached) giveUpOldest();
    else job.end.abort(new AbortedError("the caller went away"));
  };

  return {
    async run(request, work) {
      const { key, subject, signal } = request;
      if (signal.aborted) throw abortReason(signal);
      const before = last.get(subject);
      const same = before?.key === key && !isGivenUp(before) ? before : undefined;
      if (before === undefined && pickUp(request)) return;
      if (same !== undefined) request.onJoin(same.correlationId);
      else supersede(before);
      const job = same ?? start(request, work);
      let timeUp: Dns01Error | undefined;
      const late = () => {
        timeUp = request.late(job.progress.step);
        return timeUp;
      };
      job.waiters += 1;
      try {
        await waitAtMost(job.done, { timeoutMs: callTimeoutMs, late, signal, clock });
      } catch (error) {
        if (error === timeUp && running.has(job) && !job.detached) {
          job.detached = true;
          request.onBackground("begun");
        }
        throw error;
      } finally {
        leave(job);
      }
    },
    async close() {
      for (const job of running) if (job.waiters === 0) job.end.abort(new AbortedError("dns01 ends"));
      await Promise.allSettled([...running].map(({ done }) => done));
    },
  };
}

/** It is about to end with a reason that is not for whoever comes now. */
function isGivenUp({ end }: Job): boolean {
  return end.aborted && end.reason !== over;
}
