import { linkSignal, over } from "../core/abort.ts";
import { type Clock, systemClock } from "../core/clock.ts";
import { decodeMessage, encodeMessage } from "./codec.ts";
import type { Endpoint } from "./exchange.ts";
import type { Message } from "./message.ts";
import { type RoundTrip, RoundTripError, tcpRoundTrip, udpRoundTrip } from "./sockets.ts";
import { serverClockOf, signTsig, verifyTsig } from "./tsig.ts";
import type { TsigKey } from "./tsig-key.ts";
import { CodecError } from "./wire.ts";

/** Over UDP the same octets are sent again at these times. */
const resendMs = [1000, 3000, 6000];
/** A query over TCP is asked again at these times beside the first, which may still be answered. */
const askAgainMs = [2500, 5000];
/** Larger messages go over TCP: fragments get lost (RFC 9715), and servers read 512 octets at least (RFC 1035 §4.2.1). */
const maxDatagramOctets = 1232;

/** A server that takes updates, and how to talk to it. */
export interface Primary {
  readonly server: Endpoint;
  readonly transport: "tcp" | "udp";
  /** Signs requests; without it the server must trust our address. */
  readonly tsig?: TsigKey | undefined;
  readonly clock?: Clock | undefined;
  /** The time of day in seconds since 1970; default this machine's. */
  readonly now?: (() => number) | undefined;
}

function timeOf(primary: Primary): number {
  return primary.now?.() ?? Math.floor(Date.now() / 1000);
}

/**
 * `signature`: "verified" (its MAC is right), "missing" (none, or an error without MAC), "forged" (wrong MAC), "none" (no
 * key is in use, so none was expected).
 */
export interface SignedReply {
  readonly message: Message;
  readonly signature: "verified" | "missing" | "forged" | "none";
  /** 0, or the error of the reply's TSIG (RFC 8945 §3). */
  readonly tsigError: number;
  /** How many seconds the server's clock is ahead of ours, if it refused for that. */
  readonly skewSeconds?: number | undefined;
}

type Received = SignedReply | "truncated" | "unreadable";

/**
 * Sends one message, signed if there is a key, and returns the reply that belongs to it. Over UDP a reply that claims
 * success without a right signature is waited out, as anybody can send one (RFC 8945 §5.3.1). Throws RoundTripError or
 * the signal's reason.
 */
export async function askSigned(
  request: Message,
  primary: Primary,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<SignedReply> {
  const plain = encodeMessage(request);
  const signed = primary.tsig === undefined ? undefined : signTsig(plain, primary.tsig, { now: timeOf(primary) });
  const octets = signed?.octets ?? plain;
  const read = (received: Uint8Array) => readReply(received, request, primary, signed?.mac);
  const trip = { octets, to: primary.server, timeoutMs, clock: primary.clock ?? systemClock, signal };
  if (primary.transport === "udp" && octets.length <= maxDatagramOctets) {
    let distrusted: SignedReply | undefined;
    const accept = (received: Uint8Array): SignedReply | "truncated" | undefined => {
      const reply = read(received);
      if (reply === "unreadable" || reply === undefined) return undefined;
      if (reply === "truncated" || isConclusive(reply)) return reply;
      distrusted = reply;
      return undefined;
    };
    try {
      const reply = await udpRoundTrip({ ...trip, accept, resendMs: resendMs.filter((ms) => ms < timeoutMs) });
      if (reply !== "truncated") return reply;
    } catch (error) {
      if (distrusted !== undefined && error instanceof RoundTripError) return distrusted;
      throw error;
    }
  }
  const reply = await (request.opcode === "QUERY" ? insist : tcpRoundTrip)({ ...trip, accept: read });
  if (reply === "truncated" || reply === "unreadable") {
    throw new RoundTripError("failed", `TCP ${primary.server.address}:${primary.server.port}: unreadable answer`);
  }
  return reply;
}

/** A server that lost the first of several equal queries answers another one; the first end of any of them counts. */
async function insist<T>(trip: RoundTrip<T>): Promise<T> {
  const link = linkSignal(trip.signal);
  const times = [0, ...askAgainMs.filter((ms) => ms < trip.timeoutMs)];
  try {
    return await Promise.race(
      times.map(async (ms) => {
        if (ms > 0) await trip.clock.sleep(ms, link.signal);
        return await tcpRoundTrip({ ...trip, timeoutMs: trip.timeoutMs - ms, signal: link.signal });
      }),
    );
  } finally {
    link.release();
    link.abort(over);
  }
}

/**
 * An unsigned refusal is believed: it can only stop us, and a server that does not know the key cannot sign. So is an
 * unsigned answer to a query, which changes nothing: some servers sign none of them.
 */
function isConclusive({ message, signature }: SignedReply): boolean {
  if (signature === "verified" || signature === "none") return true;
  return signature === "missing" && (message.rcode !== "NOERROR" || message.opcode === "QUERY");
}

/** `undefined` for a message that is not the reply to this request. */
function readReply(
  octets: Uint8Array,
  request: Message,
  primary: Primary,
  requestMac: Uint8Array | undefined,
): Received | undefined {
  const idOf = (o: Uint8Array) => ((o[0] ?? 0) << 8) | (o[1] ?? 0);
  if (octets.length < 12 || idOf(octets) !== request.id || ((octets[2] ?? 0) & 0x80) === 0) return undefined;
  try {
    const message = decodeMessage(octets);
    if (message.opcode !== request.opcode || !repeatsQuestion(message, request)) return undefined;
    if (message.truncated && primary.transport === "udp") return "truncated";
    return judgeSignature(octets, message, primary, requestMac);
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    return ((octets[2] ?? 0) & 0x02) !== 0 ? "truncated" : "unreadable";
  }
}

/** Replies to updates may leave all sections out (RFC 2136 §3.8). */
function repeatsQuestion(reply: Message, request: Message): boolean {
  const [given] = reply.questions;
  const [asked] = request.questions;
  return (
    given === undefined || (given.name === asked?.name && given.type === asked.type && given.class === asked.class)
  );
}

function judgeSignature(
  octets: Uint8Array,
  message: Message,
  primary: Primary,
  requestMac: Uint8Array | undefined,
): SignedReply {
  if (primary.tsig === undefined) return { message, signature: "none", tsigError: 0 };
  const verdict = verifyTsig(octets, [primary.tsig], { now: timeOf(primary), requestMac });
  switch (verdict.status) {
    case "unsigned":
      return { message, signature: "missing", tsigError: 0 };
    case "malformed":
      return { message, signature: "forged", tsigError: 0 };
    case "badkey":
    case "badsig":
      // BADKEY and BADSIG come without MAC, and not always with our key's name.
      if (verdict.tsig.mac.length > 0) return { message, signature: "forged", tsigError: 0 };
      return { message, signature: "missing", tsigError: verdict.tsig.error };
    case "ok":
    case "badtime":
    case "badtrunc": {
      // The MAC covers that of our request, so the reply is new whatever its clock says.
      const clock = serverClockOf(verdict.tsig);
      const skewSeconds = clock === undefined ? undefined : clock - timeOf(primary);
      return { message, signature: "verified", tsigError: verdict.tsig.error, skewSeconds };
    }
  }
}
