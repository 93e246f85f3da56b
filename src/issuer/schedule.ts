import { after, type Clock } from "../core/clock.ts";
import { onAbort } from "../core/on-abort.ts";
import { createAgenda } from "./schedule-agenda.ts";

/** What a look at one certificate found. */
export type Look =
  /** Nothing to do before this instant, in milliseconds of the wall clock. */
  | { readonly at: number }
  /** Work that takes a place among the few that go on side by side; the smaller `urgency`, the sooner. Answers with the next look. */
  | { readonly urgency: number; readonly work: () => Promise<number> };

export interface ScheduleOptions {
  readonly clock: Clock;
  /** Wall clock; it may jump. */
  readonly now: () => number;
  readonly signal: AbortSignal;
  /** How many works go on side by side. */
  readonly parallel: number;
  /** How many looks go on side by side. */
  readonly looks?: number;
  /** A clock that jumped, or a machine that slept, is noticed that much later at most. */
  readonly longestSleepMs?: number;
  /** Neither this nor the work it answers with may throw but for the signal; what does is looked at again in an hour. */
  readonly look: (key: string) => Promise<Look>;
  /** Called with every turn of the loop: the sign that it lives. */
  readonly onTurn?: () => void;
  readonly onFault?: (key: string, error: unknown, retryAt: number) => void;
}

/** Looks at every key when its time has come, for as long as the signal allows. */
export interface Schedule {
  /** Is looked at then; if it is being worked on, once more afterwards. */
  set(key: string, at: number): void;
  /** Is not looked at again; what goes on for it is finished. */
  delete(key: string): void;
  readonly counts: {
    readonly keys: number;
    readonly looking: number;
    readonly waiting: number;
    readonly working: number;
  };
  /** When the next look is planned. */
  next(): number | undefined;
  /** Ends when the signal fires and everything that went on has ended. */
  run(): Promise<void>;
}

/** A difference between wall clock and steady clock beyond this is a jump. */
const jumpMs = 10_000;
const faultMs = 3_600_000;

export function createSchedule(options: ScheduleOptions): Schedule {
  const { clock, now, signal, parallel, looks = 16, longestSleepMs = 60_000 } = options;
  const agenda = createAgenda();
  const looking = new Set<string>();
  const works = new Map<string, () => Promise<number>>();
  /** By urgency in place of time. */
  const waiting = createAgenda();
  const working = new Set<string>();
  /** Set while it was being worked on. */
  const again = new Map<string, number>();
  const deleted = new Set<string>();
  let isRunning = false;
  /** The next turn: when it is planned, and how to call it off. */
  let turnAt = Number.POSITIVE_INFINITY;
  let cancelTurn: () => void = () => {};
  let drift = 0;
  let onEnd: () => void = () => {};

  const isBusy = (key: string) => looking.has(key) || works.has(key) || working.has(key);

  const set = (key: string, at: number): void => {
    deleted.delete(key);
    if (isBusy(key)) again.set(key, Math.min(at, again.get(key) ?? at));
    else agenda.set(key, at);
    proceed();
  };

  /** The key is nobody's any more: back to the agenda, or away. */
  const settle = (key: string, at: number): void => {
    const sooner = again.get(key);
    again.delete(key);
    if (!deleted.delete(key)) agenda.set(key, sooner === undefined ? at : Math.min(at, sooner));
    proceed();
  };

  const fault = (key: string, error: unknown): void => {
    const retryAt = now() + faultMs;
    if (!signal.aborted) options.onFault?.(key, error, retryAt);
    settle(key, retryAt);
  };

  const lookAt = async (key: string): Promise<void> => {
    looking.add(key);
    try {
      const look = await options.look(key);
      looking.delete(key);
      if ("at" in look) return settle(key, look.at);
      works.set(key, look.work);
      waiting.set(key, look.urgency);
      proceed();
    } catch (error) {
      looking.delete(key);
      fault(key, error);
    }
  };

  const workAt = async (key: string, work: () => Promise<number>): Promise<void> => {
    working.add(key);
    try {
      const at = await work();
      working.delete(key);
      settle(key, at);
    } catch (error) {
      working.delete(key);
      fault(key, error);
    }
  };

  /** Starts what has a place; the most urgent first. */
  const start = (): void => {
    while (looking.size < looks) {
      const key = agenda.take(now());
      if (key === undefined) break;
      void lookAt(key);
    }
    // In waves while many wait: what is begun together shares its writes to DNS.
    const free = parallel - working.size;
    if (working.size > 0 && free < parallel / 2 && waiting.size > free) return;
    while (working.size < parallel) {
      const key = waiting.take(Number.POSITIVE_INFINITY);
      const work = key === undefined ? undefined : works.get(key);
      if (key === undefined || work === undefined) return;
      works.delete(key);
      if (deleted.delete(key)) {
        waiting.delete(key);
        continue;
      }
      void workAt(key, work);
    }
  };

  /** After every change: most need no turn. */
  const proceed = (): void => {
    if (!isRunning) return;
    if (signal.aborted) {
      if (looking.size + working.size === 0) onEnd();
      return;
    }
    start();
    const next = nextLook();
    if (next !== undefined && next < turnAt) plan(next);
  };

  const nextLook = () => (looking.size < looks ? agenda.first() : undefined);

  const plan = (at: number): void => {
    cancelTurn();
    turnAt = at;
    cancelTurn = after(clock, Math.max(0, at - now()), turn);
  };

  const turn = (): void => {
    // What begins at once, and ends at once, plans no turn of its own.
    turnAt = Number.NEGATIVE_INFINITY;
    noticeJump();
    options.onTurn?.();
    start();
    plan(Math.min(now() + longestSleepMs, nextLook() ?? Number.POSITIVE_INFINITY));
  };

  /** All instants were chosen under another clock: everything is looked at anew. */
  const noticeJump = (): void => {
    const drifted = now() - clock.now();
    if (Math.abs(drifted - drift) >= jumpMs) agenda.setAll(now());
    drift = drifted;
  };

  async function run(): Promise<void> {
    drift = now() - clock.now();
    isRunning = true;
    if (!signal.aborted) turn();
    await new Promise<void>((resolve) => {
      const release = onAbort(signal, () => {
        cancelTurn();
        works.clear();
        proceed();
      });
      onEnd = () => {
        release();
        resolve();
      };
      if (signal.aborted) proceed();
    });
  }

  return {
    set,
    delete(key) {
      agenda.delete(key);
      again.delete(key);
      if (isBusy(key)) deleted.add(key);
    },
    get counts() {
      const keys = agenda.size + looking.size + waiting.size + working.size;
      return { keys, looking: looking.size, waiting: waiting.size, working: working.size };
    },
    next: () => agenda.first(),
    run,
  };
}
