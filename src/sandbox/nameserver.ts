import type { DomainName } from "../core/name.ts";
import { CodecError, decodeMessage, encodeMessage, questionOctets, txtValue } from "../dns/codec.ts";
import type { EncodeOptions } from "../dns/encode.ts";
import type { Message, Rcode, ResourceRecord } from "../dns/message.ts";
import { answerTsig, type TsigVerdict, verifyTsig } from "../dns/tsig.ts";
import type { TsigKey } from "../dns/tsig-key.ts";
import { maxMessageOctets } from "../dns/wire.ts";
import type { MessageHandler, Transport } from "./dns-listener.ts";
import { type RequestLog, timeOfDay } from "./log.ts";
import { answerQuestion, type Reply } from "./nameserver-answer.ts";
import { applyUpdate } from "./nameserver-update.ts";
import type { Weather } from "./weather.ts";
import type { Zone } from "./zone.ts";

export interface NameserverOptions {
  readonly name: DomainName;
  readonly address: string;
  readonly zones: () => ReadonlyMap<DomainName, Zone>;
  /** Takes a new version of a zone; a server without it refuses updates. */
  readonly commit?: ((zone: Zone) => void) | undefined;
  readonly keys: readonly TsigKey[];
  readonly weather: Weather;
  readonly log: RequestLog;
  /** Seconds since 1970, for TSIG. */
  readonly nowSeconds: () => number;
  /** Answers questions in place of the zones: the resolver. */
  readonly recurse?: ((message: Message) => Reply) | undefined;
}

const headerOctets = 12;
const nsidOption = 3;
/** RFC 9715: beyond this a datagram may be cut into fragments. */
const maxUdp = 1232;
const plainUdp = 512;
/** Octets to leave free in a datagram for TSIG. */
const tsigRoom = 200;

interface Received {
  readonly octets: Uint8Array;
  readonly message: Message;
  readonly transport: Transport;
  readonly tsig: TsigVerdict;
}

interface Outcome {
  readonly rcode: Rcode;
  readonly reply?: Reply;
}

/** One nameserver: a message in, a message out. Never throws. */
export function makeNameserver(options: NameserverOptions): MessageHandler {
  return (octets, transport) => {
    let message: Message;
    try {
      message = decodeMessage(octets);
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      return formatError(octets);
    }
    // An answer to an answer would be a loop.
    if (message.response) return undefined;
    const tsig = verifyTsig(octets, options.keys, { now: options.nowSeconds() });
    return handle(options, { octets, message, transport, tsig });
  };
}

function handle(options: NameserverOptions, received: Received): Uint8Array | undefined {
  const { message, transport } = received;
  const { weather } = options;
  if (weather.strikes("drop")) {
    note(options, received, undefined, "drop");
    return undefined;
  }
  const failure = (["servfail", "refused"] as const).find((fault) => weather.strikes(fault));
  if (failure !== undefined) {
    const rcode = failure === "servfail" ? "SERVFAIL" : "REFUSED";
    note(options, received, { rcode }, failure);
    return encode(options, received, { rcode });
  }
  if (transport === "udp" && message.opcode === "QUERY" && weather.strikes("truncate")) {
    note(options, received, { rcode: "NOERROR" }, "truncate");
    return encode(options, received, { rcode: "NOERROR" }, true);
  }
  const outcome = perform(options, received);
  const isLost = message.opcode === "UPDATE" && weather.strikes("lostReply");
  note(options, received, outcome, isLost ? "lostReply" : undefined);
  return isLost ? undefined : encode(options, received, outcome);
}

function perform(options: NameserverOptions, received: Received): Outcome {
  const { message, tsig } = received;
  if (tsig.status === "malformed") return { rcode: "FORMERR" };
  // RFC 8945 §5.2: whatever is wrong with the signature, the rcode is this one.
  if (tsig.status !== "ok" && tsig.status !== "unsigned") return { rcode: "NOTAUTH" };
  // RFC 6891 §6.1.3.
  if (message.edns !== undefined && message.edns.version > 0) return { rcode: "BADVERS" };
  if (message.opcode === "UPDATE") return { rcode: update(options, received) };
  if (message.opcode !== "QUERY") return { rcode: "NOTIMP" };
  const [question, ...more] = message.questions;
  if (question === undefined || more.length > 0) return { rcode: "FORMERR" };
  if (question.type === "AXFR" || question.type === "IXFR") return { rcode: "REFUSED" };
  const reply = options.recurse?.(message) ?? answerQuestion(options.zones(), question);
  return { rcode: reply.rcode, reply };
}

/** RFC 2136 §3.1 and §3.3 around the update itself. */
function update(options: NameserverOptions, { message, tsig }: Received): Rcode {
  const [zone, ...more] = message.questions;
  if (zone === undefined || more.length > 0 || zone.type !== "SOA") return "FORMERR";
  const held = zone.class === "IN" ? options.zones().get(zone.name) : undefined;
  if (held === undefined) return "NOTAUTH";
  if (options.commit === undefined || tsig.status !== "ok") return "REFUSED";
  const result = applyUpdate(held, message);
  if (result.rcode === "NOERROR" && result.zone !== held) options.commit(result.zone);
  return result.rcode;
}

function encode(options: NameserverOptions, received: Received, outcome: Outcome, truncated = false): Uint8Array {
  const { octets, message, transport, tsig } = received;
  const { reply } = outcome;
  const edns = message.edns && {
    udpSize: maxUdp,
    version: 0,
    dnssecOk: message.edns.dnssecOk,
    options: message.edns.options
      .filter((o) => o.code === nsidOption)
      .map(({ code }) => ({ code, data: new TextEncoder().encode(`${options.name}@${options.address}`) })),
  };
  const room =
    transport === "tcp" ? maxMessageOctets : Math.min(maxUdp, Math.max(plainUdp, message.edns?.udpSize ?? 0));
  const answer: Message = {
    id: message.id,
    response: true,
    opcode: message.opcode,
    authoritative: reply?.authoritative ?? false,
    truncated,
    recursionDesired: message.recursionDesired,
    recursionAvailable: options.recurse !== undefined,
    authenticData: false,
    checkingDisabled: message.checkingDisabled,
    rcode: outcome.rcode,
    questions: message.questions,
    answers: reply?.answers ?? [],
    authorities: reply?.authorities ?? [],
    additionals: reply?.additionals ?? [],
    edns,
  };
  const maxOctets = room - (tsig.status === "unsigned" ? 0 : tsigRoom);
  // The question goes back in its own letter case (0x20).
  const question = message.questions.length === 1 ? questionOctets(octets) : undefined;
  return answerTsig(octetsOf(answer, { question, maxOctets }), tsig, options.nowSeconds());
}

/** Whoever may update a zone can make more of it than a message holds. */
function octetsOf(answer: Message, options: EncodeOptions): Uint8Array {
  try {
    return encodeMessage(answer, options);
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    return encodeMessage({ ...answer, rcode: "SERVFAIL", answers: [], authorities: [], additionals: [] }, options);
  }
}

/** RFC 1035 §4.1.1: whatever it was, its id and its kind are known. */
function formatError(octets: Uint8Array): Uint8Array | undefined {
  const isRequest = octets.length >= headerOctets && ((octets[2] ?? 0) & 0x80) === 0;
  if (!isRequest) return undefined;
  const header = new Uint8Array(headerOctets);
  header.set(octets.subarray(0, 2));
  header[2] = 0x80 | ((octets[2] ?? 0) & 0x79);
  header[3] = 1;
  return header;
}

function note(
  options: NameserverOptions,
  received: Received,
  outcome: Outcome | undefined,
  fault: string | undefined,
): void {
  const { message, transport } = received;
  const [question] = message.questions;
  if (question === undefined) return;
  const common = { at: timeOfDay(), server: options.name, transport, rcode: outcome?.rcode, fault };
  if (message.opcode === "UPDATE") {
    const changes = message.authorities.map(described);
    const serial = options.zones().get(question.name)?.soa.serial;
    options.log.add({ kind: "update", zone: question.name, changes, serial, ...common });
  } else {
    const { name, type } = question;
    const answers = outcome?.reply?.answers.length ?? 0;
    options.log.add({ kind: "query", address: options.address, name, type, answers, ...common });
  }
}

function described(record: ResourceRecord): string {
  const sign = record.class === "IN" ? "+" : "-";
  const value = txtValue(record);
  return `${sign} ${record.name} ${record.type}${value === undefined ? "" : ` "${value}"`}`;
}
