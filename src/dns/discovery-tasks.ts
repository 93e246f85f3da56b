import { setMaxListeners } from "node:events";
import { raceAbort } from "../core/abort.ts";
import { AbortedError } from "../core/errors.ts";

/** A piece of work under way. Work that waits for other work says so, which is how cyclic dependencies show. */
export interface Task {
  readonly signal: AbortSignal;
  /** Nameserver names being resolved above this one, this one included. */
  readonly depth: number;
  readonly budget: Budget;
  readonly waitsFor: Map<Task, number>;
}

/** Questions that one look-up may still ask; shared by everything that it starts. */
export interface Budget {
  left: number;
}

/** The work would wait for itself: the nameserver names of two zones depend on each other. */
export class CycleError extends Error {
  constructor(key: string) {
    super(`${key} depends on itself`);
    this.name = "CycleError";
  }
}

export function rootTask(signal: AbortSignal, questions: number): Task {
  // A hundred names of one order wait with the same signal: no leak that Node should warn of.
  setMaxListeners(0, signal);
  return { signal, depth: 0, budget: { left: questions }, waitsFor: new Map() };
}

/** What a piece of work found, and for how many milliseconds that may be used again. */
export interface Found<T> {
  readonly value: T;
  readonly keepMs: number;
}

/**
 * Work by key: joined while it runs, its result reused while fresh. A caller that gives up leaves the others alone; work
 * that nobody waits for any more is stopped. Failures are not kept.
 */
export interface Shared<T> {
  get(key: string, parent: Task, work: (task: Task) => Promise<Found<T>>, deeper?: number): Promise<T>;
  /** The result, if one is fresh. */
  peek(key: string): T | undefined;
  forget(matches: (key: string, value: T | undefined) => boolean): void;
}

interface Running<T> {
  readonly task: Task;
  readonly result: Promise<T>;
  readonly stop: (reason: Error) => void;
  waiting: number;
}

export function createShared<T>(now: () => number): Shared<T> {
  const kept = new Map<string, { readonly value: T; readonly until: number }>();
  const running = new Map<string, Running<T>>();

  const peek = (key: string): T | undefined => {
    const entry = kept.get(key);
    if (entry === undefined) return undefined;
    if (entry.until > now()) return entry.value;
    kept.delete(key);
    return undefined;
  };

  const start = (key: string, parent: Task, work: (task: Task) => Promise<Found<T>>, deeper: number): Running<T> => {
    // Not a child of the parent's signal: others may come to wait for the same work.
    const own = new AbortController();
    setMaxListeners(0, own.signal);
    const task: Task = {
      signal: own.signal,
      depth: parent.depth + deeper,
      budget: parent.budget,
      waitsFor: new Map(),
    };
    // One tick later, so that work that asks for its own key at once finds itself under way.
    const result = Promise.resolve()
      .then(() => work(task))
      .then(
        (found) => {
          // Forgotten or abandoned meanwhile: answer those who wait, keep nothing.
          if (running.get(key) === entry) {
            running.delete(key);
            if (found.keepMs > 0) kept.set(key, { value: found.value, until: now() + found.keepMs });
          }
          return found.value;
        },
        (error: unknown) => {
          if (running.get(key) === entry) running.delete(key);
          throw error;
        },
      );
    result.catch(() => {});
    const entry: Running<T> = { task, result, stop: (reason) => own.abort(reason), waiting: 0 };
    running.set(key, entry);
    return entry;
  };

  return {
    peek,
    async get(key, parent, work, deeper = 0) {
      parent.signal.throwIfAborted();
      const fresh = peek(key);
      if (fresh !== undefined) return fresh;
      const entry = running.get(key) ?? start(key, parent, work, deeper);
      if (reaches(entry.task, parent)) throw new CycleError(key);
      parent.waitsFor.set(entry.task, (parent.waitsFor.get(entry.task) ?? 0) + 1);
      entry.waiting++;
      try {
        return await raceAbort(entry.result, parent.signal);
      } finally {
        entry.waiting--;
        const left = (parent.waitsFor.get(entry.task) ?? 1) - 1;
        if (left > 0) parent.waitsFor.set(entry.task, left);
        else parent.waitsFor.delete(entry.task);
        if (entry.waiting === 0 && running.get(key) === entry) {
          running.delete(key);
          entry.stop(new AbortedError("nobody waits for this look-up any more"));
        }
      }
    },
    forget(matches) {
      for (const [key, entry] of kept) if (matches(key, entry.value)) kept.delete(key);
      for (const key of running.keys()) if (matches(key, undefined)) running.delete(key);
    },
  };
}

/** Whether `from` is `to` or waits for it, over any number of steps. */
function reaches(from: Task, to: Task, seen = new Set<Task>()): boolean {
  if (from === to) return true;
  if (seen.has(from)) return false;
  seen.add(from);
  for (const next of from.waitsFor.keys()) if (reaches(next, to, seen)) return true;
  return false;
}
