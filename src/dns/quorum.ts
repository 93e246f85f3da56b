import { agrees, type Target } from "./target.ts";

/**
 * "all": every address must agree. "reachable": addresses that say nothing usable are excused, see below.
 * `missing`: that many addresses may say whatever they like.
 */
export type Quorum = "all" | "reachable" | { readonly missing: number };

/** Where the addresses of one owner stand. */
export interface Standing {
  readonly agreed: readonly Target[];
  readonly excused: readonly Target[];
  readonly blocking: readonly Target[];
}

/** Three failed tries in this time make a server absent (propagation.md §5.6). */
const patience = { tries: 3, ms: 2_000 };
/** For one that has shown wrong data before: losing its later answers is no sign that it went away. */
const patienceAfterContradiction = { tries: 9, ms: 10_000 };

/** Sorts the addresses of one zone. Wrong data always blocks, except under an explicit `missing`. */
export function standing(targets: readonly Target[], quorum: Quorum): Standing {
  const agreed = targets.filter(agrees);
  const others = targets.filter((t) => !agrees(t));
  const untested = new Set(others.filter((t) => isUntested(t, targets)));
  if (typeof quorum === "object") {
    const blocking = others.filter((t) => !untested.has(t));
    if (agreed.length === 0 || blocking.length > quorum.missing) return { agreed, excused: [...untested], blocking };
    return { agreed, excused: others, blocking: [] };
  }
  const mayExcuse = quorum === "reachable" && hasMajority(targets, agreed);
  const excused = others.filter((t) => untested.has(t) || (mayExcuse && hasFailed(t)));
  return { agreed, excused, blocking: others.filter((t) => !excused.includes(t)) };
}

/** Whether it failed often and long enough to count as absent. */
export function hasFailed(t: Target): boolean {
  if (t.failure === undefined) return false;
  const needed = t.contradicted ? patienceAfterContradiction : patience;
  return t.failure.tries >= needed.tries && t.failure.endedAt - t.failure.since >= needed.ms;
}

/** No route to this address, while the same server has another one that can be asked: not tested, not at fault. */
export function isUntested(t: Target, targets: readonly Target[]): boolean {
  if (t.failure?.kind !== "unroutable" || t.contradicted) return false;
  return targets.some((o) => o !== t && o.server.name === t.server.name && o.failure?.kind !== "unroutable");
}

/** At least one address agrees, and at least half of the server names through some address. */
function hasMajority(targets: readonly Target[], agreed: readonly Target[]): boolean {
  const names = new Set(targets.map((t) => t.server.name));
  const agreeing = new Set(agreed.map((t) => t.server.name));
  return agreeing.size > 0 && 2 * agreeing.size >= names.size;
}
