import { abortReason } from "../../src/core/clock.ts";
import type { DomainName } from "../../src/core/name.ts";
import { type Answer, type Exchange, ExchangeError } from "../../src/dns/exchange.ts";
import { emptyHint, withObservation } from "../../src/dns/hint.ts";
import { waitForTxt } from "../../src/dns/propagation.ts";
import type { Verdict } from "../../src/dns/types.ts";
import { createRandom } from "../../src/testing/random.ts";
import { createVirtualClock } from "../fakes/virtual-clock.ts";
import {
  askResolver,
  delegationOf,
  discoveryOf,
  type Reply,
  related,
  replyOf,
  resolverAddress,
} from "./propagation-answers.ts";
import { type Script, scriptFrom } from "./propagation-world.ts";

/** What one question truly brought, by the script and not by the program. */
export interface Told {
  readonly owner: DomainName;
  readonly address: string;
  readonly sentAt: number;
  readonly endedAt: number;
  /** The expected values in the answer; undefined when there was no answer about the name. */
  readonly held: readonly string[] | undefined;
  readonly kind: Reply["kind"];
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
  const random = createRandom(seed);
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
    const owner = script.owners.find((o) => related(ask, o));
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
