import { hazardPerSecond, type PropagationHint } from "./hint.ts";

/** Most questions of one owner under way at once. */
export const mostInFlight = 16;
/** A confirming sweep comes at least this long after the one before (propagation.md §5.5). */
export const confirmAfterMs = 500;
/** Apart from the witness, servers known to disagree are looked at again here, for the live table and for the choice of witness. */
export const refreshAtMs: readonly number[] = [5_000, 20_000, 80_000, 320_000];

/**
 * Between round 0 and the first look at the witness: a secondary that is told by NOTIFY has the change some tens of
 * milliseconds after the primary. Still at most five questions a second to one address.
 */
export const firstGapMs = 60;

const shortestGapMs = 250;
const longestGapMs = 1_000;
const steadyUntilMs = 120_000;
const latestGapMs = 5_000;

/**
 * Time between two questions to the witness, `elapsedMs` after the provider's answer (propagation.md §5.4): 0.1·√t s
 * within 0.25 s and 1 s for two minutes, then growing to 5 s. The law is 0.1·√(1/hazard) for the hazard 1/t of a delay
 * known only by its order of magnitude; where history knows a higher one (§5.7), the witness is asked up to twice as
 * often, and never less: history saves questions by letting the first one wait.
 */
export function gapMs(elapsedMs: number, hint?: PropagationHint): number {
  const usual = usualGapMs(elapsedMs);
  const hazard = hint === undefined ? undefined : hazardPerSecond(hint, elapsedMs);
  if (hazard === undefined) return usual;
  return clamp(100 * Math.sqrt(1 / hazard), Math.max(shortestGapMs, usual / 2), usual);
}

function usualGapMs(elapsedMs: number): number {
  if (elapsedMs <= steadyUntilMs) return clamp(100 * Math.sqrt(elapsedMs / 1000), shortestGapMs, longestGapMs);
  return clamp((longestGapMs * elapsedMs) / steadyUntilMs, longestGapMs, latestGapMs);
}

/** ±10 %, so that many runs do not fall into step. */
export function jittered(ms: number, random: number): number {
  return ms * (0.9 + 0.2 * random);
}

/** Most datagrams and connections of a run before it slows down (propagation.md §5.9). */
export function budgetOf(ownerAddressPairs: number): number {
  return Math.max(600, 20 * ownerAddressPairs);
}

/** Gaps double when the budget is used up, and again with each further budget; at most sixteenfold. */
export function slowdown(used: number, budget: number): number {
  return used < budget ? 1 : 2 ** Math.min(4, Math.floor(used / budget));
}

function clamp(x: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, x));
}
