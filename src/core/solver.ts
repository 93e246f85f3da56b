import { callOf } from "./call.ts";
import { abortReason, type Clock } from "./clock.ts";
import { Dns01Error } from "./errors.ts";
import type { Observer } from "./events.ts";
import type { Stop } from "./lazy-signal.ts";
import { createLock, type KeyedLock } from "./lock.ts";
import { type DomainName, relativeTo } from "./name.ts";
import type { Edit, Provider, TxtBackend, Zone } from "./provider.ts";
import { createZoneFinder } from "./zones.ts";

/** TXT values of one owner. */
export interface SolverItem {
  /** Where they go, aliases already followed. */
  readonly owner: DomainName;
  readonly values: readonly string[];
  /** The zone that holds the owner in DNS, where known. */
  readonly zoneCut?: DomainName | undefined;
  /** For cleanUp: how long ago another process began to write them, where the journal tells. */
  readonly writtenMsAgo?: number | undefined;
}

/** What was done at one owner; one per owner, in order of the items. */
export interface Solved {
  readonly owner: DomainName;
  readonly zone: Zone;
  readonly changed: boolean;
  /**
   * Somebody else may still undo it: the same call is due again after so many milliseconds (src/core/settle.ts). Absent
   * where the change is certain, or there was none.
   */
  readonly settleMs?: number;
}

/**
 * Puts challenge values into DNS and takes them out again, through one connected provider. Keeps nothing between calls
 * but which zones were found: any process can clean up what another presented.
 */
export interface Solver {
  /** The provider's id. */
  readonly provider: string;
  /** The zone of the account that will be written for this owner. Throws ZoneNotFoundError. */
  locate(owner: DomainName, zoneCut: DomainName | undefined, signal: Stop, trace?: string): Promise<Zone>;
  /**
   * Adds the values; those that are there are left alone. One `apply` per zone, zones side by side. When a zone fails
   * the others are still finished: clean up all items afterwards, but those where `isUntouched` says that there is nothing
   * to take out. `details.zones` of the error says what became of each.
   */
  present(items: readonly SolverItem[], signal: Stop, trace?: string): Promise<readonly Solved[]>;
  /** Removes exactly these values; those that are gone are no error. Otherwise as `present`. */
  cleanUp(items: readonly SolverItem[], signal: Stop, trace?: string): Promise<readonly Solved[]>;
}

export interface SolverOptions {
  readonly provider: Pick<Provider, "id" | "traits">;
  /** Guarded, as connectProvider returns it. */
  readonly backend: TxtBackend;
  readonly observer: Observer;
  readonly clock: Clock;
  /** The user's TTL; raised to the service's minimum. */
  readonly ttlSeconds?: number | undefined;
  /** To be shared by solvers that reach the same account. */
  readonly lock?: KeyedLock | undefined;
}

interface ZoneWork {
  readonly zone: Zone;
  readonly edits: readonly Edit[];
}

type Act = "present" | "cleanUp";

export function createSolver(options: SolverOptions): Solver {
  const { provider, backend, observer, clock, lock = createLock() } = options;
  const ttlSeconds = chooseTtl(options);
  const zones = createZoneFinder(backend, { provider: provider.id, clock, noZonesHint: provider.traits.noZonesHint });
  const reported = new Set<string>();

  const place = async (
    act: Act,
    owner: DomainName,
    zoneCut: DomainName | undefined,
    signal: Stop,
    trace?: string,
  ): Promise<Zone> => {
    // With the zone its values are taken for gone: another process may have found it since it was missing here.
    const zone = await zones.find(owner, zoneCut, callOf(signal, { ttlSeconds, trace }), act === "cleanUp");
    const key = `${owner}\n${zone.apex}\n${zoneCut ?? ""}`;
    if (!reported.has(key)) {
      // Said once per owner; forgotten as a whole before it could grow without end.
      if (reported.size >= 10_000) reported.clear();
      reported.add(key);
      observer({ type: "zone.found", provider: provider.id, fqdn: owner, zone: zone.apex }, trace);
      if (zoneCut !== undefined && zoneCut !== zone.apex) {
        observer({ type: "zone.mismatch", provider: provider.id, fqdn: owner, zone: zone.apex, cut: zoneCut }, trace);
      }
    }
    return zone;
  };

  const applyZone = async (
    { zone, edits }: ZoneWork,
    act: Act,
    signal: Stop,
    trace?: string,
  ): Promise<readonly Solved[]> => {
    const names = provider.traits.lock === "zone" ? [] : edits.map(({ owner }) => owner.fqdn);
    const keys = provider.traits.lock === "zone" ? [`zone ${zone.apex}`] : names;
    const call = callOf(signal, { ttlSeconds, trace });
    let tookMs = 0;
    try {
      const changes = await lock.hold(keys, signal, async () => {
        const startedAt = clock.now();
        const changes = await backend.apply(zone, edits, call);
        tookMs = clock.now() - startedAt;
        return changes;
      });
      return edits.map((edit, i) => {
        const changed = changes[i] !== "unchanged";
        for (const value of act === "present" ? edit.add : edit.remove) {
          const { fqdn } = edit.owner;
          observer({ type: outcome(act, changed), provider: provider.id, zone: zone.apex, fqdn, value }, trace);
        }
        const settling = changes[i] === "unsettled" ? { settleMs: settleMsAfter(tookMs) } : {};
        return { owner: edit.owner.fqdn, zone, changed, ...settling };
      });
    } catch (error) {
      if (Dns01Error.is(error) && forgetful.has(error.code)) zones.forget(zone.apex);
      throw error;
    }
  };

  const solve = async (
    items: readonly SolverItem[],
    act: Act,
    signal: Stop,
    trace?: string,
  ): Promise<readonly Solved[]> => {
    if (signal.aborted) throw abortReason(signal);
    const merged = mergeItems(items);
    const located = await Promise.allSettled(
      merged.map(({ owner, zoneCut }) => place(act, owner, zoneCut, signal, trace)),
    );
    const missing = located.flatMap((result, i) =>
      result.status === "rejected" ? [{ name: merged[i]?.owner ?? "", error: result.reason as unknown }] : [],
    );
    // Nothing is written until every zone is known; but what can be taken out is taken out.
    if (act === "present" && missing.length > 0) throw combineFailures(missing, [], signal);
    const work = groupByZone(
      merged.flatMap((item, i) => {
        const result = located[i];
        return result?.status === "fulfilled" ? [{ item, zone: result.value }] : [];
      }),
      act,
    );
    const results = await Promise.allSettled(work.map((w) => applyZone(w, act, signal, trace)));
    const failed = results.flatMap((result, i) =>
      result.status === "rejected" ? [{ name: work[i]?.zone.apex ?? "", error: result.reason as unknown }] : [],
    );
    const done = results.flatMap((result, i) => (result.status === "fulfilled" ? [work[i]?.zone.apex ?? ""] : []));
    if (failed.length + missing.length > 0) throw combineFailures([...failed, ...missing], done, signal);
    const solved = results.flatMap((result) => (result.status === "fulfilled" ? result.value : []));
    const order = new Map(merged.map(({ owner }, i) => [owner, i]));
    return solved.toSorted((a, b) => (order.get(a.owner) ?? 0) - (order.get(b.owner) ?? 0));
  };

  return {
    provider: provider.id,
    locate: (owner, zoneCut, signal, trace) => place("present", owner, zoneCut, signal, trace),
    present: (items, signal, trace) => solve(items, "present", signal, trace),
    cleanUp: (items, signal, trace) => solve(items, "cleanUp", signal, trace),
  };
}

/**
 * Another writer who had read before our write has written by then, if its read and write take no longer than twice what
 * ours took. At most half a minute: a write that took longer had to wait for something else.
 */
function settleMsAfter(tookMs: number): number {
  return Math.min(30_000, Math.max(1000, 2 * tookMs));
}

/** After these the zone may have been deleted, or recreated under another id. */
const forgetful: ReadonlySet<string> = new Set(["AUTH", "ZONE_NOT_FOUND", "REJECTED"]);

function outcome(act: Act, changed: boolean): "txt.added" | "txt.kept" | "txt.removed" | "txt.absent" {
  if (act === "present") return changed ? "txt.added" : "txt.kept";
  return changed ? "txt.removed" : "txt.absent";
}

/** One item per owner, values once: `example.com` and `*.example.com` meet at one name. */
function mergeItems(items: readonly SolverItem[]): readonly SolverItem[] {
  const merged = new Map<DomainName, SolverItem>();
  for (const item of items) {
    const before = merged.get(item.owner);
    merged.set(item.owner, {
      owner: item.owner,
      values: [...new Set([...(before?.values ?? []), ...item.values])],
      zoneCut: before?.zoneCut ?? item.zoneCut,
      writtenMsAgo: lesser(before?.writtenMsAgo, item.writtenMsAgo),
    });
  }
  return [...merged.values()].filter(({ values }) => values.length > 0);
}

function lesser(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

function groupByZone(
  placed: readonly { readonly item: SolverItem; readonly zone: Zone }[],
  act: Act,
): readonly ZoneWork[] {
  const groups = new Map<DomainName, { readonly zone: Zone; readonly edits: Edit[] }>();
  for (const { item, zone } of placed) {
    const group = groups.get(zone.apex) ?? { zone, edits: [] };
    groups.set(zone.apex, group);
    const owner = { zone: group.zone, fqdn: item.owner, relative: relativeTo(item.owner, zone.apex) };
    const { values, writtenMsAgo } = item;
    group.edits.push(
      act === "present" ? { owner, add: values, remove: [] } : { owner, add: [], remove: values, writtenMsAgo },
    );
  }
  return [...groups.values()];
}

/** One error for all that failed: the first as it is when it stands alone, else one that speaks for it and lists all. */
export function combineFailures(
  failed: readonly { readonly name: string; readonly error: unknown }[],
  done: readonly string[],
  signal: Stop,
): unknown {
  if (signal.aborted) return abortReason(signal);
  const first = failed[0]?.error;
  if (!Dns01Error.is(first) || failed.length + done.length === 1) return first;
  const zones = [
    ...failed.map(({ name, error }) => ({
      zone: name,
      state: "failed",
      code: Dns01Error.is(error) ? error.code : "UNKNOWN",
      message: error instanceof Error ? error.message : String(error),
      ...(isUntouched(error, name) ? { nothingWritten: true } : {}),
    })),
    ...done.map((name) => ({ zone: name, state: "done" })),
  ];
  const others = failed.slice(1).map(({ name }) => name);
  const more = [
    ...(others.length > 0 ? [`also failed: ${others.join(", ")}`] : []),
    ...(done.length > 0 ? [`done: ${done.join(", ")}`] : []),
  ];
  return new Dns01Error(first.code, `${first.message} (${more.join("; ")})`, first.retryable, {
    provider: first.provider,
    operation: first.operation,
    zone: first.zone,
    fqdn: first.fqdn,
    hint: first.hint,
    details: { ...first.details, zones },
    requestId: first.requestId,
    nothingWritten: done.length === 0 && failed.every(({ name, error }) => isUntouched(error, name)),
    cause: first,
  });
}

/** Whether a `present` that failed with this error has certainly written nothing into this zone. */
export function isUntouched(error: unknown, zone: string): boolean {
  if (!Dns01Error.is(error)) return false;
  if (error.nothingWritten === true) return true;
  const zones = error.details?.["zones"];
  return (
    Array.isArray(zones) &&
    zones.some((entry: { zone?: unknown; nothingWritten?: unknown }) => {
      return entry.zone === zone && entry.nothingWritten === true;
    })
  );
}

function chooseTtl({ provider, ttlSeconds, observer }: SolverOptions): number {
  const { min, default: usual } = provider.traits.ttlSeconds;
  const wanted = ttlSeconds ?? usual;
  if (wanted >= min) return wanted;
  observer({
    type: "warning",
    code: "W_TTL_RAISED",
    text: `${provider.id}: a TTL of ${wanted} s is below the service's minimum; ${min} s is used`,
  });
  return min;
}
