import { noteNothingWritten } from "../core/classify.ts";
import { abortReason, after, type Clock } from "../core/clock.ts";
import { Dns01Error } from "../core/errors.ts";
import { onAbort } from "../core/on-abort.ts";
import type { Zone } from "../core/provider.ts";
import type { Solved, Solver, SolverItem } from "../core/solver.ts";
import { type Caller, createZoneRoll } from "./zone-roll.ts";

export type Act = "present" | "cleanUp";

export interface QueueSettings {
  /** How long the first of several calls waits for others that may come, at least. */
  readonly presentWindowMs: number;
  /** The same for taking out, which nobody waits for. */
  readonly cleanUpWindowMs: number;
  /** How long one waits at most for others that are slower. */
  readonly longestWaitMs: number;
  /** Values in one write; services limit the size of a change. */
  readonly maxValues: number;
}

export interface ZoneQueue {
  add(caller: Caller, act: Act, items: readonly SolverItem[], signal: AbortSignal): Promise<readonly Solved[]>;
  /** Looks again whether there is anything to wait for. */
  wake(): void;
  /** The caller writes nothing more. */
  forget(caller: Caller): void;
}

interface Job {
  readonly caller: Caller;
  readonly act: Act;
  readonly items: readonly SolverItem[];
  readonly keys: readonly string[];
  readonly signal: AbortSignal;
  /** Waits for others no longer than that. */
  readonly due: number;
  /** Of taking out: it was put in here, so it is known who else is to come. */
  readonly stood: boolean;
  readonly resolve: (solved: readonly Solved[]) => void;
  readonly reject: (reason: unknown) => void;
}

interface QueueDeps {
  readonly solver: Solver;
  readonly zone: Zone;
  readonly clock: Clock;
  readonly settings: QueueSettings;
  /** Everybody who may write, here or to other zones. */
  readonly callers: () => Iterable<Caller>;
  /** Nobody will come before somebody who waits is answered. */
  readonly isEverybodyHere: () => boolean;
  /** Whether somebody needs this value to stay. */
  readonly isHeld: (key: string) => boolean;
  /** Nothing is left to do: the queue may be forgotten. */
  readonly isIdle: () => void;
}

/** These are about one of the values; the others of the same write are tried without it. */
const blaming: ReadonlySet<string> = new Set(["REJECTED", "CONFIG", "ZONE_NOT_FOUND", "UNKNOWN"]);

/** Others need about as long as the first one did to get as far; twice that is no reason to wait any longer. */
const patience = 2;

/**
 * The writes of one zone, one after the other, each for as many callers as can be had: a write waits while others of the
 * zone are on their way to it, which depends on who there is and not on how fast the machine or the CA happens to be.
 */
export function createZoneQueue(deps: QueueDeps): ZoneQueue {
  const { clock, settings } = deps;
  const roll = createZoneRoll(deps.zone.apex, () => clock.now());
  let jobs: readonly Job[] = [];
  let isRunning = false;
  let wake: () => void = () => {};

  const isReady = (act: Act): boolean => {
    const own = jobs.filter((job) => job.act === act);
    const values = own.reduce((n, job) => n + job.keys.length, 0);
    if (own.some((job) => job.due <= clock.now()) || values >= settings.maxValues || deps.isEverybodyHere())
      return true;
    return act === "present"
      ? !roll.isArrivalAwaited(deps.callers())
      : !roll.isDepartureAwaited(own.map((job) => job.caller)) && own.every((job) => job.stood);
  };

  /** What is to be written now; the act that has waited longer first. */
  const nextBatch = (): readonly Job[] => {
    const acts = [...new Set(jobs.toSorted((a, b) => a.due - b.due).map((job) => job.act))];
    for (const act of acts.filter(isReady)) {
      const batch = takeBatch(jobs, act, settings.maxValues);
      if (batch.length > 0) return batch;
      // It has to come after something of the other act.
      const [first] = jobs;
      if (first !== undefined) return takeBatch(jobs, first.act, settings.maxValues);
    }
    return [];
  };

  /** Until the first one has waited long enough, or something has changed. */
  const rest = (): Promise<void> =>
    new Promise((resolve) => {
      const cancel = after(clock, Math.max(0, Math.min(...jobs.map((job) => job.due)) - clock.now()), resolve);
      wake = () => {
        cancel();
        resolve();
      };
    });

  const run = async () => {
    isRunning = true;
    // In a turn of its own: calls that are made one after the other in this one belong together.
    await Promise.resolve();
    while (jobs.length > 0) {
      const batch = nextBatch();
      if (batch.length === 0) {
        await rest();
        continue;
      }
      jobs = jobs.filter((job) => !batch.includes(job));
      await writeBatch(batch, deps);
      if (batch[0]?.act === "present") roll.stand(batch.map((job) => job.caller));
    }
    isRunning = false;
    wake = () => {};
    if (roll.isEmpty) deps.isIdle();
  };

  return {
    add(caller, act, items, signal) {
      return new Promise((resolve, reject) => {
        const tookMs = act === "present" ? roll.arrives(caller) : roll.departs(caller);
        const window = act === "present" ? settings.presentWindowMs : settings.cleanUpWindowMs;
        const wait = Math.max(window, Math.min(settings.longestWaitMs, patience * (tookMs ?? 0)));
        const stay = onAbort(signal, () => {
          jobs = jobs.filter((other) => other !== job);
          wake();
          reject(abortReason(signal));
        });
        const job: Job = {
          caller,
          act,
          items,
          keys: items.flatMap(keysOf),
          signal,
          due: clock.now() + wait,
          stood: tookMs !== undefined,
          resolve: (solved) => {
            stay();
            resolve(solved);
          },
          reject: (reason) => {
            stay();
            reject(reason);
          },
        };
        jobs = [...jobs, job];
        if (isRunning) wake();
        else void run();
      });
    },
    wake: () => wake(),
    forget(caller) {
      roll.forget(caller);
      wake();
      if (!isRunning && roll.isEmpty) deps.isIdle();
    },
  };
}

/** One text for each value: "_acme-challenge.example.com VALUE". */
export function keysOf({ owner, values }: SolverItem): readonly string[] {
  return values.map((value) => `${owner} ${value}`);
}

/** Of this act, in order; what has to come after something of the other act is left for later. */
function takeBatch(jobs: readonly Job[], act: Act, maxValues: number): readonly Job[] {
  const batch: Job[] = [];
  const later = new Set<string>();
  let values = 0;
  for (const job of jobs) {
    const fits = batch.length === 0 || values + job.keys.length <= maxValues;
    if (job.act === act && fits && !job.keys.some((key) => later.has(key))) {
      batch.push(job);
      values += job.keys.length;
    } else {
      for (const key of job.keys) later.add(key);
    }
  }
  return batch;
}

/** `isUnclear`: these have been part of a write that may have been carried out. */
async function writeBatch(batch: readonly Job[], deps: QueueDeps, isUnclear = false): Promise<void> {
  const [first] = batch;
  if (first === undefined) return;
  const alive = whileAnyLives(batch.map((job) => job.signal));
  try {
    const solved = await write(first.act, batch, deps, alive.signal);
    for (const job of batch) job.resolve(partOf(job, solved, deps.zone));
  } catch (error) {
    const blames = batch.length > 1 && !alive.signal.aborted && Dns01Error.is(error) && blaming.has(error.code);
    if (!blames) {
      if (isUnclear && Dns01Error.is(error)) noteNothingWritten(error, false);
      for (const job of batch) job.reject(error);
      return;
    }
    // Adding and removing are idempotent: what the failed write has done meanwhile is no harm.
    const doubtful = isUnclear || error.nothingWritten !== true;
    for (const job of batch) if (!job.signal.aborted) await writeBatch([job], deps, doubtful);
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
