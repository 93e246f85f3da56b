import { getServers } from "node:dns";
import { isIP } from "node:net";
import type { Clock } from "../core/clock.ts";
import { type DomainName, isWithin, parentOf, rootName } from "../core/name.ts";
import { AskError, type Failure } from "./discovery-error.ts";
import { createShared, type Shared, type Task } from "./discovery-tasks.ts";
import { addressOf } from "./doh-address.ts";
import type { Answer, Endpoint, Exchange } from "./exchange.ts";
import type { Message, RecordType } from "./message.ts";
import { addressKey, askAny, type Health, type Peer } from "./walk-ask.ts";
import { hostAddresses, nsTargets, type Outcome, unique } from "./walk-outcome.ts";

export interface ResolverOptions {
  readonly resolvers: readonly (Endpoint | URL)[];
  readonly exchange: Exchange;
  readonly dohExchange?: ((url: URL) => Exchange) | undefined;
  readonly clock: Clock;
  readonly health: Health;
}

/** What a resolver says about the zone at a name. */
export type ZoneView =
  /** The name is an apex. */
  | { readonly kind: "zone"; readonly names: readonly DomainName[]; readonly ttlSeconds: number }
  /** It is not; the SOA of the zone that holds it. */
  | { readonly kind: "within"; readonly zone: DomainName }
  /** It says neither. */
  | { readonly kind: "unknown" }
  /** The resolver works and cannot answer this (SERVFAIL). */
  | { readonly kind: "failing"; readonly failures: readonly Failure[] };

/** Recursive resolvers, in the order given; the next is asked when one refuses, fails or stays silent. */
export interface ResolverClient {
  /** Keeps `name` and everything below it from being asked for: the value is not there yet (propagation.md §3). */
  protect(name: DomainName): void;
  isProtected(name: DomainName): boolean;
  /** `although`: ask even for a protected name. */
  zoneAt(task: Task, name: DomainName, although?: "protected"): Promise<ZoneView>;
  addressesOf(task: Task, host: DomainName, although?: "protected"): Promise<readonly string[]>;
  /** Resolvers that failed while another one answered, with what they said. */
  failed(): ReadonlyMap<string, string>;
  forget(zone: DomainName): void;
}

/** The machine's resolvers (/etc/resolv.conf and the like). `texts` as `dns.getServers` writes them. */
export function systemResolvers(texts: readonly string[] = getServers()): readonly Endpoint[] {
  return texts.flatMap((text) => {
    if (isIP(text) !== 0) return [{ address: text, port: 53 }];
    const [, address = "", port] = /^\[?([^\]]+)\]?:(\d+)$/.exec(text) ?? [];
    return isIP(address) === 0 ? [] : [{ address, port: Number(port) }];
  });
}

export function createResolverClient(options: ResolverOptions): ResolverClient {
  const { clock } = options;
  const peers = options.resolvers.map((r) => resolverPeer(r, options));
  const zones: Shared<ZoneView> = createShared(() => clock.now());
  const hosts: Shared<readonly string[]> = createShared(() => clock.now());
  const guarded = new Set<DomainName>();
  const failed = new Map<string, string>();

  const isProtected = (name: DomainName) => [...guarded].some((g) => isWithin(name, g));

  const ask = async <T extends object>(
    task: Task,
    name: DomainName,
    type: RecordType,
    read: (message: Message) => T | Extract<Outcome, { kind: "failed" }>,
    although?: "protected",
  ): Promise<T> => {
    if (although === undefined && isProtected(name)) {
      throw new AskError(`${name} ${type}`, [notAsked(name, type)], undefined);
    }
    const working = peers.filter((p) => options.health.stateOf(p.key) !== "bad");
    const ordered = [...working, ...peers.filter((p) => !working.includes(p))];
    const asked = await askAny(ordered, {
      name,
      type,
      read: (answer) => refusal(answer) ?? read(answer.message),
      clock,
      signal: task.signal,
      budget: task.budget,
      rounds: 1,
    });
    for (const f of asked.failures) failed.set(f.server, f.said);
    return asked.value;
  };

  return {
    protect: (name) => guarded.add(name),
    isProtected,
    failed: () => failed,
    zoneAt: (task, name, although) =>
      zones.get(name, task, async (t) => {
        try {
          const view = await ask(t, name, "NS", (message) => zoneView(message, name), although);
          return {
            value: view,
            keepMs: view.kind === "zone" ? Math.min(300, Math.max(30, view.ttlSeconds)) * 1000 : 60_000,
          };
        } catch (error) {
          if (
            !(error instanceof AskError) ||
            !error.failures.some((f) => f.kind === "broken" && f.said === "SERVFAIL")
          ) {
            throw error;
          }
          return { value: { kind: "failing", failures: error.failures }, keepMs: 0 };
        }
      }),
    addressesOf: (task, host, although) =>
      hosts.get(host, task, async (t) => {
        const both = await Promise.allSettled(
          (["A", "AAAA"] as const).map((type) =>
            ask(t, host, type, (message) => ({ found: hostAddresses(message.answers) }), although),
          ),
        );
        const found = both.flatMap((r) => (r.status === "fulfilled" ? r.value.found.map((f) => f.address) : []));
        const fault = both.find((r) => r.status === "rejected");
        if (found.length === 0 && fault !== undefined) throw fault.reason;
        return { value: unique(found), keepMs: fault === undefined ? 300_000 : 0 };
      }),
    forget: (zone) => zones.forget((key) => isWithin(key as DomainName, zone)),
  };
}

function zoneView(message: Message, name: DomainName): ZoneView {
  const own = message.answers.filter((r) => r.type === "NS" && r.name === name);
  if (own.length > 0) {
    return { kind: "zone", names: nsTargets(own), ttlSeconds: Math.min(...own.map((r) => r.ttl)) };
  }
  // The records behind an alias are those of another name's zone.
  if (message.answers.some((r) => r.type === "CNAME" || r.type === "DNAME")) return { kind: "unknown" };
  const soa = message.authorities.find((r) => r.type === "SOA");
  if (soa === undefined || soa.name === name || soa.name === rootName || !isWithin(name, soa.name))
    return { kind: "unknown" };
  return { kind: "within", zone: soa.name };
}

/** What makes an answer no answer, so that the next resolver is asked. */
function refusal({ message }: Answer): Extract<Outcome, { kind: "failed" }> | undefined {
  if (message.rcode === "NOERROR" || message.rcode === "NXDOMAIN") return undefined;
  return { kind: "failed", failure: message.rcode === "REFUSED" ? "lame" : "broken", said: message.rcode };
}

function notAsked(name: DomainName, type: RecordType): Failure {
  return {
    server: "resolver",
    name,
    type,
    kind: "lame",
    said: "not asked, so that it does not remember that the challenge record is missing",
  };
}

function resolverPeer(resolver: Endpoint | URL, options: ResolverOptions): Peer {
  const isUrl = resolver instanceof URL;
  const key = isUrl ? resolver.href : addressKey(resolver);
  const exchange = isUrl ? options.dohExchange?.(resolver) : options.exchange;
  // A DoH exchange knows its URL; the endpoint is what its errors may name.
  const endpoint = isUrl ? { address: resolver.hostname, port: Number(resolver.port || 443) } : resolver;
  return {
    key,
    label: `resolver ${isUrl ? addressOf(resolver) : resolver.port === 53 ? resolver.address : key}`,
    ask(name, type, signal) {
      if (exchange === undefined) throw new TypeError(`no way to ask ${key}: dohExchange is missing`);
      return exchange({ name, type, recursionDesired: true, nsid: false, signal }, endpoint);
    },
    is: (other) => addressKey(other) === key,
    note: (state) => options.health.note(key, state),
  };
}

/** The names a resolver may be asked about to find the zone of `name`: its ancestors, longest first. */
export function ancestorsOf(name: DomainName): readonly DomainName[] {
  const found: DomainName[] = [];
  for (let at = parentOf(name); at !== undefined && at !== rootName; at = parentOf(at)) found.push(at);
  return found;
}
