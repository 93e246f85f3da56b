import { abortReason, type Clock } from "../core/clock.ts";
import { signalOf } from "../core/lazy-signal.ts";
import type { DomainName } from "../core/name.ts";
import type { Zone } from "../core/provider.ts";
import { combineFailures, type Solved, type Solver, type SolverItem } from "../core/solver.ts";
import { type Act, createZoneQueue, keysOf, type QueueSettings, type ZoneQueue } from "./zone-queue.ts";
import type { Caller } from "./zone-roll.ts";

/** One solver for many certificates at once: what they write to one zone goes out together. */
export interface SharedSolver {
  /** A caller's own view of it: one certificate's. One that is not among the callers is waited for by nobody. */
  open(caller?: Caller): SharedView;
  /** Somebody who was waited for will not come. */
  wake(): void;
}

export interface SharedView extends Solver {
  /** The caller is done: nobody waits for it any more, and values it still holds are held no longer. */
  close(): void;
}

export interface BatchingOptions extends Partial<QueueSettings> {
  readonly clock: Clock;
}

/**
 * Merges calls for one zone into one call of `solver`: those that come while others are on their way to the same zone, or
 * while a write of it is under way; in a zone one write follows the other. Every caller gets its own result: what one
 * caller sent and the service rejects does not fail the others, and a caller that gives up does not end the write of the
 * others. A value that two callers hold (a CA may give the same token twice) is taken out when the last one lets go of it.
 * `callers`: who there is, counting those that have not written yet; whoever has opened a view when left out.
 */
export function createSharedSolver(
  solver: Solver,
  options: BatchingOptions,
  callers: Set<Caller> = new Set(),
): SharedSolver {
  const { clock, presentWindowMs = 200, cleanUpWindowMs = 400, longestWaitMs = 5000, maxValues = 100 } = options;
  const settings = { presentWindowMs, cleanUpWindowMs, longestWaitMs, maxValues };
  const queues = new Map<DomainName, ZoneQueue>();
  const waiting = new Map<Caller, number>();
  const holders = new Map<string, Set<Caller>>();
  /** Nothing more will come before one of these is answered: no reason to wait. */
  const isEverybodyHere = () => {
    const here = [...waiting.values()].filter((count) => count > 0).length;
    return here >= callers.size;
  };
  const wakeAll = () => {
    for (const queue of queues.values()) queue.wake();
  };

  const queueOf = (zone: Zone): ZoneQueue => {
    const known = queues.get(zone.apex);
    if (known !== undefined) return known;
    const isHeld = (key: string) => (holders.get(key)?.size ?? 0) > 0;
    const isIdle = () => queues.delete(zone.apex);
    const who = { callers: () => callers, isEverybodyHere };
    const queue = createZoneQueue({ solver, zone, clock, settings, ...who, isHeld, isIdle });
    queues.set(zone.apex, queue);
    return queue;
  };

  const hold = (caller: Caller, act: Act, items: readonly SolverItem[]) => {
    for (const key of items.flatMap(keysOf)) {
      const set = holders.get(key) ?? new Set();
      if (act === "present") set.add(caller);
      else set.delete(caller);
      if (set.size > 0) holders.set(key, set);
      else holders.delete(key);
    }
  };

  const solve = async (caller: Caller, act: Act, items: readonly SolverItem[], signal: AbortSignal) => {
    if (signal.aborted) throw abortReason(signal);
    const located = await Promise.allSettled(items.map((i) => solver.locate(i.owner, i.zoneCut, signal)));
    const missing = located.flatMap((result, i) =>
      result.status === "rejected" ? [{ name: items[i]?.owner ?? "", error: result.reason as unknown }] : [],
    );
    // Nothing is written until every zone is known; but what can be taken out is taken out.
    if (act === "present" && missing.length > 0) throw combineFailures(missing, [], signal);
    const byZone = new Map<DomainName, { readonly zone: Zone; readonly items: SolverItem[] }>();
    for (const [i, item] of items.entries()) {
      const result = located[i];
      if (result?.status !== "fulfilled") continue;
      const group = byZone.get(result.value.apex) ?? { zone: result.value, items: [] };
      group.items.push(item);
      byZone.set(result.value.apex, group);
    }
    hold(caller, act, items);
    const groups = [...byZone.values()];
    waiting.set(caller, (waiting.get(caller) ?? 0) + groups.length);
    try {
      const jobs = groups.map((group) => queueOf(group.zone).add(caller, act, group.items, signal));
      if (isEverybodyHere()) wakeAll();
      const results = await Promise.allSettled(jobs);
      return inOrder(items, results, groups, missing, signal);
    } finally {
      const before = waiting.get(caller);
      if (before !== undefined) waiting.set(caller, before - groups.length);
    }
  };

  return {
    wake: wakeAll,
    open(known) {
      const caller = known ?? { names: undefined, openedAt: clock.now() };
      if (known === undefined) callers.add(caller);
      return {
        provider: solver.provider,
        locate: (owner, zoneCut, signal) => solver.locate(owner, zoneCut, signal),
        present: (items, stop) => solve(caller, "present", items, signalOf(stop)),
        cleanUp: (items, stop) => solve(caller, "cleanUp", items, signalOf(stop)),
        close() {
          callers.delete(caller);
          waiting.delete(caller);
          for (const [key, set] of holders) {
            set.delete(caller);
            if (set.size === 0) holders.delete(key);
          }
          for (const queue of [...queues.values()]) queue.forget(caller);
        },
      };
    },
  };
}

/** What became of each zone, as one answer in the order of the items. */
function inOrder(
  items: readonly SolverItem[],
  results: readonly PromiseSettledResult<readonly Solved[]>[],
  groups: readonly { readonly zone: Zone }[],
  missing: readonly { readonly name: string; readonly error: unknown }[],
  signal: AbortSignal,
): readonly Solved[] {
  const nameOf = (i: number) => groups[i]?.zone.apex ?? "";
  const failed = results.flatMap((r, i) =>
    r.status === "rejected" ? [{ name: nameOf(i), error: r.reason as unknown }] : [],
  );
  const done = results.flatMap((r, i) => (r.status === "fulfilled" ? [nameOf(i)] : []));
  if (failed.length + missing.length > 0) throw combineFailures([...failed, ...missing], done, signal);
  const solved = results.flatMap((r) => (r.status === "fulfilled" ? r.value : []));
  const at = new Map(items.map(({ owner }, i) => [owner, i]));
  return solved.toSorted((a, b) => (at.get(a.owner) ?? 0) - (at.get(b.owner) ?? 0));
}
