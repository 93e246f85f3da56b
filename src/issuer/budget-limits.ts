import { cas } from "../acme/directories.ts";

/** A token bucket's shape: `size` at most, refilled evenly within `perMs`. */
export interface Limit {
  readonly size: number;
  readonly perMs: number;
}

/** What a CA allows one account; an absent limit is not watched. */
export interface CaLimits {
  /** Orders of the account. */
  readonly orders?: Limit;
  /** Certificates of one registered domain. */
  readonly domainCertificates?: Limit;
  /** Certificates of one exact set of names. */
  readonly setCertificates?: Limit;
  /** Failed authorizations of one name. */
  readonly failures: Limit;
  /** Failures in a row of one name until the CA pauses it. */
  readonly consecutive?: Limit;
}

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** Let's Encrypt's published limits of August 2026. */
const letsEncrypt: CaLimits = {
  orders: { size: 300, perMs: 3 * HOUR },
  domainCertificates: { size: 50, perMs: 7 * DAY },
  setCertificates: { size: 5, perMs: 7 * DAY },
  failures: { size: 5, perMs: HOUR },
  // One is refilled a day.
  consecutive: { size: 1152, perMs: 1152 * DAY },
};

const letsEncryptStaging: CaLimits = {
  orders: { size: 1500, perMs: 3 * HOUR },
  domainCertificates: { size: 30_000, perMs: 7 * DAY },
  setCertificates: { size: 30_000, perMs: 7 * DAY },
  failures: { size: 200, perMs: HOUR },
};

/** A CA that publishes no figures: only failures are watched, as strictly as by the best known of them. */
const others: CaLimits = { failures: { size: 5, perMs: HOUR } };

export function limitsOf(directoryUrl: string): CaLimits {
  if (directoryUrl === cas["letsencrypt"]?.directoryUrl) return letsEncrypt;
  if (directoryUrl === cas["letsencrypt-staging"]?.directoryUrl) return letsEncryptStaging;
  return others;
}

/** How full a bucket was at an instant of the wall clock; absent means full. */
export interface Level {
  readonly tokens: number;
  readonly at: number;
}

export function levelAt(level: Level | undefined, limit: Limit, now: number): Level {
  if (level === undefined) return { tokens: limit.size, at: now };
  // A clock that was set back gives nothing away and takes nothing.
  const passed = Math.max(0, now - level.at);
  return { tokens: Math.min(limit.size, level.tokens + (passed * limit.size) / limit.perMs), at: now };
}

export function take(level: Level | undefined, limit: Limit, now: number): Level {
  const { tokens } = levelAt(level, limit, now);
  return { tokens: Math.max(0, tokens - 1), at: now };
}

/** When the bucket holds `wanted` tokens; `now` when it does already. */
export function readyAt(level: Level | undefined, limit: Limit, wanted: number, now: number): number {
  const { tokens } = levelAt(level, limit, now);
  // Rounding must not leave a bucket a hair short at the very instant that was promised.
  if (tokens >= wanted - 1e-9) return now;
  return now + Math.ceil(((wanted - tokens) * limit.perMs) / limit.size);
}
