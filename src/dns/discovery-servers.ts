import { type DomainName, isWithin } from "../core/name.ts";
import { DiscoveryError } from "./discovery-error.ts";
import type { Found, Task } from "./discovery-tasks.ts";
import type { RecordType } from "./message.ts";
import type { Delegation, Nameserver, Warning } from "./types.ts";
import type { Walk } from "./walk.ts";
import { addressKey, type Health, labelOf } from "./walk-ask.ts";
import { keepMs, unlessStopped, type ZoneNode } from "./walk-node.ts";
import { type HostAddress, hostAddresses, nsTargets, unique } from "./walk-outcome.ts";

export interface ServersOptions {
  readonly walk: Walk;
  readonly port: number;
  readonly health: Health;
  readonly lookUpHost: (task: Task, host: DomainName) => Promise<readonly string[]>;
}

/** What the zone says of its own nameservers; undefined when none of them would say. */
interface OwnView {
  readonly names: readonly DomainName[];
  readonly additional: readonly HostAddress[];
}

/** One nameserver of the set. */
interface Resolved {
  readonly name: DomainName;
  readonly addresses: readonly string[];
  readonly warnings: readonly Warning[];
}

/**
 * Every address of every nameserver of a zone: the parent's set and the zone's own, glue and looked-up addresses
 * (propagation.md §5.2). `silentZone`: its servers are known not to answer, so only what is known already is used.
 */
export async function serversOf(
  task: Task,
  node: ZoneNode,
  silentZone: boolean,
  options: ServersOptions,
): Promise<Found<Delegation>> {
  const own = silentZone ? undefined : await ownView(task, node, options.walk);
  const names = unique([...node.names, ...(own?.names ?? [])]);
  const resolved = await Promise.all(names.map((name) => resolve(task, node, name, own, silentZone, options)));
  const servers = resolved.flatMap(({ name, addresses }) =>
    addresses.map((address): Nameserver => ({ name, address, port: options.port })),
  );
  const warnings = [
    ...mismatch(node, own),
    ...resolved.flatMap((r) => r.warnings),
    ...unroutable(servers, options.health),
  ];
  if (servers.length === 0) {
    throw new DiscoveryError(
      "temporary",
      `no address of the nameservers of ${node.zone} is to be found: ${warnings.map((w) => w.text).join("; ")}`,
      [],
      { zone: node.zone },
    );
  }
  const unresolved = resolved.filter((r) => r.addresses.length === 0).map((r) => r.name);
  return {
    value: { zone: node.zone, servers: distinct(servers), unresolved, warnings },
    keepMs: keepMs(node.ttlSeconds),
  };
}

async function ownView(task: Task, node: ZoneNode, walk: Walk): Promise<OwnView | undefined> {
  const heard = await walk.ask(task, node, node.zone, "NS").catch(unlessStopped(task, undefined));
  if (heard?.outcome.kind !== "found") return undefined;
  const names = nsTargets(heard.outcome.records);
  // Only what the zone can vouch for: addresses of names of its own.
  const additional = heard.outcome.additional.filter((a) => names.includes(a.name) && isWithin(a.name, node.zone));
  return { names, additional };
}

async function resolve(
  task: Task,
  node: ZoneNode,
  name: DomainName,
  own: OwnView | undefined,
  silentZone: boolean,
  options: ServersOptions,
): Promise<Resolved> {
  const glue = node.glue.filter((g) => g.name === name).map((g) => g.address);
  const known = (own?.additional ?? []).filter((a) => a.name === name).map((a) => a.address);
  const missing = (["A", "AAAA"] as const).filter((type) => !known.some((a) => isType(a, type)));
  const inZone = isWithin(name, node.zone);
  if (inZone && silentZone) return { name, addresses: unique([...glue, ...hints(node, name)]), warnings: [] };
  let fault: string | undefined;
  const noteFault = (error: unknown): readonly string[] => {
    task.signal.throwIfAborted();
    fault = error instanceof Error ? error.message : String(error);
    return [];
  };
  const looked =
    inZone && !silentZone
      ? (
          await Promise.all(missing.map((type) => inZoneAddresses(task, node, name, type, options).catch(noteFault)))
        ).flat()
      : await options.lookUpHost(task, name).catch(noteFault);
  const current = unique([...known, ...looked]);
  const addresses = unique([...current, ...glue, ...(current.length === 0 ? hints(node, name) : [])]);
  return { name, addresses, warnings: addressWarnings(node, name, addresses, current, glue, fault) };
}

/** Addresses under which the zone's servers were reached. */
function hints(node: ZoneNode, name: DomainName): readonly string[] {
  return node.servers.filter((s) => s.name === name).map((s) => s.address);
}

async function inZoneAddresses(
  task: Task,
  node: ZoneNode,
  name: DomainName,
  type: "A" | "AAAA",
  options: ServersOptions,
): Promise<readonly string[]> {
  const { outcome } = await options.walk.ask(task, node, name, type);
  if (outcome.kind === "found") return hostAddresses(outcome.records).map((h) => h.address);
  // An alias, or a name in a zone further down.
  return outcome.kind === "nothing" ? [] : await options.lookUpHost(task, name);
}

function isType(address: string, type: RecordType): boolean {
  return address.includes(":") === (type === "AAAA");
}

function mismatch(node: ZoneNode, own: OwnView | undefined): readonly Warning[] {
  if (own === undefined || node.origin === "apex" || node.origin === "fixed") return [];
  const parentOnly = node.names.filter((n) => !own.names.includes(n));
  const childOnly = own.names.filter((n) => !node.names.includes(n));
  if (parentOnly.length === 0 && childOnly.length === 0) return [];
  const outside = node.origin === "resolver" ? "the resolver" : "the delegation at the parent";
  const parts = [
    ...(parentOnly.length > 0 ? [`only ${outside} has ${parentOnly.join(", ")}`] : []),
    ...(childOnly.length > 0 ? [`only the zone itself has ${childOnly.join(", ")}`] : []),
  ];
  const text = `the nameservers of ${node.zone} differ: ${parts.join("; ")}; all of them are asked, as a CA may ask any`;
  return [{ code: "W_NS_MISMATCH", text }];
}

function addressWarnings(
  node: ZoneNode,
  name: DomainName,
  addresses: readonly string[],
  current: readonly string[],
  glue: readonly string[],
  fault: string | undefined,
): readonly Warning[] {
  if (addresses.length === 0) {
    const reason = fault === undefined ? "it has no A and no AAAA record" : fault;
    return [
      {
        code: "W_NS_NO_ADDRESS",
        text: `${name}, a nameserver of ${node.zone}, cannot be asked: ${reason}`,
        server: name,
      },
    ];
  }
  const old = glue.filter(
    (g) => current.some((c) => isType(c, g.includes(":") ? "AAAA" : "A")) && !current.includes(g),
  );
  if (old.length === 0) return [];
  const text = `the parent of ${node.zone} has ${old.join(", ")} for ${name}, its own zone has ${current.join(", ")}; all are asked`;
  return [{ code: "W_GLUE_MISMATCH", text, server: name }];
}

/** A family without a route is not tested; it says nothing about the record. */
function unroutable(servers: readonly Nameserver[], health: Health): readonly Warning[] {
  return servers
    .filter((s) => health.stateOf(addressKey(s)) === "unroutable")
    .map((s) => ({
      code: "W_UNROUTABLE",
      text: `${labelOf(s)} cannot be reached from here (no ${s.address.includes(":") ? "IPv6" : "IPv4"} route); it is not tested`,
      server: s.name,
    }));
}

function distinct(servers: readonly Nameserver[]): readonly Nameserver[] {
  return servers.filter(
    (s, i) => servers.findIndex((o) => o.name === s.name && o.address === s.address && o.port === s.port) === i,
  );
}
