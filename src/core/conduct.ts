import { systemClock } from "./clock.ts";
import { type DomainName, rootName } from "./name.ts";
import type { Call, Conduct, TxtBackend, Zone } from "./provider.ts";
import { retry } from "./retry.ts";

/** For a lift that is used without the guard: requests go straight through, conflicts are retried a while. */
export function conductOf(call: Call): Conduct {
  if (call.conduct !== undefined) return call.conduct;
  return {
    clock: systemClock,
    parallel: 1,
    request: (_label, run) => run(call),
    attempt: (_what, run) =>
      retry(run, {
        signal: call.signal,
        clock: systemClock,
        deadline: Number.POSITIVE_INFINITY,
        policy: { attempts: 20, baseMs: 100, maxMs: 2000 },
      }),
  };
}

/** The zone question, the same for both lifts. */
export function findZoneWith(
  api: { findZone(apex: DomainName, call: Call): Promise<Zone | undefined> },
  apex: DomainName,
  call: Call,
): Promise<Zone | undefined> {
  const label = { operation: "findZone", write: false, name: apex };
  return conductOf(call).request(label, (inner) => api.findZone(apex, inner));
}

/** The list of zones, the same for both lifts, where there is one. */
export function visibleZonesOf(api: Pick<TxtBackend, "visibleZones">): Pick<TxtBackend, "visibleZones"> {
  const { visibleZones } = api;
  if (visibleZones === undefined) return {};
  const label = { operation: "visibleZones", write: false, name: rootName };
  return { visibleZones: (call) => conductOf(call).request(label, (inner) => visibleZones(inner)) };
}

/**
 * Runs `work` on every item, at most `parallel` at a time, and returns the results in order. After a failure nothing
 * new is begun, but what runs is waited for: when this settles, nothing of it is still under way.
 */
export async function forEachInOrder<T, R>(
  items: readonly T[],
  parallel: number,
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = new Array(items.length);
  const failures: { readonly error: unknown }[] = [];
  const queue = items.entries();
  const worker = async (): Promise<void> => {
    for (const [index, item] of queue) {
      if (failures.length > 0) return;
      try {
        results[index] = await work(item);
      } catch (error) {
        failures.push({ error });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Math.min(parallel, items.length)) }, worker));
  if (failures[0] !== undefined) throw failures[0].error;
  return results;
}
