import { randomBytes } from "node:crypto";
import { CodecError, decodeMessage, emptyMessage, encodeMessage, questionOctets } from "./codec.ts";
import type { Ask } from "./exchange.ts";
import type { Message } from "./message.ts";
import { rcodeName } from "./numbers.ts";

/** RFC 9715: larger answers are fragmented on real paths. */
const udpPayloadSize = 1232;
const nsidOption = 3;

/** A question ready to be sent, and what is needed to recognise its answer. */
export interface Query {
  readonly octets: Uint8Array;
  readonly question: Uint8Array;
}

/** What an answer to our question turned out to be. `case`: the question came back in other letters (0x20). */
export type Reply =
  | { readonly kind: "message"; readonly message: Message }
  | { readonly kind: "truncated" }
  | { readonly kind: "case" }
  | { readonly kind: "garbled"; readonly error: CodecError };

/** A query with a fresh random id and letters in random case. `id` is fixed for DoH, where caches work by content. */
export function buildQuery(ask: Ask, options: { readonly edns: boolean; readonly id?: number }): Query {
  const nsid = ask.nsid ?? ask.recursionDesired !== true;
  const octets = encodeMessage({
    ...emptyMessage,
    id: options.id ?? randomBytes(2).readUInt16BE(),
    recursionDesired: ask.recursionDesired ?? false,
    checkingDisabled: ask.checkingDisabled ?? false,
    questions: [{ name: ask.name, type: ask.type, class: "IN" }],
    edns: options.edns
      ? {
          udpSize: udpPayloadSize,
          version: 0,
          dnssecOk: ask.dnssecOk ?? false,
          options: nsid ? [{ code: nsidOption, data: new Uint8Array() }] : [],
        }
      : undefined,
  });
  if (options.id === undefined) mixCase(octets);
  const question = questionOctets(octets);
  if (question === undefined) throw new CodecError("a query has a question");
  return { octets, question };
}

/** Random letter case in the question's name: another bit per letter for a forger to guess (draft-vixie-dnsext-dns0x20). */
function mixCase(octets: Uint8Array): void {
  const random = randomBytes(256);
  for (let at = 12, length = octets[at] ?? 0; length !== 0; at += length + 1, length = octets[at] ?? 0) {
    for (let i = at + 1; i <= at + length; i++) {
      const octet = octets[i] ?? 0;
      if (isLetter(octet) && ((random[i - 12] ?? 0) & 1) === 1) octets[i] = octet ^ 0x20;
    }
  }
}

/**
 * What received octets are to our query; `undefined` when they are not an answer to it (another id, another question,
 * no response). Over UDP the question must be repeated byte for byte; over a connection its case proves nothing, and TC
 * means nothing.
 */
export function judge(octets: Uint8Array, query: Query, via: "datagram" | "stream"): Reply | undefined {
  if (octets.length < 12 || octets[0] !== query.octets[0] || octets[1] !== query.octets[1]) return undefined;
  const flags = octets[2] ?? 0;
  const isQueryResponse = (flags & 0xf8) === 0x80;
  if (!isQueryResponse) return undefined;
  const asked = ((octets[4] ?? 0) << 8) | (octets[5] ?? 0);
  if (asked === 0) return bareError(octets);
  const echoed = octets.subarray(12, 12 + query.question.length);
  if (asked !== 1 || !sameOctets(echoed, query.question, foldCase)) return undefined;
  if (via === "stream") return decoded(octets);
  if (!sameOctets(echoed, query.question, (octet) => octet)) return { kind: "case" };
  // Looked at before decoding: some servers cut in the middle of a record.
  if ((flags & 0x02) !== 0) return { kind: "truncated" };
  return decoded(octets);
}

/** Servers that could not read a query answer with the header alone; that is an answer only if it is an error. */
function bareError(octets: Uint8Array): Reply | undefined {
  const reply = decoded(octets);
  // BADVERS has its number in OPT, and zeros here.
  const rcode = reply.kind === "message" ? reply.message.rcode : rcodeName((octets[3] ?? 0) & 15);
  return rcode === "NOERROR" || rcode === "NXDOMAIN" ? undefined : reply;
}

function decoded(octets: Uint8Array): Reply {
  try {
    return { kind: "message", message: decodeMessage(octets) };
  } catch (error) {
    if (error instanceof CodecError) return { kind: "garbled", error };
    throw error;
  }
}

function sameOctets(a: Uint8Array, b: Uint8Array, fold: (octet: number) => number): boolean {
  return a.length === b.length && a.every((octet, i) => fold(octet) === fold(b[i] ?? 0));
}

function foldCase(octet: number): number {
  return octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet;
}

function isLetter(octet: number): boolean {
  return (octet >= 0x41 && octet <= 0x5a) || (octet >= 0x61 && octet <= 0x7a);
}
