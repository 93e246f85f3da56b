import type { Clock } from "../core/clock.ts";
import type { Endpoint } from "./exchange.ts";

/** Waits until one more packet may go to this server. */
export type Pace = (to: Endpoint, signal: AbortSignal) => Promise<void>;

/**
 * A bucket of `burst` packets per server address that refills with `perSecond`. In order of arrival; a wait that was
 * aborted gives its place back.
 */
export function createPace(clock: Clock, rate: { readonly perSecond: number; readonly burst: number }): Pace {
  const buckets = new Map<string, { level: number; at: number }>();
  return async (to, signal) => {
    const now = clock.now();
    const key = `${to.address} ${to.port}`;
    const bucket = buckets.get(key) ?? { level: rate.burst, at: now };
    buckets.set(key, bucket);
    bucket.level = Math.min(rate.burst, bucket.level + ((now - bucket.at) * rate.perSecond) / 1000);
    bucket.at = now;
    bucket.level -= 1;
    if (bucket.level >= 0) return;
    try {
      await clock.sleep((-bucket.level * 1000) / rate.perSecond, signal);
    } catch (error) {
      bucket.level += 1;
      throw error;
    }
  };
}
