import type { DomainName } from "../core/name.ts";
import type { PropagationHint } from "./hint.ts";
import { confirmAfterMs, firstGapMs, gapMs, jittered, mostInFlight, refreshAtMs } from "./polling.ts";
import { hasFailed, isUntested, type Quorum, type Standing, standing } from "./quorum.ts";
import { agrees, contradicts, isDivided, looksLikePool, type Target } from "./target.ts";

/** The wait for one owner name. Changed by `plan` and by whoever carries the plan out. */
export interface OwnerState {
  readonly owner: DomainName;
  readonly values: readonly string[];
  /** Position in the request: owners of one zone spread their witnesses by it. */
  readonly index: number;
  zone: DomainName | undefined;
  targets: readonly Target[];
  /** When the witness was asked last; round 0 counts. */
  witnessAt: number | undefined;
  gap: number;
  refreshes: number;
  /** Sweeps in a row in which nobody disagreed. */
  cleanSweeps: number;
  /** A further sweep: when it may begin, and whether it has. */
  confirming: { readonly at: number; launched: boolean } | undefined;
  /** The last look at everybody before the deadline has begun. */
  lastCall: boolean;
  /** Target of the CNAME that a wildcard makes of every name without records here, in lower case. */
  wildcardTarget: string | undefined;
  /** Set when an answer decides without further planning. */
  outcome: OwnerOutcome | undefined;
  /** What discovery said when it failed last, and whether nobody answered it. */
  discoveryError: string | undefined;
  discoveryBlind: boolean;
  unresolved: readonly DomainName[];
  /** The nameservers are being looked up again: no decision until they are known. */
  rediscovering: boolean;
  rediscoveries: number;
  rediscoveredAt: number;
  /** What the observer was told last. */
  told: string;
  /** A failure of the program itself, thrown by whoever waits. */
  defect: unknown;
}

export type OwnerOutcome = "propagated" | "misplaced" | "blind" | "no-delegation";

/** What the plan depends on besides the answers. */
export interface Terms {
  readonly quorum: Quorum;
  readonly confirmations: number | undefined;
  readonly hint: PropagationHint | undefined;
  readonly startedAt: number;
  readonly deadlineAt: number;
  readonly slowdown: () => number;
  readonly random: () => number;
}

export interface Plan {
  readonly ask: readonly Target[];
  /** When to plan again even if no answer arrives. */
  readonly wakeAt: number;
  readonly outcome?: OwnerOutcome;
}

/** Evidence that a server is absent holds this long; then it is asked again before anything is decided on it. */
const evidenceMs = 5_000;
const backoffMs: readonly number[] = [5_000, 10_000, 20_000];
/** Nobody answered for this long: not a lost packet but no way to the servers. */
const blindAfterMs = 8_000;

export function newOwnerState(owner: DomainName, values: readonly string[], index: number): OwnerState {
  return {
    owner,
    values,
    index,
    zone: undefined,
    targets: [],
    witnessAt: undefined,
    gap: 0,
    refreshes: 0,
    cleanSweeps: 0,
    confirming: undefined,
    lastCall: false,
    wildcardTarget: undefined,
    outcome: undefined,
    discoveryError: undefined,
    discoveryBlind: false,
    unresolved: [],
    rediscovering: false,
    rediscoveries: 0,
    rediscoveredAt: Number.NEGATIVE_INFINITY,
    told: "",
    defect: undefined,
  };
}

/** The next step for one owner: whom to ask now, and when to look again (propagation.md §5.4–5.6). */
export function plan(s: OwnerState, terms: Terms, now: number): Plan {
  if (s.witnessAt === undefined) {
    // Round 0: the targets come marked as due.
    s.witnessAt = now;
    s.gap = terms.hint === undefined ? jittered(firstGapMs, terms.random()) : nextGap(terms, now);
  }
  const stand = standing(s.targets, terms.quorum);
  const clean = stand.blocking.length === 0 && stand.agreed.length > 0;
  if (clean && !s.rediscovering) return planConfirmation(s, stand, terms, now);
  // A failure that may pass interrupts a row of sweeps until it is over; an answer without the value ends it.
  if (clean || stand.blocking.some((t) => t.failure === undefined)) {
    s.cleanSweeps = 0;
    s.confirming = undefined;
  }
  if (isBlind(s, now)) return { ask: [], wakeAt: now, outcome: "blind" };
  return planPolling(s, stand, terms, now);
}

function planConfirmation(s: OwnerState, stand: Standing, terms: Terms, now: number): Plan {
  const stale = stand.excused.filter((t) => !isUntested(t, s.targets) && isStaleEvidence(t, terms, now));
  for (const t of stale) if (!t.asking) t.due = true;
  // An answer on its way may take the agreement back; one that may be missing is not waited for.
  const heeded = typeof terms.quorum === "object" ? stand.agreed : s.targets;
  if (stale.length > 0 || heeded.some((t) => t.due || t.asking)) return send(s, Number.POSITIVE_INFINITY);
  if (s.confirming === undefined) {
    s.cleanSweeps++;
    if (s.cleanSweeps >= sweepsNeeded(s, terms)) return { ask: [], wakeAt: now, outcome: "propagated" };
    s.confirming = { at: now + confirmAfterMs, launched: false };
  }
  if (!s.confirming.launched) {
    if (now < s.confirming.at) return { ask: [], wakeAt: s.confirming.at };
    s.confirming.launched = true;
    for (const t of stand.agreed) t.due = true;
    return send(s, Number.POSITIVE_INFINITY);
  }
  s.confirming = undefined;
  return planConfirmation(s, stand, terms, now);
}

/** Sweeps after which a machine that was not met again counts as gone. */
const mostSweeps = 6;

/**
 * One clean sweep where every address is one machine, a second one for pools, more where answers went back, and until
 * every machine that told its name has been met agreeing.
 */
function sweepsNeeded(s: OwnerState, terms: Terms): number {
  const flips = s.targets.reduce((sum, t) => sum + t.flips, 0);
  const pool = terms.hint?.anycast ?? s.targets.some(looksLikePool);
  const evidence = s.targets.some(isDivided) ? mostSweeps : flips === 0 ? 1 : Math.min(mostSweeps, 1 + flips);
  return Math.max(terms.confirmations ?? (pool ? 2 : 1), evidence);
}

function planPolling(s: OwnerState, stand: Standing, terms: Terms, now: number): Plan {
  let wakeAt = Number.POSITIVE_INFINITY;
  const at = (time: number, act: () => void) => {
    if (now >= time) act();
    else wakeAt = Math.min(wakeAt, time);
  };
  const known = stand.blocking.filter(contradicts);
  if (known.length > 0) {
    const elapsed = now - terms.startedAt;
    // A look that was missed is not made up for: after a late start only the next one counts.
    while ((refreshAtMs[s.refreshes + 1] ?? Number.POSITIVE_INFINITY) <= elapsed) s.refreshes++;
    const refresh = refreshAtMs[s.refreshes];
    if (refresh !== undefined) {
      at(terms.startedAt + refresh, () => {
        s.refreshes++;
        for (const t of known) t.due = !t.asking && !t.witness;
      });
    }
    at((s.witnessAt ?? now) + s.gap, () => {
      for (const t of witnesses(s, known, terms.quorum)) {
        t.witness = true;
        t.due = !t.asking;
      }
      s.witnessAt = now;
      s.gap = nextGap(terms, now);
      wakeAt = Math.min(wakeAt, now + s.gap);
    });
  }
  // Only silence is in the way: whoever may end it is asked more often than a server that nobody waits for.
  const urgent = known.length === 0 && !stand.blocking.some((t) => t.class === "pending");
  for (const t of s.targets) {
    if (t.failure === undefined || agrees(t) || t.asking || t.due) continue;
    const mood = isUntested(t, s.targets) ? "untested" : urgent ? "urgent" : "patient";
    at(retryAt(t, mood, terms, now), () => {
      t.due = true;
    });
  }
  if (!s.lastCall) {
    at(lastCallAt(terms), () => {
      s.lastCall = true;
      for (const t of s.targets) t.due = !t.asking;
    });
  }
  return send(s, wakeAt);
}

/** Shortly before the deadline everybody is heard once more, so that the verdict tells how things stand then. */
function lastCallAt(terms: Terms): number {
  return terms.deadlineAt - Math.min(3_000, 0.2 * (terms.deadlineAt - terms.startedAt));
}

/**
 * One more server than may be missing: as long as all of these disagree, no question to another can change the result.
 * A witness stays until it agrees or falls silent; a new one is near and heard over UDP.
 */
function witnesses(s: OwnerState, known: readonly Target[], quorum: Quorum): readonly Target[] {
  const wanted = typeof quorum === "object" ? quorum.missing + 1 : 1;
  const kept = known.filter((t) => t.witness).slice(0, wanted);
  if (kept.length === wanted) return kept;
  const others = known.filter((t) => !kept.includes(t));
  const cost = (t: Target) => t.fastestMs + (t.answer?.transport === "tcp" ? 1_000 : 0);
  const best = Math.min(...others.map(cost));
  const near = others.filter((t) => cost(t) <= 2 * best + 20);
  const turned = near.map((_, i) => near[(i + s.index) % near.length]).filter((t) => t !== undefined);
  const far = others.filter((t) => !near.includes(t)).sort((a, b) => cost(a) - cost(b));
  return [...kept, ...turned, ...far].slice(0, wanted);
}

function retryAt(t: Target, mood: "untested" | "urgent" | "patient", terms: Terms, now: number): number {
  const f = t.failure;
  if (f === undefined || f.fresh) return now;
  // The tries of 2.5 s decide whether the server counts as absent. One that answers costs little to ask again, and a
  // server that fails now and then must not be taken for one that always does.
  const again = f.kind === "lame" || f.kind === "broken" ? 500 : 1_000;
  if (mood !== "untested" && (f.tries < 3 || f.endedAt - f.since < 2_000)) return f.lastAskedAt + again;
  if (mood === "urgent")
    return f.endedAt + Math.min(5_000, Math.max(1_000, 500 * Math.sqrt((now - terms.startedAt) / 1_000)));
  const beyond = f.questions - (f.kind === "silent" || mood === "untested" ? 1 : 3);
  return f.endedAt + (backoffMs[Math.max(0, Math.min(beyond, backoffMs.length - 1))] ?? 20_000);
}

function isStaleEvidence(t: Target, terms: Terms, now: number): boolean {
  if (typeof terms.quorum === "object" || !hasFailed(t)) return false;
  return now - (t.failure?.lastAskedAt ?? now) > evidenceMs;
}

/** Nobody has ever said anything, or only something that resolves in the nameservers' place has. */
function isBlind(s: OwnerState, now: number): boolean {
  if (s.targets.length === 0 || s.targets.some((t) => t.reached)) return false;
  const failures = s.targets.map((t) => t.failure);
  if (!failures.every((f) => f !== undefined && f.tries >= 3)) return false;
  return now - Math.min(...failures.map((f) => f?.since ?? now)) >= blindAfterMs;
}

function nextGap(terms: Terms, now: number): number {
  return jittered(gapMs(now - terms.startedAt, terms.hint), terms.random()) * terms.slowdown();
}

function send(s: OwnerState, wakeAt: number): Plan {
  const room = mostInFlight - s.targets.reduce((n, t) => n + (t.asking ? 1 : 0), 0);
  return { ask: s.targets.filter((t) => t.due && !t.asking).slice(0, Math.max(0, room)), wakeAt };
}
