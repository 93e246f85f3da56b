import { createSocket } from "node:dgram";
import { connect, isIPv6 } from "node:net";
import { abortReason, type Clock } from "../core/clock.ts";
import { durationText } from "../core/duration.ts";
import { codeText } from "../core/system-error.ts";
import type { Endpoint } from "./exchange.ts";
import { CodecError, maxMessageOctets } from "./wire.ts";

/** Why a round trip brought nothing. `unroutable`: the packet could not leave this machine, or has no way there. */
export type Failure = "timeout" | "refused" | "unroutable" | "closed" | "failed";

export class RoundTripError extends Error {
  readonly failure: Failure;
  /** The system's own code, for example "ENETUNREACH". */
  readonly code: string | undefined;

  constructor(failure: Failure, message: string, code?: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "RoundTripError";
    this.failure = failure;
    this.code = code;
  }
}

export interface RoundTrip<T> {
  readonly octets: Uint8Array;
  readonly to: Endpoint;
  /** What a received message means; `undefined` when it is not for us, and the wait goes on. */
  readonly accept: (octets: Uint8Array) => T | undefined;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** How octets travel: over sockets, or over nothing but a clock in tests. */
export interface Wire {
  udp<T>(trip: RoundTrip<T>): Promise<T>;
  tcp<T>(trip: RoundTrip<T>): Promise<T>;
}

const unroutable = new Set(["ENETUNREACH", "EHOSTUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT", "EACCES", "EPERM"]);
const maxForeignFrames = 16;

/**
 * One datagram out, the first acceptable one back, over a socket of its own: a fresh port from the system, connected, so
 * that the kernel drops what others send and reports what ICMP says. With `resendMs` the same octets go out again at
 * these times. Throws RoundTripError or the signal's reason; the socket is closed before the promise settles.
 */
export function udpRoundTrip<T>(trip: RoundTrip<T> & { readonly resendMs?: readonly number[] }): Promise<T> {
  return settleOnce(trip, "UDP", (settle) => {
    const socket = createSocket({ type: isIPv6(trip.to.address) ? "udp6" : "udp4" });
    socket.on("error", (error) => settle.fail(error));
    socket.on("message", (octets) => settle.offer(octets));
    socket.on("connect", () => {
      // A socket that is closed while it binds still connects before it closes.
      if (settle.isDone()) return;
      socket.send(trip.octets);
      for (const ms of trip.resendMs ?? []) settle.after(ms, () => socket.send(trip.octets));
    });
    socket.connect(trip.to.port, trip.to.address);
    return () => socket.close();
  });
}

/**
 * One message over a TCP connection of its own, with the length prefix of RFC 1035 §4.2.2; `timeoutMs` covers connecting
 * and answering. Throws RoundTripError or the signal's reason; the connection is gone when the promise settles.
 */
export function tcpRoundTrip<T>(trip: RoundTrip<T>): Promise<T> {
  return settleOnce(trip, "TCP", (settle) => {
    const socket = connect({ host: trip.to.address, port: trip.to.port, noDelay: true });
    const frames = createDeframer();
    let foreign = 0;
    socket.on("error", (error) => settle.fail(error));
    socket.on("close", () => settle.close());
    socket.on("connect", () => socket.write(framed(trip.octets)));
    socket.on("data", (chunk) => {
      for (const frame of frames(chunk)) {
        if (settle.offer(frame)) return;
        foreign += 1;
        if (foreign === maxForeignFrames) settle.close();
      }
    });
    return () => socket.destroy();
  });
}

export const sockets: Wire = { udp: udpRoundTrip, tcp: tcpRoundTrip };

/** Puts the length in front (RFC 1035 §4.2.2). */
export function framed(octets: Uint8Array): Uint8Array {
  if (octets.length > maxMessageOctets) throw new CodecError(`message is longer than ${maxMessageOctets} octets`);
  const frame = new Uint8Array(octets.length + 2);
  frame.set([octets.length >> 8, octets.length & 0xff]);
  frame.set(octets, 2);
  return frame;
}

/** Cuts a TCP stream into messages, however it arrives. */
export function createDeframer(): (chunk: Uint8Array) => readonly Uint8Array[] {
  let rest: Uint8Array = new Uint8Array();
  return (chunk) => {
    const whole = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const frames: Uint8Array[] = [];
    let at = 0;
    while (whole.length - at >= 2) {
      const size = ((whole[at] ?? 0) << 8) | (whole[at + 1] ?? 0);
      if (whole.length - at - 2 < size) break;
      frames.push(whole.subarray(at + 2, at + 2 + size));
      at += 2 + size;
    }
    rest = whole.subarray(at);
    return frames;
  };
}

/** "UDP 192.0.2.1:53". */
export function placeOf(protocol: "UDP" | "TCP", to: Endpoint): string {
  return `${protocol} ${isIPv6(to.address) ? `[${to.address}]` : to.address}:${to.port}`;
}

interface Settle {
  isDone(): boolean;
  /** True when the message ended the wait. */
  offer(octets: Uint8Array): boolean;
  fail(error: Error): void;
  close(): void;
  after(ms: number, act: () => void): void;
}

/** Life of one round trip: whatever comes first (message, failure, time-out, abort) closes everything else. */
function settleOnce<T>(trip: RoundTrip<T>, protocol: "UDP" | "TCP", start: (settle: Settle) => () => void): Promise<T> {
  const { to, signal, clock } = trip;
  const place = placeOf(protocol, to);
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(abortReason(signal));
    const timers = new AbortController();
    let stop = () => {};
    let done = false;
    const finish = (act: () => void) => {
      if (done) return;
      done = true;
      signal.removeEventListener("abort", onAbort);
      timers.abort();
      stop();
      act();
    };
    const onAbort = () => finish(() => reject(abortReason(signal)));
    const after = (ms: number, act: () => void) => {
      clock.sleep(ms, timers.signal).then(
        () => void (done || act()),
        () => {},
      );
    };
    signal.addEventListener("abort", onAbort, { once: true });
    after(trip.timeoutMs, () =>
      finish(() => reject(new RoundTripError("timeout", `${place}: no answer within ${durationText(trip.timeoutMs)}`))),
    );
    const settle: Settle = {
      after,
      isDone: () => done,
      offer(octets) {
        if (done) return true;
        const result = trip.accept(octets);
        if (result === undefined) return false;
        finish(() => resolve(result));
        return true;
      },
      fail: (error) => finish(() => reject(failureOf(error, place))),
      close: () => finish(() => reject(new RoundTripError("closed", `${place}: connection closed without an answer`))),
    };
    try {
      stop = start(settle);
    } catch (error) {
      settle.fail(error instanceof Error ? error : new Error(String(error)));
    }
  });
}

function failureOf(error: Error, place: string): RoundTripError {
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  const text = `${place}: ${code === undefined ? error.message : codeText(code)}`;
  if (code !== undefined && unroutable.has(code)) return new RoundTripError("unroutable", text, code, error);
  if (code === "ECONNREFUSED") return new RoundTripError("refused", `${place}: connection refused`, code, error);
  if (code === "ECONNRESET" || code === "EPIPE")
    return new RoundTripError("closed", `${place}: connection reset`, code, error);
  return new RoundTripError(code === "ETIMEDOUT" ? "timeout" : "failed", text, code, error);
}
