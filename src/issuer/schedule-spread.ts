import { HOUR } from "./budget-limits.ts";
import type { RenewalSubject } from "./renewal.ts";

/** Decides when to renew what no CA has given a window for, so that the load is level. */
export interface Spread {
  /** An instant before `last`, in milliseconds of the wall clock; the same while the certificate is. */
  place(name: string, subject: RenewalSubject, last: number, now: number): number;
  /** The CA has given a window: the instant in it counts as load, but is not ours to choose. */
  note(name: string, subject: RenewalSubject, at: number): void;
  remove(name: string): void;
}

/** Hours fill up to this multiple of the mean before an earlier one is looked for. */
const headroom = 1.25;
/** Parts of the lifetime before the last moment in which an instant is looked for, and how often in each. */
const reach = [
  { part: 0.1, draws: 8 },
  { part: 0.3, draws: 24 },
] as const;

interface Place {
  readonly serial: string;
  readonly last: number | undefined;
  readonly at: number;
  /** Renewals an hour that this certificate stands for. */
  readonly rate: number;
}

/**
 * Every certificate draws instants, by chance that is its own, until it finds an hour that is not full; first near its
 * last moment, then farther before it. Certificates that were issued together, as at the first start with many, drift
 * apart that way within a few renewals, and no hour gets much more than its share.
 */
export function createSpread(): Spread {
  const places = new Map<string, Place>();
  const load = new Map<number, number>();
  let mean = 0;

  const count = (place: Place, by: 1 | -1): void => {
    const hour = hourOf(place.at);
    const left = (load.get(hour) ?? 0) + by;
    if (left > 0) load.set(hour, left);
    else load.delete(hour);
    mean = Math.max(0, mean + by * place.rate);
  };
  const remove = (name: string): void => {
    const place = places.get(name);
    if (place === undefined) return;
    places.delete(name);
    count(place, -1);
  };
  const keep = (name: string, place: Place): void => {
    const before = places.get(name);
    if (before !== undefined) count(before, -1);
    places.set(name, place);
    count(place, 1);
  };

  return {
    remove,
    note(name, subject, at) {
      const before = places.get(name);
      if (before?.serial === subject.serial && before.at === at) return;
      keep(name, { serial: subject.serial, last: undefined, at, rate: rateOf(subject) });
    },
    place(name, subject, last, now) {
      const before = places.get(name);
      if (before?.serial === subject.serial && before.last === last) return before.at;
      const rate = rateOf(subject);
      // What it counted for before does not stand in its own way.
      const level = Math.max(1, headroom * (mean - (before?.rate ?? 0) + rate));
      const own = before === undefined ? undefined : hourOf(before.at);
      const loadOf = (hour: number) => (load.get(hour) ?? 0) - (hour === own ? 1 : 0);
      const at = draw(name, subject, { last, now }, (hour) => loadOf(hour) / level);
      keep(name, { serial: subject.serial, last, at, rate });
      return at;
    },
  };
}

function hourOf(at: number): number {
  return Math.floor(at / HOUR);
}

/** The first instant that is not past in an hour that is not full, else the one in the emptiest hour. */
function draw(
  name: string,
  subject: RenewalSubject,
  { last, now }: { readonly last: number; readonly now: number },
  fullness: (hour: number) => number,
): number {
  const lifetime = subject.notAfter - subject.notBefore;
  const random = seeded(`${name}\n${subject.serial}`);
  let best = { at: last, fullness: Number.POSITIVE_INFINITY };
  for (const { part, draws } of reach) {
    for (let n = 0; n < draws; n++) {
      const at = Math.floor(last - random() * part * lifetime);
      // After a start: what was passed over before must not come due all at once now.
      if (at <= now) continue;
      const full = fullness(hourOf(at));
      if (full < 1) return at;
      if (full < best.fullness) best = { at, fullness: full };
    }
  }
  return best.at;
}

/** A certificate comes back after about 60 % of its lifetime (45 % below ten days). */
function rateOf({ notBefore, notAfter }: RenewalSubject): number {
  const hours = (notAfter - notBefore) / HOUR;
  return 1 / Math.max(1, hours * (hours < 240 ? 0.45 : 0.6));
}

/** Chance that a certificate keeps over restarts. */
function seeded(text: string): () => number {
  // FNV-1a, and a last mixing: the beginnings of neighbours must be far apart.
  let state = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193);
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  state = (state ^ (state >>> 16)) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
}
