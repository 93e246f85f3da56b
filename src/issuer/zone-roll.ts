import type { DomainName } from "../core/name.ts";

/** Somebody who writes to zones, an order: others of its zones may wait for it. */
export interface Caller {
  /** What it orders, as far as it is known: it is waited for only in zones that may hold one of these. */
  readonly names: readonly string[] | undefined;
  /** By the steady clock. */
  readonly openedAt: number;
}

/** Who has put values into a zone, who has taken them out, and who is still to come. */
export interface ZoneRoll {
  /** Begins to put values in; answers how long it took to get that far. */
  arrives(caller: Caller): number;
  /** These have been written, together. */
  stand(callers: readonly Caller[]): void;
  /** Begins to take values out; answers how long they stood, undefined where none did. */
  departs(caller: Caller): number | undefined;
  /** Neither one who waits for a write nor one who is to come. */
  forget(caller: Caller): void;
  /** Whether one of the callers there are has yet to come with its values. */
  isArrivalAwaited(callers: Iterable<Caller>): boolean;
  /** Whether one whose values were written with those of these callers, or before, has yet to take them out. */
  isDepartureAwaited(departing: Iterable<Caller>): boolean;
  readonly isEmpty: boolean;
}

interface Stay {
  /** The number of the write; undefined until it is done. */
  readonly write: number | undefined;
  readonly since: number;
  readonly isLeaving: boolean;
}

export function createZoneRoll(apex: DomainName, now: () => number): ZoneRoll {
  const stays = new Map<Caller, Stay>();
  let writes = 0;

  return {
    arrives(caller) {
      stays.set(caller, { write: undefined, since: now(), isLeaving: false });
      return now() - caller.openedAt;
    },
    stand(callers) {
      writes += 1;
      for (const caller of callers) {
        const stay = stays.get(caller);
        if (stay !== undefined) stays.set(caller, { ...stay, write: writes, since: now() });
      }
    },
    departs(caller) {
      const stay = stays.get(caller);
      // What an earlier run has left is taken out before anything is put in: it is still to come with its own.
      if (stay === undefined) return undefined;
      stays.set(caller, { ...stay, isLeaving: true });
      return stay.write === undefined ? undefined : now() - stay.since;
    },
    forget: (caller) => void stays.delete(caller),
    isArrivalAwaited(callers) {
      for (const caller of callers) if (!stays.has(caller) && mayWrite(caller, apex)) return true;
      return false;
    },
    isDepartureAwaited(departing) {
      let newest = 0;
      for (const caller of departing) newest = Math.max(newest, stays.get(caller)?.write ?? 0);
      for (const { write, isLeaving } of stays.values())
        if (!isLeaving && write !== undefined && write <= newest) return true;
      return false;
    },
    get isEmpty() {
      return stays.size === 0;
    },
  };
}

function mayWrite({ names }: Caller, apex: DomainName): boolean {
  return names === undefined || names.some((name) => name === apex || name.endsWith(`.${apex}`));
}
