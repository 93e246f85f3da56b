import type { Verdict } from "./types.ts";

/**
 * How long earlier changes took to reach every nameserver of a zone: a histogram over logarithmic buckets, small
 * enough for a line of JSON. Used to choose when to ask, never to skip the check (propagation.md §5.7).
 */
export interface PropagationHint {
  readonly schema: 1;
  /** Observations per bucket; bucket 0 ends at 250 ms, each further one at √2 times the one before. */
  readonly counts: readonly number[];
  /** Whether one address was seen to answer from several places; unknown when missing. */
  readonly anycast?: boolean | undefined;
}

export const emptyHint: PropagationHint = { schema: 1, counts: [] };

const firstEdgeMs = 250;
/** The last bucket ends beyond two hours. */
const bucketCount = 32;
/** Half of everything is forgotten here, so that a provider that has changed is learned again. */
const mostObservations = 200;
/** With fewer observations a quantile is an accident. */
const fewestObservations = 8;

/** The history with one more observation, in milliseconds from the provider's answer. */
export function withObservation(hint: PropagationHint, elapsedMs: number, anycast?: boolean): PropagationHint {
  if (!Number.isFinite(elapsedMs) || elapsedMs < 0) return hint;
  let counts = Array.from({ length: bucketCount }, (_, i) => hint.counts[i] ?? 0);
  if (total(hint) >= mostObservations) counts = counts.map((n) => Math.floor(n / 2));
  const at = bucketOf(elapsedMs);
  counts[at] = (counts[at] ?? 0) + 1;
  while (counts.at(-1) === 0) counts.pop();
  const known = anycast ?? hint.anycast;
  return { schema: 1, counts, ...(known === undefined ? {} : { anycast: known }) };
}

/** When the last of the authoritative servers was seen to agree; undefined when they did not. */
export function observedMs(verdict: Verdict): number | undefined {
  if (verdict.status !== "propagated") return undefined;
  const times = verdict.servers.flatMap((s) => (s.agreedAfterMs === undefined || s.resolver ? [] : [s.agreedAfterMs]));
  return times.length === 0 ? undefined : Math.max(...times);
}

/** Reads what was stored; undefined for anything that is no histogram of ours. */
export function parseHint(stored: unknown): PropagationHint | undefined {
  if (typeof stored !== "object" || stored === null) return undefined;
  const { schema, counts, anycast } = stored as Record<string, unknown>;
  if (schema !== 1 || !Array.isArray(counts) || counts.length > bucketCount) return undefined;
  if (!counts.every((n): n is number => Number.isSafeInteger(n) && n >= 0)) return undefined;
  return { schema: 1, counts, ...(typeof anycast === "boolean" ? { anycast } : {}) };
}

/** Lower edge of the bucket that holds the quantile, in milliseconds; undefined while too little is known. */
export function quantileMs(hint: PropagationHint, q: number): number | undefined {
  const all = total(hint);
  if (all < fewestObservations) return undefined;
  let seen = 0;
  for (let i = 0; i < hint.counts.length; i++) {
    seen += hint.counts[i] ?? 0;
    if (seen >= q * all) return edgeMs(i - 1);
  }
  return edgeMs(hint.counts.length - 1);
}

/**
 * Chance per second that it happens now, given that it has not by `elapsedMs` (actuarial estimate in the bucket);
 * undefined where no observation says anything.
 */
export function hazardPerSecond(hint: PropagationHint, elapsedMs: number): number | undefined {
  if (total(hint) < fewestObservations) return undefined;
  const at = bucketOf(elapsedMs);
  const here = hint.counts[at] ?? 0;
  let later = 0;
  for (let i = at + 1; i < hint.counts.length; i++) later += hint.counts[i] ?? 0;
  if (here + later < 3) return undefined;
  const seconds = (edgeMs(at) - edgeMs(at - 1)) / 1000;
  return here / (seconds * (later + here / 2));
}

/** Longest sensible wait in milliseconds: the user's, or three times the 99 % quantile where that is more. */
export function deadlineWith(hint: PropagationHint | undefined, userMs: number): number {
  const late = hint === undefined ? undefined : quantileMs(hint, 0.99);
  // The upper edge of the bucket: a deadline errs on the long side.
  return late === undefined ? userMs : Math.max(userMs, 3 * Math.max(firstEdgeMs, late * Math.SQRT2));
}

function total(hint: PropagationHint): number {
  return hint.counts.reduce((sum, n) => sum + n, 0);
}

/** Upper edge of bucket `i` in milliseconds; 0 below the first. */
function edgeMs(i: number): number {
  return i < 0 ? 0 : firstEdgeMs * 2 ** (i / 2);
}

function bucketOf(ms: number): number {
  if (ms <= firstEdgeMs) return 0;
  return Math.min(bucketCount - 1, Math.ceil(2 * Math.log2(ms / firstEdgeMs) - 1e-9));
}
