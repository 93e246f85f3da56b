import { Dns01Error } from "./errors.ts";
import type { Observer } from "./events.ts";
import type { Call } from "./provider.ts";

/** What services have said about the lowest TTL of single zones; it depends on the plan that was bought for a zone. */
export interface TtlFloors {
  /**
   * Writes with this TTL, or with the one that the zone was found to need. If the service refuses it as too low
   * (RejectedError with `minTtlSeconds`), nothing was written: warns, and writes once more with the TTL that is enough.
   */
  keep<T>(
    zone: string,
    call: Pick<Call, "ttlSeconds" | "trace">,
    write: (ttlSeconds: number) => Promise<T>,
  ): Promise<T>;
}

/** Enough for any account; beyond it the oldest are forgotten and learned again. */
const maxZones = 10_000;

export function createTtlFloors(provider: string, observer: Observer): TtlFloors {
  const floors = new Map<string, number>();
  return {
    async keep(zone, { ttlSeconds, trace }, write) {
      const ttl = Math.max(ttlSeconds, floors.get(zone) ?? 0);
      try {
        return await write(ttl);
      } catch (error) {
        const enough = minTtlOf(error);
        if (enough === undefined || enough <= ttl) throw error;
        // Writes run side by side: only the first one that is refused says so.
        if (floors.get(zone) !== enough) {
          const [oldest] = floors.keys();
          if (oldest !== undefined && floors.size >= maxZones) floors.delete(oldest);
          floors.set(zone, enough);
          const text = `${provider}: ${zone} does not take a TTL of ${ttl} s; ${enough} s is used`;
          observer({ type: "warning", code: "W_TTL_RAISED", text }, trace);
        }
        return write(enough);
      }
    },
  };
}

/** By its field and not by its class: a plugin may bring its own copy of the classes. */
function minTtlOf(error: unknown): number | undefined {
  const { minTtlSeconds } = Dns01Error.is(error) ? (error as { readonly minTtlSeconds?: unknown }) : {};
  return typeof minTtlSeconds === "number" && Number.isFinite(minTtlSeconds) ? minTtlSeconds : undefined;
}
