import { abortReason, type Clock } from "../../src/core/clock.ts";
import { type DomainName, isWithin, labelsOf } from "../../src/core/name.ts";
import { emptyMessage } from "../../src/dns/codec.ts";
import { type Exchange, ExchangeError } from "../../src/dns/exchange.ts";
import type { Message, Question, Rcode } from "../../src/dns/message.ts";
import { authoritativeAnswer, type ScriptedZone } from "./scripted-zones.ts";

/** What a server does with a question instead of answering it from its zones; undefined to answer. */
export type Fault = (question: Question, answer: Message) => Message | "silent" | "unroutable" | "broken" | undefined;

export interface VirtualHost {
  readonly address: string;
  readonly zones?: readonly ScriptedZone[];
  readonly fault?: Fault | undefined;
  readonly delayMs?: number;
  /** Recursive: answers from all zones of the network, whoever serves them. */
  readonly recursive?: boolean;
}

export interface Logged {
  readonly at: number;
  readonly to: string;
  readonly port: number;
  readonly name: DomainName;
  readonly type: string;
  readonly recursionDesired: boolean;
}

/** A network over nothing but a clock: servers by address, and a log of every question. */
export interface VirtualNetwork {
  readonly exchange: Exchange;
  readonly log: Logged[];
  /** Adds a server, or replaces the one at that address. */
  host(host: VirtualHost): void;
}

export function virtualNetwork(clock: Clock, hosts: readonly VirtualHost[]): VirtualNetwork {
  const byAddress = new Map(hosts.map((h) => [h.address, h]));
  const log: Logged[] = [];
  const none = { udp: 1, tcp: 0, doh: 0 };
  const exchange: Exchange = async (ask, to) => {
    if (ask.signal.aborted) throw abortReason(ask.signal);
    const { name, type } = ask;
    log.push({
      at: clock.now(),
      to: to.address,
      port: to.port,
      name,
      type,
      recursionDesired: ask.recursionDesired ?? false,
    });
    const host = byAddress.get(to.address);
    if (host === undefined) throw new ExchangeError("unroutable", "no route (ENETUNREACH)", none);
    await clock.sleep(host.delayMs ?? 10, ask.signal);
    const question: Question = { name, type, class: "IN" };
    const answer = host.recursive
      ? recursiveAnswer(
          [...byAddress.values()].flatMap((h) => h.zones ?? []),
          question,
          ask.recursionDesired ?? false,
        )
      : authoritativeAnswer(host.zones ?? [], question);
    const done = host.fault?.(question, answer) ?? answer;
    if (done === "silent") {
      await clock.sleep(2_500, ask.signal);
      throw new ExchangeError("silent", "no answer over UDP and TCP", { udp: 2, tcp: 1, doh: 0 });
    }
    if (done === "unroutable") throw new ExchangeError("unroutable", "no route (ENETUNREACH)", none);
    if (done === "broken")
      throw new ExchangeError("broken", "an answer that is no DNS message", { udp: 2, tcp: 1, doh: 0 });
    return { message: done, transport: "udp", rttMs: host.delayMs ?? 10, queries: none, warnings: [] };
  };
  return { exchange, log, host: (h) => byAddress.set(h.address, h) };
}

/** What a resolver that found everything would say. */
export function recursiveAnswer(
  zones: readonly ScriptedZone[],
  question: Question,
  recursionDesired: boolean,
): Message {
  const base = {
    ...emptyMessage,
    response: true,
    questions: [question],
    recursionDesired: true,
    recursionAvailable: true,
  };
  if (!recursionDesired) return { ...base, rcode: "REFUSED" };
  const holders = zones
    .filter((z) => isWithin(question.name, z.apex))
    .sort((a, b) => labelsOf(b.apex).length - labelsOf(a.apex).length);
  const zone = holders[0];
  if (zone === undefined) return { ...base, rcode: "SERVFAIL" };
  const answer = authoritativeAnswer(zones, question);
  return {
    ...base,
    rcode: answer.rcode,
    answers: answer.answers,
    authorities: answer.answers.some((r) => r.type === question.type) ? [] : answer.authorities,
  };
}

/** A fault for some names (and types) only. */
export function forNames(
  names: readonly string[],
  then: Message | "silent" | "broken" | Rcode,
  types?: readonly string[],
): Fault {
  return (question, answer) => {
    if (!names.includes(question.name) || (types !== undefined && !types.includes(question.type))) return undefined;
    return react(then, question, answer);
  };
}

/** A fault for every question. */
export function always(then: "silent" | "unroutable" | "broken" | Rcode): Fault {
  return (question) => (then === "unroutable" ? then : react(then, question));
}

function react(then: Message | "silent" | "broken" | Rcode, question: Question, answer?: Message): ReturnType<Fault> {
  if (typeof then === "object") return then;
  if (then === "silent" || then === "broken") return then;
  const base = { ...emptyMessage, response: true, questions: [question], rcode: then };
  return then === "NXDOMAIN" && answer !== undefined ? { ...answer, rcode: then } : base;
}
