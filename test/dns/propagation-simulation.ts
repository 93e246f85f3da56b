import { abortReason } from "../../src/core/clock.ts";
import { type DomainName, isWithin, parseName } from "../../src/core/name.ts";
import { DiscoveryError } from "../../src/dns/discovery-error.ts";
import { type Answer, type Ask, type Exchange, ExchangeError } from "../../src/dns/exchange.ts";
import { emptyHint, withObservation } from "../../src/dns/hint.ts";
import { waitForTxt } from "../../src/dns/propagation.ts";
import type { Delegation, Discovery, Verdict } from "../../src/dns/types.ts";
import { createVirtualClock, seededRandom } from "../fakes/virtual-clock.ts";
import { flagged, type Reaction, says } from "../fakes/virtual-servers.ts";
import {
  type OwnerScript,
  type ResolverScript,
  type Script,
  type ServerScript,
  scriptFrom,
} from "./propagation-world.ts";

/** What one question truly brought, by the script and not by the program. */
export interface Told {
  readonly owner: DomainName;
  readonly address: string;
  readonly sentAt: number;
  readonly endedAt: number;
  /** The expected values in the answer; undefined when there was no answer about the name. */
  readonly held: readonly string[] | undefined;
  readonly kind: "data" | "refusal" | "alias" | "referral" | "silent" | "unroutable";
}

export interface Simulated {
  readonly seed: number;
  readonly script: Script;
  readonly verdict: Verdict;
  readonly endedAt: number;
  readonly told: readonly Told[];
  /** When each packet left, to whom and about which owner. */
  readonly packets: readonly { readonly at: number; readonly address: string; readonly owner: DomainName }[];
  /** When the resolver was asked. */
  readonly resolved: readonly number[];
  readonly sleepersLeft: number;
}

/** One wait in a world made from `seed`. The same seed gives the same run. */
export async function simulate(seed: number): Promise<Simulated> {
  const random = seededRandom(seed);
  const script = scriptFrom(random);
  const clock = createVirtualClock(random);
  const told: Told[] = [];
  const packets: { at: number; address: string; owner: DomainName }[] = [];
  const turns = new Map<string, number>();
  const abort = new AbortController();

  const resolved: number[] = [];

  const exchange: Exchange = async (ask, to) => {
    if (to.address === resolverAddress && script.resolver !== undefined) {
      if (ask.signal.aborted) throw abortReason(ask.signal);
      resolved.push(clock.now());
      return askResolver(script, script.resolver, ask, clock);
    }
    const at = script.servers.findIndex((s) => s.address === to.address);
    const server = script.servers[at];
    const owner = script.owners.find((o) => isWithin(o.owner, o.zone) && (ask.name === o.owner || related(ask, o)));
    if (server === undefined || owner === undefined) throw new Error(`${to.address} was asked for ${ask.name}`);
    const sentAt = clock.now();
    const queries = { udp: 0, tcp: 0, doh: 0 };
    const send = (via: "udp" | "tcp") => {
      if (ask.signal.aborted) throw abortReason(ask.signal);
      queries[via]++;
      packets.push({ at: clock.now(), address: to.address, owner: ask.type === "SOA" ? ask.name : owner.owner });
    };
    const note = (kind: Told["kind"], held?: readonly string[]) => {
      if (ask.name !== owner.owner || ask.type !== "TXT") return;
      told.push({ owner: owner.owner, address: to.address, sentAt, endedAt: clock.now(), held, kind });
    };
    const isMute = () => server.weather.some((w) => w.kind === "silent" && w.from <= clock.now() && clock.now() < w.to);
    /** There and back, or undefined after the time that it may take. */
    const trip = async (via: "udp" | "tcp", patienceMs: number): Promise<Reply | undefined> => {
      send(via);
      const half = (via === "udp" ? 0.5 : 1) * server.rttMs;
      await clock.sleep(half, ask.signal);
      const lost = via === "tcp" ? !server.tcp : random() < server.loss;
      if (lost || isMute()) {
        await clock.sleep(patienceMs - half, ask.signal);
        return undefined;
      }
      const reply = replyOf(script, server, at, owner, ask, clock.now(), random, turns);
      await clock.sleep(half, ask.signal);
      return reply;
    };
    if (server.weather.some((w) => w.kind === "unroutable" && w.from <= sentAt && sentAt < w.to)) {
      send("udp");
      note("unroutable");
      throw new ExchangeError("unroutable", "ENETUNREACH", queries);
    }
    let via: "udp" | "tcp" = ask.tcpOnly === true ? "tcp" : "udp";
    let reply = await trip(via, via === "tcp" ? 3_000 : 1_000);
    if (reply === undefined && via === "udp") {
      const beside = trip("tcp", 1_500);
      beside.catch(() => {});
      reply = await trip("udp", 1_500);
      if (reply === undefined) {
        via = "tcp";
        reply = await beside;
      }
    }
    if (reply !== undefined && server.truncates && via === "udp") {
      via = "tcp";
      reply = await trip("tcp", 3_000);
    }
    if (ask.signal.aborted) throw abortReason(ask.signal);
    if (reply === undefined) {
      note("silent");
      throw new ExchangeError("silent", "nothing over UDP and TCP", queries);
    }
    note(reply.kind, reply.held);
    if (reply.reaction.kind !== "answer") throw new ExchangeError("broken", "not a DNS answer", queries);
    return {
      message: reply.reaction.message,
      transport: via,
      rttMs: server.rttMs,
      queries,
      nsid: reply.nsid,
      warnings: server.noCase ? ["W_CASE"] : [],
    } satisfies Answer;
  };

  const hint = script.hint
    ? [400, 700, 900, 1_500, 2_000, 2_500, 3_000, 4_000, 6_000].reduce((h, ms) => withObservation(h, ms), emptyHint)
    : undefined;
  const discovery = discoveryOf(script, clock);
  const items = script.owners.map((o) => ({
    owner: o.owner,
    values: o.values,
    delegation: script.discovery.given ? delegationOf(script, o, true) : undefined,
  }));
  if (Number.isFinite(script.abortAt)) {
    clock.sleep(script.abortAt, abort.signal).then(
      () => abort.abort(),
      () => {},
    );
  }
  const wait = waitForTxt({
    items,
    discovery,
    exchange,
    mode: script.resolver === undefined ? "authoritative" : "both",
    resolvers: script.resolver === undefined ? [] : [{ address: resolverAddress, port: 53 }],
    quorum: script.quorum,
    confirmations: script.confirmations,
    settleMs: script.settleMs,
    deadlineMs: script.deadlineMs,
    hint,
    signal: abort.signal,
    clock,
  });
  const verdict = await clock.run(wait);
  const endedAt = clock.now();
  // Long enough for whatever was left behind to show.
  if (!abort.signal.aborted) abort.abort();
  await clock.advance(10_000);
  return { seed, script, verdict, endedAt, told, packets, resolved, sleepersLeft: clock.sleepers };
}

const resolverAddress = "203.0.113.53";

async function askResolver(
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

/** A probe beside the owner, or the zone's SOA. */
function related(ask: Ask, o: OwnerScript): boolean {
  const parent = o.owner.slice(o.owner.indexOf(".") + 1);
  return ask.name.endsWith(`.${parent}`) || ask.name === o.zone;
}

interface Reply {
  readonly kind: Told["kind"];
  readonly reaction: Reaction;
  readonly held?: readonly string[];
  readonly nsid?: string;
}

function replyOf(
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

function delegationOf(script: Script, o: OwnerScript, known: boolean): Delegation {
  const servers = script.servers.filter((s) => (known ? !s.parent : s.parent));
  return {
    zone: known ? o.zone : parseName("example.test"),
    servers: servers.map((s) => ({ name: s.name, address: s.address, port: 53 })),
    unresolved: [],
    warnings: [],
  };
}

/** At first the parent's servers where the cut is lower, the right ones when the zone has been forgotten. */
function discoveryOf(
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
