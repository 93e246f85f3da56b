import { type DomainName, parseName } from "../../src/core/name.ts";
import { DiscoveryError } from "../../src/dns/discovery-error.ts";
import { type Answer, type Ask, ExchangeError } from "../../src/dns/exchange.ts";
import type { Delegation, Discovery } from "../../src/dns/types.ts";
import { flagged, type Reaction, says } from "../fakes/virtual-servers.ts";
import type { OwnerScript, ResolverScript, Script, ServerScript } from "./propagation-world.ts";

/** Where the cache is. */
export const resolverAddress = "203.0.113.53";

/** What the cache answers, after 20 ms. */
export async function askResolver(
  script: Script,
  resolver: ResolverScript,
  ask: Ask,
  clock: { now(): number; sleep(ms: number, signal: AbortSignal): Promise<void> },
): Promise<Answer> {
  const owner = script.owners.find((o) => o.owner === ask.name);
  if (owner === undefined || ask.recursionDesired !== true) throw new Error(`the resolver was asked for ${ask.name}`);
  if (resolver.kind === "silent") {
    await clock.sleep(2_500, ask.signal);
    throw new ExchangeError("silent", "nothing over UDP and TCP", { udp: 2, tcp: 1, doh: 0 });
  }
  await clock.sleep(20, ask.signal);
  const leftMs = resolver.remembersUntil - clock.now();
  const reaction =
    resolver.kind === "refusing"
      ? says.rcode("REFUSED")
      : resolver.kind === "bogus" && ask.checkingDisabled !== true
        ? says.rcode("SERVFAIL")
        : resolver.kind === "behind" && leftMs > 0
          ? says.nxdomain(owner.zone, { ttl: Math.ceil(leftMs / 1_000), minimum: 3_600 })
          : says.txt(ask.name, owner.values);
  if (reaction.kind !== "answer") throw new Error("resolvers answer");
  const queries = { udp: 1, tcp: 0, doh: 0 };
  return { message: reaction.message, transport: "udp", rttMs: 20, queries, warnings: [] };
}

/** Whether a question is about this owner: the name itself, a probe beside it, or the zone's SOA. */
export function related(ask: Ask, o: OwnerScript): boolean {
  const parent = o.owner.slice(o.owner.indexOf(".") + 1);
  return ask.name === o.owner || ask.name.endsWith(`.${parent}`) || ask.name === o.zone;
}

/** A reaction and what it truly said. */
export interface Reply {
  readonly kind: "data" | "refusal" | "alias" | "referral" | "silent" | "unroutable";
  readonly reaction: Reaction;
  readonly held?: readonly string[];
  readonly nsid?: string;
}

/** What a server answers at `now`, by the script. */
export function replyOf(
  script: Script,
  server: ServerScript,
  at: number,
  o: OwnerScript,
  ask: Ask,
  now: number,
  random: () => number,
  turns: Map<string, number>,
): Reply {
  const weather = server.weather.find((w) => w.from <= now && now < w.to)?.kind;
  switch (weather) {
    case "servfail":
      return { kind: "refusal", reaction: says.rcode("SERVFAIL") };
    case "refused":
      return { kind: "refusal", reaction: says.rcode("REFUSED") };
    case "formerr":
      return { kind: "refusal", reaction: says.rcode("FORMERR") };
    case "notimp":
      return { kind: "refusal", reaction: says.rcode("NOTIMP") };
    case "badvers":
      return { kind: "refusal", reaction: says.rcode("BADVERS") };
    case "no-aa":
      return { kind: "refusal", reaction: flagged(says.txt(ask.name, o.values), { authoritative: false }) };
    case "intercepted":
      return {
        kind: "refusal",
        reaction: flagged(says.nxdomain("test"), { authoritative: false, recursionAvailable: true }),
      };
    case "garbage":
      return { kind: "silent", reaction: { kind: "broken" } };
    default:
  }
  if (server.parent) {
    const names = script.servers.filter((s) => !s.parent).map((s) => s.name);
    return { kind: "referral", reaction: says.referral(o.zone, names) };
  }
  const key = server.address;
  const turn = turns.get(key) ?? 0;
  turns.set(key, turn + 1);
  const n = server.machines;
  const machine =
    server.choice === "turn"
      ? turn % n
      : server.choice === "time"
        ? Math.floor(now / 3_000) % n
        : Math.floor(random() * n);
  const nsid = server.nsid ? { nsid: `${server.address}-${machine}` } : {};
  const serial = 1 + Math.floor(now / 700);
  if (ask.type === "SOA") return { kind: "data", reaction: says.soa(o.zone, { serial }), ...nsid };
  if (ask.name !== o.owner) {
    const reaction = o.wildcardAlias ? says.cname(ask.name, "wild.example.org") : says.nxdomain(o.zone, { serial });
    return { kind: "data", reaction, ...nsid };
  }
  if (at === 0 && now >= o.aliasAt) {
    const reaction = o.dname
      ? says.dname(parentOf(o.owner), "moved.example.org")
      : says.cname(o.owner, "elsewhere.example.org");
    return { kind: "alias", reaction, ...nsid };
  }
  const copy = o.copies[at]?.[machine];
  const held = o.values.filter((_, v) => {
    const from = copy?.appears[v] ?? Number.POSITIVE_INFINITY;
    return from <= now && now < (copy?.vanishes[v] ?? Number.POSITIVE_INFINITY);
  });
  const values = [...held, ...o.foreign];
  const reaction =
    values.length > 0
      ? says.txt(o.owner, values)
      : o.wildcardAlias
        ? says.cname(o.owner, "wild.example.org")
        : server.withoutSoa
          ? says.empty()
          : (turn & 1) === 0
            ? says.nxdomain(o.zone, { serial })
            : says.nodata(o.zone, { serial });
  return { kind: "data", reaction, held, ...nsid };
}

function parentOf(owner: DomainName): string {
  return owner.slice(owner.indexOf(".") + 1);
}

export function delegationOf(script: Script, o: OwnerScript, known: boolean): Delegation {
  const servers = script.servers.filter((s) => (known ? !s.parent : s.parent));
  return {
    zone: known ? o.zone : parseName("example.test"),
    servers: servers.map((s) => ({ name: s.name, address: s.address, port: 53 })),
    unresolved: [],
    warnings: [],
  };
}

/** At first the parent's servers where the cut is lower, the right ones when the zone has been forgotten. */
export function discoveryOf(
  script: Script,
  clock: { now(): number; sleep(ms: number, signal: AbortSignal): Promise<void> },
): Discovery {
  let forgotten = !script.servers.some((s) => s.parent);
  return {
    async delegationOf(name, signal) {
      await clock.sleep(script.discovery.delayMs, signal);
      if (clock.now() < script.discovery.worksFrom) throw new DiscoveryError("temporary", `nobody knows ${name}`, []);
      const o = script.owners.find((x) => x.owner === name);
      if (o === undefined) throw new Error(`${name} is not in the script`);
      return delegationOf(script, o, forgotten);
    },
    forget() {
      forgotten = true;
    },
  };
}
