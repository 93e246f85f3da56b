import { abortReason, type Clock } from "../../src/core/clock.ts";
import { type DomainName, parseName } from "../../src/core/name.ts";
import { emptyMessage } from "../../src/dns/codec.ts";
import { type Ask, type Endpoint, type Exchange, ExchangeError } from "../../src/dns/exchange.ts";
import type { Message, ResourceRecord } from "../../src/dns/message.ts";
import { txtStrings } from "../../src/dns/txt.ts";
import type { Delegation, Discovery } from "../../src/dns/types.ts";

/** What comes of one question, after the retries of an exchange. */
export type Reaction =
  | {
      readonly kind: "answer";
      readonly message: Message;
      readonly transport?: "udp" | "tcp" | "doh";
      readonly delayMs?: number;
      readonly nsid?: string;
      readonly packets?: { udp: number; tcp: number };
      readonly warnings?: readonly string[];
    }
  | { readonly kind: "silent" | "unroutable" | "broken"; readonly delayMs?: number };

/** Called when the question arrives, half a round trip after it was sent. */
export type Respond = (ask: Ask, now: number) => Reaction;

export interface Asked {
  readonly at: number;
  readonly address: string;
  readonly ask: Ask;
}

/** An exchange over nothing but a clock. `asked` has every question that was sent. */
export function virtualExchange(
  clock: Clock,
  servers: Readonly<Record<string, Respond>>,
  options: { readonly rttMs?: number } = {},
): { readonly exchange: Exchange; readonly asked: Asked[] } {
  const asked: Asked[] = [];
  const rttMs = options.rttMs ?? 20;
  const exchange: Exchange = async (ask, to) => {
    if (ask.signal.aborted) throw abortReason(ask.signal);
    asked.push({ at: clock.now(), address: to.address, ask });
    const respond = servers[to.address];
    if (respond === undefined) throw new ExchangeError("unroutable", "ENETUNREACH", packets(1, 0));
    await clock.sleep(rttMs / 2, ask.signal);
    const reaction = respond(ask, clock.now());
    if (reaction.kind === "unroutable") throw new ExchangeError("unroutable", "ENETUNREACH", packets(1, 0));
    if (reaction.kind === "silent") {
      // One second over UDP, one and a half over UDP and TCP (propagation.md §5.9).
      await clock.sleep(reaction.delayMs ?? 2_500 - rttMs / 2, ask.signal);
      throw new ExchangeError("silent", "no answer over UDP and TCP", packets(2, 1));
    }
    await clock.sleep(reaction.delayMs ?? rttMs / 2, ask.signal);
    if (reaction.kind !== "answer") throw new ExchangeError("broken", "no DNS answer to our question", packets(2, 1));
    const transport = reaction.transport ?? "udp";
    return {
      message: reaction.message,
      transport,
      rttMs: (reaction.delayMs ?? rttMs / 2) + rttMs / 2,
      queries: { udp: 0, tcp: 0, doh: transport === "doh" ? 1 : 0, ...(reaction.packets ?? only(transport)) },
      nsid: reaction.nsid,
      warnings: reaction.warnings ?? [],
    };
  };
  return { exchange, asked };
}

function packets(udp: number, tcp: number) {
  return { udp, tcp, doh: 0 };
}

function only(transport: "udp" | "tcp" | "doh") {
  return transport === "udp" ? { udp: 1 } : transport === "tcp" ? { udp: 1, tcp: 1 } : {};
}

/** A discovery that knows one zone. */
export function fixedDiscovery(delegation: Delegation): Discovery & { readonly forgotten: DomainName[] } {
  const forgotten: DomainName[] = [];
  return {
    forgotten,
    delegationOf: async (_name, signal) => {
      if (signal.aborted) throw abortReason(signal);
      return delegation;
    },
    forget: (zone) => {
      forgotten.push(zone);
    },
  };
}

/** ns1 … nsN of a zone, one address each unless given as "name/address". */
export function delegationTo(zone: string, servers: readonly string[]): Delegation {
  return {
    zone: parseName(zone),
    servers: servers.map((text, i) => {
      const [name, address] = text.includes("/") ? text.split("/") : [`ns${i + 1}.${zone}`, text];
      return { name: parseName(name ?? ""), address: address ?? "", port: 53 } satisfies Endpoint & {
        name: DomainName;
      };
    }),
    unresolved: [],
    warnings: [],
  };
}

const head = { class: "IN", ttl: 60 } as const;

function response(part: Partial<Message>): Message {
  return { ...emptyMessage, response: true, authoritative: true, ...part };
}

export interface SoaFacts {
  readonly serial?: number;
  readonly mname?: string;
  readonly ttl?: number;
  readonly minimum?: number;
}

function soaRecord(zone: string, soa: SoaFacts = {}): ResourceRecord {
  return {
    ...head,
    ttl: soa.ttl ?? 300,
    name: parseName(zone),
    type: "SOA",
    mname: parseName(soa.mname ?? `ns1.${zone}`),
    rname: parseName(`hostmaster.${zone}`),
    serial: soa.serial ?? 1,
    refresh: 3600,
    retry: 600,
    expire: 86400,
    minimum: soa.minimum ?? 300,
  };
}

export function txtRecord(owner: string, value: string, ttl = 60): ResourceRecord {
  return { ...head, ttl, name: parseName(owner), type: "TXT", strings: txtStrings(value) };
}

/** Responses as servers give them. */
export const says = {
  txt: (owner: string, values: readonly string[], ttl?: number): Reaction =>
    answer(response({ answers: values.map((v) => txtRecord(owner, v, ttl)) })),
  nxdomain: (zone: string, soa?: SoaFacts): Reaction =>
    answer(response({ rcode: "NXDOMAIN", authorities: [soaRecord(zone, soa)] })),
  nodata: (zone: string, soa?: SoaFacts): Reaction => answer(response({ authorities: [soaRecord(zone, soa)] })),
  empty: (): Reaction => answer(response({})),
  soa: (zone: string, soa?: SoaFacts): Reaction => answer(response({ answers: [soaRecord(zone, soa)] })),
  rcode: (rcode: Message["rcode"]): Reaction => answer(response({ authoritative: false, rcode })),
  cname: (owner: string, target: string): Reaction =>
    answer(response({ answers: [{ ...head, name: parseName(owner), type: "CNAME", target: parseName(target) }] })),
  dname: (above: string, target: string): Reaction =>
    answer(response({ answers: [{ ...head, name: parseName(above), type: "DNAME", target: parseName(target) }] })),
  referral: (cut: string, servers: readonly string[]): Reaction =>
    answer(
      response({
        authoritative: false,
        authorities: servers.map((s) => ({ ...head, name: parseName(cut), type: "NS", target: parseName(s) })),
      }),
    ),
  silence: { kind: "silent" } satisfies Reaction,
};

function answer(message: Message): Reaction {
  return { kind: "answer", message };
}

/** The same reaction with other flags in its message. */
export function flagged(reaction: Reaction, flags: Partial<Message>): Reaction {
  return reaction.kind === "answer" ? { ...reaction, message: { ...reaction.message, ...flags } } : reaction;
}
