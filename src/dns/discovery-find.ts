import { linkSignal } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { AbortedError } from "../core/errors.ts";
import { type DomainName, isWithin, labelsOf, nameFromLabels, rootName } from "../core/name.ts";
import { AskError } from "./discovery-error.ts";
import { createHostLookUp } from "./discovery-hosts.ts";
import { noDelegation, toDiscoveryError } from "./discovery-messages.ts";
import { serversOf } from "./discovery-servers.ts";
import { createShared, type Found, type Shared, type Task } from "./discovery-tasks.ts";
import { privateView, resolverTrouble, splitHorizon, unreachable } from "./discovery-warnings.ts";
import type { Exchange } from "./exchange.ts";
import type { ResolverClient } from "./resolver.ts";
import { createResolverStart } from "./resolver-start.ts";
import type { Delegation, Nameserver, Warning } from "./types.ts";
import { createWalk, type Walk } from "./walk.ts";
import type { Health } from "./walk-ask.ts";
import { type Heard, keepMs, unlessStopped, type ZoneNode } from "./walk-node.ts";

export interface FinderOptions {
  readonly exchange: Exchange;
  readonly clock: Clock;
  readonly health: Health;
  readonly port: number;
  readonly isPublicSuffix: (name: DomainName) => boolean;
  /** Where to begin: at these servers of the root, or with what a resolver knows. */
  readonly begin:
    | { readonly hints: readonly Nameserver[] }
    | { readonly resolver: ResolverClient; readonly isNamed: boolean };
  /** A resolver whose view of each zone is compared, for W_SPLIT_HORIZON. */
  readonly compareWith?: ResolverClient | undefined;
}

export interface Finder {
  find(task: Task, name: DomainName): Promise<Delegation>;
  forget(zone: DomainName): void;
}

/** How long the comparison with another view may hold up the result. */
const compareMs = 200;

interface Place {
  readonly node: ZoneNode;
  /** The servers do not answer at all; what is known of them comes from a resolver. */
  readonly trouble: AskError | undefined;
}

/** One way of finding nameservers, with what it has learnt. */
export function createFinder(options: FinderOptions): Finder {
  const { clock, begin } = options;
  const resolver = "resolver" in begin ? begin.resolver : undefined;
  const root = "hints" in begin ? rootOf(begin.hints) : undefined;
  const places: Shared<Place> = createShared(() => clock.now());
  const zones: Shared<Delegation> = createShared(() => clock.now());
  const hosts = createHostLookUp({ clock, root, resolver, walk: () => walk });
  const walk: Walk = createWalk({ ...options, lookUpHost: hosts.lookUp });
  const starts = resolver === undefined ? undefined : createResolverStart(resolver, options.port, clock);

  const startFor = async (task: Task, name: DomainName): Promise<ZoneNode> => {
    const known = walk.known(name);
    if (starts === undefined) return known ?? rootOrThrow(root);
    const start = await starts.startFor(task, name);
    return known !== undefined && isWithin(known.zone, start.zone) ? known : start;
  };

  const placeOf = async (task: Task, name: DomainName): Promise<Found<Place>> => {
    const start = await startFor(task, name);
    try {
      const { node, heard } = await walk.descend(task, start, name, "NS");
      if (isRegistry(node.zone) || (await isUnregistered(task, node, name, heard)))
        throw noDelegation(name, node, heard);
      return { value: { node, trouble: undefined }, keepMs: keepMs(node.ttlSeconds) };
    } catch (error) {
      // Port 53 may be closed or intercepted here: whether the servers can be asked is for the polling to judge.
      const blind =
        error instanceof AskError && (error.unreachable || error.interceptedAll) && error.zone === start.zone;
      if (!blind || start.origin !== "resolver" || options.isPublicSuffix(start.zone)) throw error;
      return { value: { node: start, trouble: error }, keepMs: keepMs(start.ttlSeconds) };
    }
  };

  const isRegistry = (zone: DomainName) => zone === rootName || options.isPublicSuffix(zone);

  /** In a zone of one label, which may be a private one: whether the domain below it that should hold the name exists. */
  const isUnregistered = async (task: Task, node: ZoneNode, name: DomainName, heard: Heard): Promise<boolean> => {
    const labels = labelsOf(name);
    if (labelsOf(node.zone).length !== 1 || labels.length < 3 || !saysNoSuchName(heard)) return false;
    const domain = nameFromLabels(labels.slice(-2));
    const probe = await walk.ask(task, node, domain, "NS").catch(unlessStopped(task, undefined));
    return probe !== undefined && saysNoSuchName(probe);
  };

  const delegationAt = async (task: Task, { node, trouble }: Place): Promise<Found<Delegation>> => {
    const stop = linkSignal(task.signal);
    try {
      const other = otherView({ ...task, signal: stop.signal }, node.zone, options.compareWith);
      const found = await serversOf(task, node, trouble !== undefined, { ...options, walk, lookUpHost: hosts.lookUp });
      const names = await Promise.race([other, clock.sleep(compareMs, stop.signal).then(() => undefined)]);
      const warnings: readonly Warning[] = [
        ...(trouble === undefined ? [] : [unreachable(node.zone, trouble)]),
        ...(names === undefined ? [] : splitHorizon(found.value, names)),
        ...("isNamed" in begin && !begin.isNamed ? privateView(found.value) : []),
        ...found.value.warnings,
      ];
      return { value: { ...found.value, warnings }, keepMs: found.keepMs };
    } finally {
      stop.release();
      stop.abort(new AbortedError("the comparison takes too long"));
    }
  };

  return {
    async find(task, name) {
      resolver?.protect(name);
      options.compareWith?.protect(name);
      try {
        const place = await places.get(name, task, (t) => placeOf(t, name));
        const delegation = await zones.get(place.node.zone, task, (t) => delegationAt(t, place));
        const failed = resolver === undefined ? [] : resolverTrouble(resolver.failed());
        return failed.length === 0 ? delegation : { ...delegation, warnings: [...failed, ...delegation.warnings] };
      } catch (error) {
        task.signal.throwIfAborted();
        throw toDiscoveryError(name, error);
      }
    },
    forget(zone) {
      walk.forget(zone);
      starts?.forget((z) => isWithin(z, zone));
      resolver?.forget(zone);
      zones.forget((key) => isWithin(key as DomainName, zone));
      places.forget((key, place) => isWithin(key as DomainName, zone) || place?.node.zone === zone);
    },
  };
}

function saysNoSuchName({ outcome }: Heard): boolean {
  return outcome.kind === "nothing" && outcome.nxdomain;
}

function rootOf(servers: readonly Nameserver[]): ZoneNode {
  return { zone: rootName, names: [], glue: [], servers, ttlSeconds: 0, origin: "hints" };
}

/** The names that another resolver has for the zone; undefined when it cannot say or must not be asked. */
async function otherView(
  task: Task,
  zone: DomainName,
  client: ResolverClient | undefined,
): Promise<readonly DomainName[] | undefined> {
  if (client === undefined || client.isProtected(zone)) return undefined;
  try {
    const view = await client.zoneAt(task, zone);
    if (view.kind === "zone") return view.names;
    return view.kind === "within" ? [] : undefined;
  } catch {
    return undefined;
  }
}

function rootOrThrow(root: ZoneNode | undefined): ZoneNode {
  if (root === undefined) throw new TypeError("a finder needs root hints or a resolver");
  return root;
}
