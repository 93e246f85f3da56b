import { linkSignal } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { durationText } from "../core/duration.ts";
import { AbortedError } from "../core/errors.ts";
import { type Ask, type Endpoint, ExchangeError } from "./exchange.ts";
import type { Message } from "./message.ts";
import type { Pace } from "./pace.ts";
import { buildQuery, judge, type Reply } from "./query.ts";
import { overdueAfterMs, type Rtt } from "./rtt.ts";
import { placeOf, RoundTripError, type Wire } from "./sockets.ts";

/** propagation.md §5.9. */
const firstUdpMs = 1000;
const secondUdpMs = 1500;
const tcpAloneMs = 3000;
/**
 * What follows a first datagram that is overdue, by what this server usually takes, in multiples of that time. TCP is
 * among it, since what eats the datagrams (a full queue, a rate limit for answers) may let it pass.
 */
const hedges: readonly { readonly via: Path; readonly at: number }[] = [
  { via: "udp", at: 1 },
  { via: "tcp", at: 3 },
  { via: "udp", at: 7 },
];

export type Path = "udp" | "tcp";

export interface Climb {
  readonly ask: Ask;
  readonly to: Endpoint;
  readonly signal: AbortSignal;
  readonly edns: boolean;
  /** Where to begin. */
  readonly path: Path;
  /** How long this server's answers over UDP take, as far as known. */
  readonly rtt: Rtt | undefined;
  /** Counted up with each datagram and connection. */
  readonly spent: { udp: number; tcp: number };
  readonly warnings: Set<string>;
}

export interface Heard {
  readonly message: Message;
  readonly transport: "udp" | "tcp";
  readonly rttMs: number;
  /** Something of this server came over UDP, even if the answer had to be fetched over TCP. */
  readonly udpSpoke: boolean;
}

export interface Attempts {
  /** Until a whole answer is there. Throws ExchangeError or the signal's reason. */
  climb(climb: Climb): Promise<Heard>;
}

interface Result {
  readonly via: Path;
  readonly rttMs: number;
  readonly outcome: Reply | RoundTripError;
}

export function createAttempts(clock: Clock, pace: Pace, wire: Wire): Attempts {
  /** One attempt with a fresh id and port. Failures are results; only the signal's reason is thrown. */
  const attempt = async (climb: Climb, via: Path, timeoutMs: number, signal: AbortSignal): Promise<Result> => {
    await pace(climb.to, signal);
    climb.spent[via] += 1;
    const query = buildQuery(climb.ask, { edns: climb.edns });
    const start = clock.now();
    const trip = {
      octets: query.octets,
      to: climb.to,
      accept: (octets: Uint8Array) => judge(octets, query, via === "udp" ? "datagram" : "stream"),
      timeoutMs,
      clock,
      signal,
    };
    try {
      const outcome = await wire[via](trip);
      return { via, rttMs: clock.now() - start, outcome };
    } catch (error) {
      if (error instanceof RoundTripError) return { via, rttMs: clock.now() - start, outcome: error };
      throw error;
    }
  };

  /**
   * The first second. A server that is known to answer in a few milliseconds and has not has most likely lost the
   * datagram: asking again soon costs little, and waiting out the second would cost the order that second.
   */
  const firstSecond = async (climb: Climb): Promise<Result> => {
    const overdueMs = climb.rtt === undefined ? firstUdpMs : overdueAfterMs(climb.rtt);
    const link = linkSignal(climb.signal);
    const later = async (via: Path, afterMs: number): Promise<Result> => {
      await clock.sleep(afterMs, link.signal);
      return attempt(climb, via, firstUdpMs - afterMs, link.signal);
    };
    const racers = [
      attempt(climb, "udp", firstUdpMs, link.signal),
      ...hedges.filter(({ at }) => at * overdueMs < firstUdpMs).map(({ via, at }) => later(via, at * overdueMs)),
    ];
    // Those that are stopped below reject, and that means nothing.
    for (const racer of racers) racer.catch(() => {});
    try {
      return await new Promise<Result>((resolve, reject) => {
        let open = racers.length;
        for (const racer of racers) {
          racer.then((result) => {
            open -= 1;
            if (open === 0 || !isInconclusive(result)) resolve(result);
          }, reject);
        }
      });
    } finally {
      link.abort(new AbortedError("another attempt was faster"));
      link.release();
    }
  };

  /** Second datagram and TCP side by side; whoever has the answer first wins. */
  const sideBySide = async (climb: Climb): Promise<readonly Result[]> => {
    const link = linkSignal(climb.signal);
    const udp = attempt(climb, "udp", secondUdpMs, link.signal);
    const tcp = attempt(climb, "tcp", tcpAloneMs, link.signal);
    const patience = clock.sleep(secondUdpMs, link.signal).then(() => outOfPatience(climb.to));
    // The loser is stopped below and its rejection means nothing.
    for (const racer of [udp, tcp, patience]) racer.catch(() => {});
    try {
      const first = await Promise.race([udp, tcp]);
      if (heardOf(first)) return [first];
      if (first.via === "tcp") return [first, await udp];
      // Over UDP the server spoke, so it lives: TCP gets the time it has when it is alone.
      const second = await (first.outcome instanceof RoundTripError ? Promise.race([tcp, patience]) : tcp);
      return [first, second];
    } finally {
      link.abort(new AbortedError("another attempt was faster"));
      link.release();
    }
  };

  return {
    async climb(climb) {
      if (climb.path === "tcp") return conclude(climb, [await attempt(climb, "tcp", tcpAloneMs, climb.signal)]);
      const first = await firstSecond(climb);
      if (heardOf(first) || isHopeless(first)) return conclude(climb, [first]);
      if (first.outcome instanceof RoundTripError) return conclude(climb, [first, ...(await sideBySide(climb))]);
      return conclude(climb, [first, await attempt(climb, "tcp", tcpAloneMs, climb.signal)]);
    },
  };
}

function outOfPatience(to: Endpoint): Result {
  const outcome = new RoundTripError("timeout", `${placeOf("TCP", to)}: no answer within ${durationText(secondUdpMs)}`);
  return { via: "tcp", rttMs: secondUdpMs, outcome };
}

/** Another attempt may still bring the answer; that there is no TCP says nothing of UDP. */
function isInconclusive({ via, outcome }: Result): boolean {
  return outcome instanceof RoundTripError && (via === "tcp" || outcome.failure === "timeout");
}

function heardOf(result: Result): { readonly message: Message } | undefined {
  return !(result.outcome instanceof RoundTripError) && result.outcome.kind === "message" ? result.outcome : undefined;
}

/** No route for this family: TCP would go the same way. A firewall (EPERM, EACCES) or a host (EHOSTUNREACH) may differ. */
function isHopeless(result: Result): boolean {
  if (!(result.outcome instanceof RoundTripError)) return false;
  const code = result.outcome.code;
  return code === "ENETUNREACH" || code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT";
}

function conclude(climb: Climb, results: readonly Result[]): Heard {
  const udpSpoke = results.some((r) => r.via === "udp" && !(r.outcome instanceof RoundTripError));
  if (results.some((r) => !(r.outcome instanceof RoundTripError) && r.outcome.kind === "case"))
    climb.warnings.add("W_CASE");
  for (const result of results) {
    const heard = heardOf(result);
    if (heard !== undefined) return { message: heard.message, transport: result.via, rttMs: result.rttMs, udpSpoke };
  }
  throw failure(climb, results);
}

function failure(climb: Climb, results: readonly Result[]): ExchangeError {
  const failures = results.map((r) => r.outcome).filter((o) => o instanceof RoundTripError);
  const spoke = failures.length < results.length;
  const nowhere = failures.length > 0 && failures.every((f) => f.failure === "unroutable");
  const kind = spoke ? "broken" : nowhere ? "unroutable" : "silent";
  const texts = [...new Set(results.map((r) => described(r, climb.to)))];
  return new ExchangeError(
    kind,
    `${climb.ask.type} ${climb.ask.name}: ${texts.join("; ")}`,
    { ...climb.spent, doh: 0 },
    failures.at(-1),
  );
}

function described(result: Result, to: Endpoint): string {
  if (result.outcome instanceof RoundTripError) return result.outcome.message;
  const place = placeOf(result.via === "udp" ? "UDP" : "TCP", to);
  switch (result.outcome.kind) {
    case "truncated":
      return `${place}: truncated answer`;
    case "case":
      return `${place}: question came back in other letter case`;
    case "garbled":
      return `${place}: unreadable answer (${result.outcome.error.message})`;
    case "message":
      return `${place}: answer`;
  }
}
