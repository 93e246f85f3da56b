import { challengeName } from "../core/challenge.ts";
import type { DomainName } from "../core/name.ts";
import type { Placement } from "../dns/types.ts";
import type { IssueDeps, IssueRequest } from "./request.ts";

/** Starts finding the owner and the nameservers of every challenge name; failures surface where they are needed. */
export function placeAll(request: IssueRequest, deps: IssueDeps): ReadonlyMap<DomainName, Promise<Placement>> {
  const names = new Set(request.identifiers.map((i) => challengeName(i.base)));
  return new Map(
    [...names].map((fqdn) => {
      const placement = deps.dns.place(fqdn, deps.signal);
      placement.catch(() => {});
      return [fqdn, placement];
    }),
  );
}

/**
 * Starts looking up each zone with its credentials: wrong ones fail before an order is placed at the CA, and what is found
 * need not be asked for again by the write. A name that DNS does not place is left to proveAll, which reports it.
 */
export async function findZones(
  placements: ReadonlyMap<DomainName, Promise<Placement>>,
  { solvers, signal }: IssueDeps,
): Promise<void> {
  await Promise.all(
    [...placements.values()].map(async (placing) => {
      const placement = await placing.catch(() => undefined);
      if (placement === undefined) return;
      const solver = await solvers.solverFor(placement.owner);
      await solver.locate(placement.owner, placement.delegation.zone, signal);
    }),
  );
}
