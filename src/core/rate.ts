import { raceAbort } from "./abort.ts";
import { abortReason, type Clock } from "./clock.ts";
import { type Stop, signalOf } from "./lazy-signal.ts";

/** Spaces requests so that a service's published limit is kept. */
export interface RateLimit {
  /**
   * Resolves when one more request may be sent; rejects with the signal's reason. In order of arrival. `zone` is given
   * for a write in it.
   */
  take(signal: Stop, zone?: string): Promise<void>;
  /** The service asked for silence, with these words: nothing is let through for `ms`, or no write in `zone`. */
  pause(ms: number, words: unknown, zone?: string): void;
  /** The words, when the silence lasts until `deadline` at least: whoever has no longer need not wait for nothing. */
  silence(deadline: number, zone?: string): unknown;
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
  /** Of writes in single zones, for services that count them by zone. */
  const silentZones = new Map<string, { readonly until: number; readonly said: unknown }>();
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

  const untilOf = (zone?: string): number =>
    (zone === undefined ? undefined : silentZones.get(zone)?.until) ?? Number.NEGATIVE_INFINITY;

  const pauseZone = (zone: string, until: number, words: unknown): void => {
    for (const [name, old] of silentZones) if (old.until <= clock.now()) silentZones.delete(name);
    if (until > untilOf(zone)) silentZones.set(zone, { until, said: words });
  };

  const enter = (signal: Stop): Promise<void> => {
    // Most find nobody before them and nothing to wait for.
    if (waiting === 0 && !signal.aborted && readyAt() <= clock.now()) return pass(signal);
    waiting += 1;
    const mine = line.then(() => pass(signal));
    // The next in line waits for this one's turn, not for its fate.
    line = mine.then(next, next);
    return raceAbort(mine, signal);
  };

  /** Not in line: writes in other zones need not wait. */
  const afterSilence = async (signal: Stop, zone?: string): Promise<void> => {
    for (let wait = untilOf(zone) - clock.now(); wait > 0; wait = untilOf(zone) - clock.now()) {
      await clock.sleep(wait, signalOf(signal));
    }
    return enter(signal);
  };

  return {
    take: (signal, zone) => (untilOf(zone) <= clock.now() ? enter(signal) : afterSilence(signal, zone)),
    pause(ms, words, zone) {
      const now = clock.now();
      if (zone !== undefined) return pauseZone(zone, now + ms, words);
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
    silence: (deadline, zone) =>
      silentUntil >= deadline ? said : untilOf(zone) >= deadline ? silentZones.get(zone ?? "")?.said : undefined,
  };
}
