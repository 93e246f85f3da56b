import type { Clock } from "../core/clock.ts";
import type { DomainName } from "../core/name.ts";
import { DiscoveryError } from "./discovery-error.ts";
import { createShared, type Found, type Shared, type Task } from "./discovery-tasks.ts";
import type { ResolverClient } from "./resolver.ts";
import type { Walk } from "./walk.ts";
import { keepMs, type ZoneNode } from "./walk-node.ts";
import { hostAddresses, unique } from "./walk-outcome.ts";

export interface HostLookUpOptions {
  readonly clock: Clock;
  readonly root: ZoneNode | undefined;
  readonly resolver: ResolverClient | undefined;
  /** Late, because the walk needs the look-up as much as the look-up needs the walk. */
  readonly walk: () => Walk;
}

export interface HostLookUp {
  /** IPv4 and IPv6 addresses of a nameserver; empty when it has none. Rejects when that could not be found out. */
  lookUp(task: Task, host: DomainName): Promise<readonly string[]>;
}

/** Nameserver names that may depend on each other before it is given up (propagation.md §5.2). */
const deepest = 6;
/** Aliases followed from a nameserver's name. RFC 2181 §10.3 forbids the first; resolvers follow it all the same. */
const mostAliases = 4;

/** Addresses of nameservers: by the same walk, or through the resolver that stands in for it. */
export function createHostLookUp(options: HostLookUpOptions): HostLookUp {
  const { clock, resolver, root } = options;
  const hosts: Shared<readonly string[]> = createShared(() => clock.now());

  const walkTo = async (
    task: Task,
    host: DomainName,
    behind: readonly DomainName[],
  ): Promise<Found<readonly string[]>> => {
    const walk = options.walk();
    const from = walk.known(host) ?? root;
    if (from === undefined)
      throw new DiscoveryError(
        "no-delegation",
        `a resolver must not be asked for ${host}, and nothing else leads there`,
        [],
      );
    const both = await Promise.allSettled((["A", "AAAA"] as const).map((type) => walk.descend(task, from, host, type)));
    const outcomes = both.flatMap((r) => (r.status === "fulfilled" ? [r.value.heard.outcome] : []));
    const fault = both.find((r) => r.status === "rejected");
    const addresses = outcomes
      .flatMap((o) => (o.kind === "found" ? hostAddresses(o.records) : []))
      .map((h) => h.address);
    const alias = outcomes.find((o) => o.kind === "alias");
    if (
      addresses.length === 0 &&
      alias !== undefined &&
      behind.length < mostAliases &&
      !behind.includes(alias.target)
    ) {
      return walkTo(task, alias.target, [...behind, host]);
    }
    if (addresses.length === 0 && fault !== undefined) throw fault.reason;
    const ttl = outcomes.reduce((least, o) => ("ttlSeconds" in o ? Math.min(least, o.ttlSeconds) : least), 300);
    return { value: unique(addresses), keepMs: fault === undefined ? keepMs(ttl) : 0 };
  };

  return {
    async lookUp(task, host) {
      if (resolver !== undefined && !resolver.isProtected(host)) return resolver.addressesOf(task, host);
      if (task.depth >= deepest) {
        throw new DiscoveryError(
          "no-delegation",
          `${host}: more than ${deepest} nameserver names depend on each other`,
          [],
        );
      }
      return hosts.get(host, task, (t) => walkTo(t, host, []), 1);
    },
  };
}
