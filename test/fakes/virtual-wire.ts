import { abortReason, type Clock } from "../../src/core/clock.ts";
import { decodeMessage, encodeMessage, questionOctets } from "../../src/dns/codec.ts";
import type { Message } from "../../src/dns/message.ts";
import { type RoundTrip, RoundTripError, type Wire } from "../../src/dns/sockets.ts";

/** A server behind a bad path. Shares in [0, 1]. */
export interface WireServer {
  readonly rttMs: number;
  /** Datagrams lost on the way. */
  readonly drop?: number;
  /** Answers over UDP cut down to TC. */
  readonly truncate?: number;
  /** Answers over UDP turned into SERVFAIL. */
  readonly servfail?: number;
  /** Round trips that take `lateMs` longer, as where a machine is busy. */
  readonly late?: number;
  readonly lateMs?: number;
  /** A connection takes two round trips: one to open it, one for the question. "refuse" and "silent" never give an answer. */
  readonly tcp?: "refuse" | "silent";
  readonly respond: (query: Message, now: number) => Partial<Message>;
}

export interface WireSent {
  readonly at: number;
  readonly address: string;
  readonly via: "udp" | "tcp";
}

/** The way of octets over nothing but a clock. `sent` has every datagram and connection. */
export function virtualWire(
  clock: Clock,
  servers: Readonly<Record<string, WireServer>>,
  random: () => number,
): { readonly wire: Wire; readonly sent: WireSent[] } {
  const sent: WireSent[] = [];

  const carry =
    (via: "udp" | "tcp") =>
    async <T>(trip: RoundTrip<T>): Promise<T> => {
      if (trip.signal.aborted) throw abortReason(trip.signal);
      const { address } = trip.to;
      sent.push({ at: clock.now(), address, via });
      const server = servers[address];
      if (server === undefined) throw new RoundTripError("unroutable", `${address}: ENETUNREACH`, "ENETUNREACH");
      const thereMs = (via === "udp" ? 0.5 : 1.5) * server.rttMs;
      const lost = via === "udp" ? random() < (server.drop ?? 0) : server.tcp === "silent";
      if (lost || thereMs + server.rttMs / 2 > trip.timeoutMs) {
        await clock.sleep(trip.timeoutMs, trip.signal);
        throw new RoundTripError("timeout", `${via} ${address}: no answer within ${trip.timeoutMs} ms`);
      }
      await clock.sleep(thereMs, trip.signal);
      if (via === "tcp" && server.tcp === "refuse")
        throw new RoundTripError("refused", `${via} ${address}: connection refused`, "ECONNREFUSED");
      const octets = answerOf(server, via, trip.octets, clock.now(), random);
      const lateMs = random() < (server.late ?? 0) ? (server.lateMs ?? 0) : 0;
      await clock.sleep(server.rttMs / 2 + lateMs, trip.signal);
      const result = trip.accept(octets);
      if (result === undefined) throw new Error(`${address}: the answer was not taken for one`);
      return result;
    };

  return { wire: { udp: carry("udp"), tcp: carry("tcp") }, sent };
}

function answerOf(
  server: WireServer,
  via: "udp" | "tcp",
  octets: Uint8Array,
  now: number,
  random: () => number,
): Uint8Array {
  const query = decodeMessage(octets);
  const head = { ...query, response: true, authoritative: true, answers: [], authorities: [], additionals: [] };
  const whole = { ...head, ...server.respond(query, now) };
  const truncate = via === "udp" && random() < (server.truncate ?? 0);
  const servfail = via === "udp" && random() < (server.servfail ?? 0);
  const message: Message = truncate
    ? { ...head, truncated: true }
    : servfail
      ? { ...head, authoritative: false, rcode: "SERVFAIL" }
      : whole;
  return encodeMessage(message, { question: questionOctets(octets) ?? new Uint8Array() });
}
