import { raceAbort } from "./abort.ts";
import { abortReason, type Clock } from "./clock.ts";
import { type Stop, signalOf } from "./lazy-signal.ts";

/** Spaces requests so that a service's published limit is kept. */
export interface RateLimit {
  /** Resolves when one more request may be sent; rejects with the signal's reason. In order of arrival. */
  take(signal: Stop): Promise<void>;
  /** The service asked for silence, with these words: nothing is let through for `ms`. */
  pause(ms: number, words: unknown): void;
  /** The words, when the silence lasts until `deadline` at least: whoever has no longer need not wait for nothing. */
  silence(deadline: number): unknown;
}

const firstGapMs = 50;
const mostGapMs = 2_000;
/** A space this small is none. */
const leastGapMs = 5;
const fadesInMs = 10_000;
const oneWaveMs = 1_000;

/**
 * At most `requests` in every window of `perMs` milliseconds. Remembers when the last `requests` passed rather than
 * filling a bucket: a full bucket lets twice the limit through in its first window, and services answer that with a block.
 *
 * After a silence requests come one by one: all who waited would otherwise come at once, be refused again and use up the
 * limit for nothing. The space between them doubles whenever the service asks for silence again, and fades in between.
 */
export function createRateLimit(
  clock: Clock,
  limit?: { readonly requests: number; readonly perMs: number },
): RateLimit {
  /** Times of the last requests, oldest first; never more than the limit. */
  const passed: number[] = [];
  let silentUntil = Number.NEGATIVE_INFINITY;
  let widestMs = 0;
  let widenedAt = Number.NEGATIVE_INFINITY;
  let lastAt = Number.NEGATIVE_INFINITY;
  let said: unknown;
  let line: Promise<void> = Promise.resolve();
  let waiting = 0;

  /** Half as much with every `fadesInMs` that nobody was refused. */
  const gapMs = (): number => {
    if (widestMs === 0) return 0;
    const quietMs = Math.max(0, clock.now() - Math.max(widenedAt, silentUntil));
    const faded = widestMs * 0.5 ** (quietMs / fadesInMs);
    return faded < leastGapMs ? 0 : faded;
  };

  const readyAt = (): number => {
    const oldest = limit !== undefined && passed.length >= limit.requests ? passed[0] : undefined;
    const spaced = Math.max(silentUntil, lastAt + gapMs());
    return oldest === undefined ? spaced : Math.max(spaced, oldest + (limit?.perMs ?? 0));
  };

  const pass = async (signal: Stop): Promise<void> => {
    if (signal.aborted) throw abortReason(signal);
    for (let wait = readyAt() - clock.now(); wait > 0; wait = readyAt() - clock.now()) {
      await clock.sleep(wait, signalOf(signal));
    }
    lastAt = clock.now();
    if (limit === undefined) return;
    if (passed.length >= limit.requests) passed.shift();
    passed.push(clock.now());
  };

  const next = (): void => {
    waiting -= 1;
  };

  return {
    take(signal) {
      // Most find nobody before them and nothing to wait for.
      if (waiting === 0 && !signal.aborted && readyAt() <= clock.now()) return pass(signal);
      waiting += 1;
      const mine = line.then(() => pass(signal));
      // The next in line waits for this one's turn, not for its fate.
      line = mine.then(next, next);
      return raceAbort(mine, signal);
    },
    pause(ms, words) {
      const now = clock.now();
      // Refusals of what was sent together are one.
      if (now >= silentUntil && now - widenedAt >= oneWaveMs) {
        widestMs = Math.min(Math.max(2 * gapMs(), firstGapMs), mostGapMs);
        widenedAt = now;
      }
      const until = now + ms;
      if (until <= silentUntil) return;
      silentUntil = until;
      said = words;
    },
    silence: (deadline) => (silentUntil >= deadline ? said : undefined),
  };
}
