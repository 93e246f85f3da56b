import type { Clock } from "../core/clock.ts";
import { type DomainName, labelsOf } from "../core/name.ts";
import { DiscoveryError, describeFailures, type Failure } from "./discovery-error.ts";
import { createShared, type Shared, type Task } from "./discovery-tasks.ts";
import { ancestorsOf, type ResolverClient } from "./resolver.ts";
import { keepMs, unlessStopped, type ZoneNode } from "./walk-node.ts";

export interface ResolverStart {
  /** The deepest zone above `name` that the resolver knows, with the addresses of its servers. */
  startFor(task: Task, name: DomainName): Promise<ZoneNode>;
  forget(matches: (zone: DomainName) => boolean): void;
}

/**
 * Where to begin when a resolver has to stand in for the walk from the root. It is asked for NS of the ancestors of the
 * name, deepest first; what lies below is left to the authoritative servers.
 */
export function createResolverStart(client: ResolverClient, port: number, clock: Clock): ResolverStart {
  const nodes: Shared<ZoneNode> = createShared(() => clock.now());

  const nodeOf = (
    task: Task,
    zone: DomainName,
    names: readonly DomainName[],
    ttlSeconds: number,
    although?: "protected",
  ): Promise<ZoneNode> =>
    nodes.get(zone, task, async (t) => {
      const found = await Promise.all(
        names.map(async (name) => {
          const addresses = await client.addressesOf(t, name, although).catch(unlessStopped(t, []));
          return addresses.map((address) => ({ name, address, port }));
        }),
      );
      const servers = found.flat();
      if (servers.length === 0) {
        throw new DiscoveryError(
          "temporary",
          `the resolver has no address for the nameservers of ${zone} (${names.join(", ")})`,
          [],
          { zone, hint: "Ask another resolver (--resolver), or name the nameservers (--nameserver)." },
        );
      }
      return { value: { zone, names, glue: [], servers, ttlSeconds, origin: "resolver" }, keepMs: keepMs(ttlSeconds) };
    });

  return {
    async startFor(task, name) {
      const failures: Failure[] = [];
      let skipTo: DomainName | undefined;
      for (const zone of ancestorsOf(name)) {
        if (skipTo !== undefined && zone !== skipTo) continue;
        skipTo = undefined;
        // Another value will be written there: leave it to the authoritative servers of a zone further up.
        if (client.isProtected(zone)) continue;
        const view = await client.zoneAt(task, zone);
        if (view.kind === "zone") return nodeOf(task, zone, view.names, view.ttlSeconds);
        if (view.kind === "within") skipTo = view.zone;
        if (view.kind === "failing") failures.push(...view.failures);
      }
      // No zone above it is known. Either the name is an apex itself, so that asking does no harm, or nothing helps.
      if (labelsOf(name)[0] !== "_acme-challenge") {
        const view = await client.zoneAt(task, name, "protected");
        if (view.kind === "zone") return nodeOf(task, name, view.names, view.ttlSeconds, "protected");
      }
      throw noZone(name, failures);
    },
    forget: (matches) => nodes.forget((zone) => matches(zone as DomainName)),
  };
}

function noZone(name: DomainName, failures: readonly Failure[]): DiscoveryError {
  return failures.length > 0
    ? new DiscoveryError(
        "temporary",
        `the resolver cannot find the zone of ${name}: ${describeFailures(failures)}`,
        failures,
        {
          fqdn: name,
          hint: "Ask another resolver (--resolver), or name the nameservers (--nameserver).",
        },
      )
    : new DiscoveryError("no-delegation", `the resolver knows no zone that holds ${name}`, [], {
        fqdn: name,
        hint: "Check the spelling and that the domain is delegated; for a private zone name a resolver that knows it (--resolver).",
      });
}
