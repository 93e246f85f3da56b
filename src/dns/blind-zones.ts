import { type Clock, systemClock } from "../core/clock.ts";
import type { DomainName } from "../core/name.ts";
import type { Delegation } from "./types.ts";

/** Zones whose nameservers cannot be reached from here: the waits of a process need not find that out one by one. */
export interface BlindZones {
  /** Returns the delegation of a zone that was found blind a few minutes ago at most. */
  find(zone: DomainName): Delegation | undefined;
  add(delegation: Delegation): void;
  /** One of its nameservers has answered. */
  delete(zone: DomainName): void;
  /** A resolver was asked before the provider had published the value, and keeps its "no". */
  noteTooEarly(zone: DomainName): void;
  wasTooEarly(zone: DomainName): boolean;
}

/** After this time the nameservers get their full time to answer again. */
const keptForMs = 5 * 60_000;
const mostZones = 1_000;

export function createBlindZones(clock: Clock = systemClock): BlindZones {
  const zones = new Map<DomainName, { readonly delegation: Delegation; readonly until: number }>();
  const early = new Set<DomainName>();
  return {
    find(zone) {
      const known = zones.get(zone);
      return known !== undefined && clock.now() < known.until ? known.delegation : undefined;
    },
    add(delegation) {
      if (zones.size >= mostZones) zones.clear();
      zones.set(delegation.zone, { delegation, until: clock.now() + keptForMs });
    },
    delete: (zone) => void zones.delete(zone),
    noteTooEarly(zone) {
      if (early.size >= mostZones) early.clear();
      early.add(zone);
    },
    wasTooEarly: (zone) => early.has(zone),
  };
}
