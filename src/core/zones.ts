import { stopOf } from "./call.ts";
import { abortReason, type Clock } from "./clock.ts";
import { Dns01Error, ZoneNotFoundError } from "./errors.ts";
import { createLock } from "./lock.ts";
import { type DomainName, isWithin, labelsOf, rootName, selfAndParents } from "./name.ts";
import type { Call, TxtBackend, Zone } from "./provider.ts";
import { createVisibleZones } from "./visible-zones.ts";

export interface ZoneFinder {
  /**
   * The zone of the account that holds `owner`. `zoneCut` is the zone that holds it in DNS, where known: it is asked
   * for first. Throws ZoneNotFoundError with the names that were asked for; where it is `certain`, all of them anew.
   */
  find(owner: DomainName, zoneCut: DomainName | undefined, call: Call, certain?: boolean): Promise<Zone>;
  /** The service no longer knows a zone that was found before. */
  forget(apex: DomainName): void;
}

export interface ZoneFinderOptions {
  readonly provider: string;
  readonly clock: Clock;
  /** See Traits. */
  readonly noZonesHint?: string | undefined;
}

const foundForMs = 5 * 60_000;
/** Briefly, because a missing zone is often created within the minute. */
const missingForMs = 30_000;
const maxCached = 10_000;

/** Asks "do you hold exactly this zone?" for the candidates in turn; answers are kept for a while. */
export function createZoneFinder(backend: TxtBackend, options: ZoneFinderOptions): ZoneFinder {
  const { provider, clock, noZonesHint } = options;
  const known = new Map<DomainName, { readonly zone: Zone | undefined; readonly until: number }>();
  const asking = createLock();
  const zonesSeen = createVisibleZones(backend, clock);

  /** Side by side for different names, once for the same: twenty names of a zone ask one question. */
  const ask = (apex: DomainName, call: Call): Promise<Zone | undefined> =>
    asking.hold([apex], stopOf(call), async () => {
      const entry = known.get(apex);
      if (entry !== undefined && entry.until > clock.now()) return entry.zone;
      const zone = await backend.findZone(apex, call);
      known.delete(apex);
      known.set(apex, { zone, until: clock.now() + (zone === undefined ? missingForMs : foundForMs) });
      for (const oldest of known.keys()) {
        if (known.size <= maxCached) break;
        known.delete(oldest);
      }
      return zone;
    });

  /** Most calls ask for a zone that is known: they wait for nobody. */
  const foundBefore = (owner: DomainName, zoneCut: DomainName | undefined): Zone | undefined => {
    // One label is only taken for a zone where nothing longer is one.
    if (zoneCut === undefined || labelsOf(zoneCut).length < 2 || !isWithin(owner, zoneCut)) return undefined;
    const entry = known.get(zoneCut);
    return entry !== undefined && entry.until > clock.now() ? entry.zone : undefined;
  };

  const isRememberedMissing = (apex: DomainName): boolean => {
    const entry = known.get(apex);
    return entry !== undefined && entry.zone === undefined && entry.until > clock.now();
  };

  const finder: ZoneFinder = {
    forget: (apex) => void known.delete(apex),
    async find(owner, zoneCut, call, certain = false) {
      const found = foundBefore(owner, zoneCut);
      if (found !== undefined) return found;
      const asked = candidates(owner, zoneCut);
      const remembered = certain ? asked.filter(isRememberedMissing) : [];
      let refused: Dns01Error | undefined;
      let unusable: Dns01Error | undefined;
      for (const apex of asked) {
        try {
          const zone = await ask(apex, call);
          if (zone !== undefined) return zone;
        } catch (error) {
          if (!Dns01Error.is(error)) throw error;
          // The account has the zone, but cannot serve it (not yet active, for example): a parent may be served.
          if (error.code === "ZONE_NOT_FOUND") unusable ??= error;
          // Credentials that are limited to one zone are refused for every other; wrong ones for all of them.
          else if (error.code === "AUTH" && !isWrongKeys(error)) refused ??= error;
          else throw error;
        }
      }
      if (unusable !== undefined) throw unusable;
      if (refused !== undefined) throw refused;
      if (remembered.length > 0) {
        for (const apex of remembered) known.delete(apex);
        return await finder.find(owner, zoneCut, call);
      }
      const visible = await zonesSeen.some(call);
      if (stopOf(call).aborted) throw abortReason(stopOf(call));
      throw new ZoneNotFoundError(
        `${provider}: no zone of this account holds ${owner}${described(visible)}; asked for ${asked.join(", ") || "none"}`,
        asked,
        {
          details: visible === undefined ? undefined : { visible: visible.names },
          provider,
          operation: "findZone",
          fqdn: owner,
          hint: visible?.names.length === 0 && noZonesHint !== undefined ? noZonesHint : notFoundHint,
        },
      );
    },
  };
  return finder;
}

const notFoundHint =
  "Create the zone at this provider, use credentials that can see it, or choose the provider that holds it.";

function described(visible: { readonly names: readonly string[]; readonly more: boolean } | undefined): string {
  if (visible === undefined) return "";
  const { names, more } = visible;
  return names.length === 0
    ? "; these credentials see none"
    : `; these credentials see ${names.join(", ")}${more ? " …" : ""}`;
}

/** By its mark, as a plugin's own copy of the class has it too. */
function isWrongKeys(error: Dns01Error): boolean {
  return (error as { readonly wrongKeys?: unknown }).wrongKeys === true;
}

/**
 * The zone cut of DNS first, then the owner and its parents from longest to shortest. A bare top-level domain is never
 * guessed: resolvers that lie have led others to write into "top." But a private root may really have been cut there.
 */
function candidates(owner: DomainName, zoneCut: DomainName | undefined): readonly DomainName[] {
  const parents = selfAndParents(owner).filter((name) => labelsOf(name).length >= 2);
  if (zoneCut === undefined || zoneCut === rootName || !isWithin(owner, zoneCut)) return parents;
  return labelsOf(zoneCut).length === 1 ? [...parents, zoneCut] : [...new Set([zoneCut, ...parents])];
}
