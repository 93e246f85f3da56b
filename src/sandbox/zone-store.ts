import type { DomainName } from "../core/name.ts";
import type { Zone } from "./zone.ts";

/** The zones of the primary in all versions that the secondary has not overtaken yet. */
export interface ZoneStore {
  /** The latest versions, or those that were the latest `lagMs` ago; Infinity gives the first ones. */
  view(lagMs: number): ReadonlyMap<DomainName, Zone>;
  /** Makes this the latest version of its zone. */
  commit(zone: Zone): void;
}

interface Version {
  readonly at: number;
  readonly zone: Zone;
}

/** `lagMs` says how far back views will go, `now` is a steady clock in milliseconds. */
export function makeZoneStore(zones: readonly Zone[], lagMs: () => number, now: () => number): ZoneStore {
  const histories = new Map<DomainName, readonly Version[]>(
    zones.map((zone) => [zone.apex, [{ at: Number.NEGATIVE_INFINITY, zone }]]),
  );
  const visible = (history: readonly Version[], before: number) =>
    history.findLastIndex((version) => version.at <= before);
  return {
    view(lag) {
      const before = lag === 0 ? Number.POSITIVE_INFINITY : now() - lag;
      const view = new Map<DomainName, Zone>();
      for (const [apex, history] of histories) {
        const version = history[Math.max(0, visible(history, before))];
        if (version !== undefined) view.set(apex, version.zone);
      }
      return view;
    },
    commit(zone) {
      const history = histories.get(zone.apex) ?? [];
      const needed = history.slice(Math.max(0, visible(history, now() - lagMs())));
      histories.set(zone.apex, [...needed, { at: now(), zone }]);
    },
  };
}
