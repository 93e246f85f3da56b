import { raceAbort } from "../core/abort.ts";
import { abortReason, type Clock, systemClock } from "../core/clock.ts";
import { AbortedError } from "../core/errors.ts";
import { type Observer, silent } from "../core/events.ts";
import { createAttempts, type Heard, type Path } from "./attempts.ts";
import { nsidOf } from "./codec.ts";
import { type Answer, type Ask, type Endpoint, type Exchange, ExchangeError } from "./exchange.ts";
import { createPace } from "./pace.ts";
import { type Rtt, withSample } from "./rtt.ts";
import { sockets, type Wire } from "./sockets.ts";

export interface ExchangeOptions {
  readonly clock?: Clock;
  readonly observer?: Observer;
  /** Queries to one address: `perSecond` on average, `burst` at once (propagation.md §5.9). */
  readonly rate?: { readonly perSecond: number; readonly burst: number };
  /** Default: sockets of this machine. */
  readonly wire?: Wire;
}

/** What this exchange has learnt about one server. */
interface ServerMemory {
  /** A datagram of this server has arrived. */
  udpWorks: boolean;
  rtt: Rtt | undefined;
  /** UDP was silent where TCP answered: begin with TCP. */
  tcpFirst: boolean;
  /** It answers only without OPT. */
  noEdns: boolean;
  /** Questions, by type and name, whose answers over UDP were of no use while TCP brought them, and until when that holds. */
  readonly overTcp: Map<string, number>;
}

/** An answer too large for a datagram stays so for a while; a server that sent TC to save itself work has then recovered. */
const overTcpForMs = 60_000;

/**
 * The real network behind `Exchange`: UDP with EDNS, then UDP and TCP side by side, TCP after TC (propagation.md §5.9).
 * What is learnt about servers, the pace per address and questions in flight belong to the returned function.
 */
export function createExchange(options: ExchangeOptions = {}): Exchange {
  const clock = options.clock ?? systemClock;
  const observer = options.observer ?? silent;
  const attempts = createAttempts(
    clock,
    createPace(clock, options.rate ?? { perSecond: 50, burst: 100 }),
    options.wire ?? sockets,
  );
  const servers = new Map<string, ServerMemory>();

  const memoryOf = (to: Endpoint): ServerMemory => {
    const key = `${to.address} ${to.port}`;
    const known = servers.get(key) ?? {
      udpWorks: false,
      rtt: undefined,
      tcpFirst: false,
      noEdns: false,
      overTcp: new Map(),
    };
    servers.set(key, known);
    return known;
  };

  const askServer = async (ask: Ask, to: Endpoint, signal: AbortSignal): Promise<Answer> => {
    const memory = memoryOf(to);
    const spent = { udp: 0, tcp: 0 };
    const warnings = new Set<string>();
    const subject = `${ask.type} ${ask.name}`;
    const prefersTcp = memory.tcpFirst || (memory.overTcp.get(subject) ?? 0) > clock.now();
    const go = (path: Path, edns: boolean) =>
      attempts.climb({ ask, to, signal, edns, spent, warnings, path, rtt: memory.rtt }).then(
        (heard) => {
          if (heard.udpSpoke) memory.udpWorks = true;
          if (heard.transport === "udp") memory.rtt = withSample(memory.rtt, heard.rttMs);
          else if (heard.udpSpoke) rememberTcp(memory.overTcp, subject, clock.now());
          if (path === "udp") memory.tcpFirst = !memory.udpWorks;
          return heard;
        },
        (error: unknown) => {
          if (error instanceof ExchangeError) {
            memory.tcpFirst = false;
            memory.overTcp.delete(subject);
          }
          throw error;
        },
      );
    let heard = await go(ask.tcpOnly || prefersTcp ? "tcp" : "udp", !memory.noEdns);
    if (memory.noEdns) warnings.add("W_NO_EDNS");
    else if (refusesEdns(heard)) heard = await withoutEdns(heard, go, memory, warnings);
    observer({
      type: "log",
      level: "debug",
      text: `${ask.type} ${ask.name} at ${to.address}: ${heard.message.rcode} over ${heard.transport}`,
    });
    return {
      message: heard.message,
      transport: heard.transport,
      rttMs: heard.rttMs,
      queries: { ...spent, doh: 0 },
      nsid: nsidOf(heard.message),
      warnings: [...warnings],
    };
  };

  return shared(askServer);
}

function rememberTcp(overTcp: Map<string, number>, subject: string, now: number): void {
  for (const [other, until] of overTcp) if (until <= now) overTcp.delete(other);
  overTcp.set(subject, now + overTcpForMs);
}

const refusals = new Set(["FORMERR", "NOTIMP", "BADVERS"]);

function refusesEdns(heard: Heard): boolean {
  return refusals.has(heard.message.rcode);
}

/**
 * Once more without OPT, and once over TCP, as resolvers do with servers from before EDNS. If these complain as well, it
 * was not about EDNS, and the first answer stands.
 */
async function withoutEdns(
  first: Heard,
  go: (path: Path, edns: boolean) => Promise<Heard>,
  memory: ServerMemory,
  warnings: Set<string>,
): Promise<Heard> {
  for (const path of first.transport === "udp" ? (["udp", "tcp"] as const) : (["tcp"] as const)) {
    try {
      const plain = await go(path, false);
      if (refusesEdns(plain)) continue;
      memory.noEdns = true;
      warnings.add("W_NO_EDNS");
      return plain;
    } catch (error) {
      if (!(error instanceof ExchangeError)) throw error;
    }
  }
  return first;
}

const free = { udp: 0, tcp: 0, doh: 0 };

/** Identical questions to one server while one is under way become one; it ends when the last who asked has left. */
function shared(askServer: (ask: Ask, to: Endpoint, signal: AbortSignal) => Promise<Answer>): Exchange {
  interface Flight {
    readonly answer: Promise<Answer>;
    readonly land: (reason: Error) => void;
    waiting: number;
  }
  const flights = new Map<string, Flight>();

  const launch = (key: string, ask: Ask, to: Endpoint): Flight => {
    const stop = new AbortController();
    const answer = askServer(ask, to, stop.signal).finally(() => {
      if (flights.get(key) === flight) flights.delete(key);
    });
    const flight: Flight = { answer, land: (reason) => stop.abort(reason), waiting: 0 };
    flights.set(key, flight);
    return flight;
  };

  return async (ask, to) => {
    if (ask.signal.aborted) throw abortReason(ask.signal);
    const { signal: _, ...rest } = ask;
    const key = JSON.stringify([to.address, to.port, Object.entries(rest).sort()]);
    const joined = flights.get(key);
    const flight = joined ?? launch(key, ask, to);
    flight.waiting += 1;
    try {
      const answer = await raceAbort(flight.answer, ask.signal);
      // Whoever joins has cost nothing.
      return joined === undefined ? answer : { ...answer, queries: free };
    } catch (error) {
      if (joined === undefined || !(error instanceof ExchangeError)) throw error;
      throw new ExchangeError(error.kind, error.message, free, error.cause);
    } finally {
      flight.waiting -= 1;
      if (flight.waiting === 0) {
        if (flights.get(key) === flight) flights.delete(key);
        flight.land(new AbortedError("nobody waits for this answer any more"));
      }
    }
  };
}
