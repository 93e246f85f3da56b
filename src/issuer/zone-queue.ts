import { abortReason, type Clock } from "../core/clock.ts";
import { Dns01Error } from "../core/errors.ts";
import { onAbort } from "../core/on-abort.ts";
import type { Zone } from "../core/provider.ts";
import type { Solved, Solver, SolverItem } from "../core/solver.ts";

export type Act = "present" | "cleanUp";

export interface QueueSettings {
  /** How long the first of several calls waits for others. */
  readonly presentWindowMs: number;
  /** The same for taking out, which nobody waits for. */
  readonly cleanUpWindowMs: number;
  /** Values in one write; services limit the size of a change. */
  readonly maxValues: number;
}

export interface ZoneQueue {
  add(act: Act, items: readonly SolverItem[], signal: AbortSignal): Promise<readonly Solved[]>;
  /** Looks again whether there is anything to wait for. */
  wake(): void;
}

interface Job {
  readonly act: Act;
  readonly items: readonly SolverItem[];
  readonly keys: readonly string[];
  readonly signal: AbortSignal;
  readonly due: number;
  readonly resolve: (solved: readonly Solved[]) => void;
  readonly reject: (reason: unknown) => void;
}

interface QueueDeps {
  readonly solver: Solver;
  readonly zone: Zone;
  readonly clock: Clock;
  readonly settings: QueueSettings;
  readonly isEverybodyHere: () => boolean;
  /** Whether somebody needs this value to stay. */
  readonly isHeld: (key: string) => boolean;
  /** Nothing is left to do: the queue may be forgotten. */
  readonly isIdle: () => void;
}

/** These are about one of the values; the others of the same write are tried without it. */
const blaming: ReadonlySet<string> = new Set(["REJECTED", "CONFIG", "ZONE_NOT_FOUND", "UNKNOWN"]);

/** The writes of one zone, one after the other, each for as many callers as are there. */
export function createZoneQueue(deps: QueueDeps): ZoneQueue {
  const { clock, settings } = deps;
  let jobs: readonly Job[] = [];
  let isRunning = false;
  let waking: AbortController | undefined;

  /** Until the window of the first one is over, or nobody else can come. */
  const gather = async () => {
    for (;;) {
      const wait = Math.min(...jobs.map((job) => job.due)) - clock.now();
      if (jobs.length === 0 || wait <= 0 || deps.isEverybodyHere()) return;
      waking = new AbortController();
      await clock.sleep(wait, waking.signal).catch(() => {});
    }
  };

  const run = async () => {
    isRunning = true;
    // In a turn of its own: calls that are made one after the other in this one belong together.
    await Promise.resolve();
    await gather();
    while (jobs.length > 0) {
      const batch = takeBatch(jobs, settings.maxValues);
      jobs = jobs.filter((job) => !batch.includes(job));
      await writeBatch(batch, deps);
    }
    isRunning = false;
    deps.isIdle();
  };

  return {
    add(act, items, signal) {
      return new Promise((resolve, reject) => {
        const window = act === "present" ? settings.presentWindowMs : settings.cleanUpWindowMs;
        const stay = onAbort(signal, () => {
          jobs = jobs.filter((other) => other !== job);
          reject(abortReason(signal));
        });
        const job: Job = {
          act,
          items,
          keys: items.flatMap(keysOf),
          signal,
          due: clock.now() + window,
          resolve: (solved) => {
            stay();
            resolve(solved);
          },
          reject: (reason) => {
            stay();
            reject(reason);
          },
        };
        const isEarlier = jobs.every((other) => job.due < other.due);
        jobs = [...jobs, job];
        if (!isRunning) void run();
        else if (isEarlier) waking?.abort();
      });
    },
    wake: () => waking?.abort(),
  };
}

/** One text for each value: "_acme-challenge.example.com VALUE". */
export function keysOf({ owner, values }: SolverItem): readonly string[] {
  return values.map((value) => `${owner} ${value}`);
}

/** Of one act, in order; what has to come after something of the other act is left for later. */
function takeBatch(jobs: readonly Job[], maxValues: number): readonly Job[] {
  const batch: Job[] = [];
  const after = new Set<string>();
  let values = 0;
  for (const job of jobs) {
    const act = batch[0]?.act ?? job.act;
    const fits = batch.length === 0 || values + job.keys.length <= maxValues;
    if (job.act === act && fits && !job.keys.some((key) => after.has(key))) {
      batch.push(job);
      values += job.keys.length;
    } else {
      for (const key of job.keys) after.add(key);
    }
  }
  return batch;
}

async function writeBatch(batch: readonly Job[], deps: QueueDeps): Promise<void> {
  const [first] = batch;
  if (first === undefined) return;
  const alive = whileAnyLives(batch.map((job) => job.signal));
  try {
    const solved = await write(first.act, batch, deps, alive.signal);
    for (const job of batch) job.resolve(partOf(job, solved, deps.zone));
  } catch (error) {
    const blames = batch.length > 1 && !alive.signal.aborted && Dns01Error.is(error) && blaming.has(error.code);
    if (!blames) {
      for (const job of batch) job.reject(error);
      return;
    }
    // Adding and removing are idempotent: what the failed write has done meanwhile is no harm.
    for (const job of batch) if (!job.signal.aborted) await writeBatch([job], deps);
  } finally {
    alive.done();
  }
}

async function write(
  act: Act,
  batch: readonly Job[],
  { solver, isHeld }: QueueDeps,
  signal: AbortSignal,
): Promise<readonly Solved[]> {
  const items = batch
    .flatMap((job) => job.items)
    .map((item) => {
      const values = act === "present" ? item.values : item.values.filter((v) => !isHeld(`${item.owner} ${v}`));
      return { ...item, values };
    })
    .filter((item) => item.values.length > 0);
  return items.length === 0 ? [] : await solver[act](items, signal);
}

function partOf(job: Job, solved: readonly Solved[], zone: Zone): readonly Solved[] {
  const byOwner = new Map(solved.map((s) => [s.owner, s]));
  const owners = new Set(job.items.filter((i) => i.values.length > 0).map((i) => i.owner));
  return [...owners].map((owner) => byOwner.get(owner) ?? { owner, zone, changed: false });
}

/** A signal that fires when all of these have: the write is of use as long as one caller waits for it. */
function whileAnyLives(signals: readonly AbortSignal[]): { readonly signal: AbortSignal; readonly done: () => void } {
  const controller = new AbortController();
  const check = () => {
    if (signals.every((signal) => signal.aborted)) controller.abort(signals[0]?.reason);
  };
  const releases = signals.map((signal) => onAbort(signal, check));
  check();
  return {
    signal: controller.signal,
    done: () => {
      for (const release of releases) release();
    },
  };
}
