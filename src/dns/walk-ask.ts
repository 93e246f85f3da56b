import { setMaxListeners } from "node:events";
import { linkSignal } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { AbortedError } from "../core/errors.ts";
import type { DomainName } from "../core/name.ts";
import { AskError, DiscoveryError, type Failure } from "./discovery-error.ts";
import type { Budget } from "./discovery-tasks.ts";
import { type Answer, type Endpoint, type Exchange, ExchangeError } from "./exchange.ts";
import type { RecordType } from "./message.ts";
import type { Nameserver } from "./types.ts";
import type { Outcome } from "./walk-outcome.ts";

/** Somebody who can be asked; `key` remembers how it went. */
export interface Peer {
  readonly key: string;
  /** For messages: "ns1.example.net (192.0.2.1)". */
  readonly label: string;
  ask(name: DomainName, type: RecordType, signal: AbortSignal): Promise<Answer>;
  /** Whether it is this server. */
  is(server: Endpoint): boolean;
  /** Told how it went. */
  note(state: ServerState): void;
}

/** `bad` is one that was silent or gave no usable answer. */
export type ServerState = "good" | "bad" | "unroutable";

export interface AskOptions<T> {
  readonly name: DomainName;
  readonly type: RecordType;
  /** Whose servers these are; for the error. */
  readonly zone?: DomainName | undefined;
  /** Reads the answer; a `failed` outcome sends the question to the next peer. */
  readonly read: (answer: Answer) => T | Extract<Outcome, { kind: "failed" }>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly budget: Budget;
  /** Milliseconds after which the next one is asked as well. */
  readonly patienceMs?: number;
  readonly rounds?: number;
  /** Most peers asked in one round. */
  readonly width?: number;
}

export interface Asked<T> {
  readonly value: T;
  readonly peer: Peer;
  /** Who failed before. */
  readonly failures: readonly Failure[];
}

type Settled<T> = { readonly peer: Peer; readonly value: T } | { readonly peer: Peer; readonly failure: Failure };

/**
 * Asks one peer after the other, in the order given, until one answers; one that keeps us waiting is joined by the
 * next instead of being waited for. Throws AskError when none does, DiscoveryError when the budget is used up, or the
 * signal's reason.
 */
export async function askAny<T extends object>(peers: readonly Peer[], options: AskOptions<T>): Promise<Asked<T>> {
  const { clock, name, type, patienceMs = 250, rounds = 2, width = 8 } = options;
  const failures: Failure[] = [];
  const running = new Map<Peer, Promise<Settled<T>>>();
  const started: Peer[] = [];
  const queue = peers.slice(0, width);
  let again: Peer[] = [];
  let round = 1;
  const link = linkSignal(options.signal);
  setMaxListeners(0, link.signal);
  try {
    for (;;) {
      const peer = queue.shift();
      if (peer !== undefined) {
        spend(options.budget, name, failures);
        const attempt = settle(peer, options, link.signal);
        // Those that lose the race end with the signal; nobody listens to them.
        attempt.catch(() => {});
        running.set(peer, attempt);
        started.push(peer);
      } else if (running.size === 0) {
        if (round >= rounds || again.length === 0) throw new AskError(`${name} ${type}`, failures, options.zone);
        round++;
        queue.push(...again);
        again = [];
        continue;
      }
      const settled = await firstOf(running, queue.length > 0 ? patienceMs : undefined, clock, link.signal);
      if (settled === undefined) continue;
      running.delete(settled.peer);
      if ("value" in settled) {
        noteLate(running.keys(), settled.peer, started);
        return { value: settled.value, peer: settled.peer, failures };
      }
      failures.push(settled.failure);
      if (settled.failure.kind === "silent" || settled.failure.kind === "broken") again.push(settled.peer);
    }
  } finally {
    link.release();
    link.abort(new AbortedError("another server answered first"));
  }
}

/** Whoever was asked before the one that answered and is still silent is asked last the next time. */
function noteLate(running: Iterable<Peer>, first: Peer, started: readonly Peer[]): void {
  for (const peer of running) if (started.indexOf(peer) < started.indexOf(first)) peer.note("bad");
}

async function settle<T extends object>(peer: Peer, options: AskOptions<T>, signal: AbortSignal): Promise<Settled<T>> {
  const { name, type } = options;
  const failed = (kind: Failure["kind"], said: string): Settled<T> => ({
    peer,
    failure: { server: peer.label, name, type, kind, said },
  });
  try {
    const value = options.read(await peer.ask(name, type, signal));
    peer.note(isFailed(value) ? "bad" : "good");
    return isFailed(value) ? failed(value.failure, value.said) : { peer, value };
  } catch (error) {
    if (!(error instanceof ExchangeError)) throw error;
    peer.note(error.kind === "unroutable" ? "unroutable" : "bad");
    return failed(error.kind, error.message);
  }
}

function isFailed(value: object): value is Extract<Outcome, { kind: "failed" }> {
  return "kind" in value && value.kind === "failed";
}

/** The first to settle; undefined when none does within `patienceMs`. */
async function firstOf<T>(
  running: ReadonlyMap<Peer, Promise<Settled<T>>>,
  patienceMs: number | undefined,
  clock: Clock,
  signal: AbortSignal,
): Promise<Settled<T> | undefined> {
  if (patienceMs === undefined) return Promise.race(running.values());
  const timer = linkSignal(signal);
  try {
    const patience = clock.sleep(patienceMs, timer.signal).then(() => undefined);
    patience.catch(() => {});
    return await Promise.race([...running.values(), patience]);
  } finally {
    timer.release();
    timer.abort(new AbortedError("answered in time"));
  }
}

function spend(budget: Budget, name: DomainName, failures: readonly Failure[]): void {
  if (budget.left <= 0) {
    throw new DiscoveryError(
      "temporary",
      `finding the nameservers takes too many questions: the next would have been about ${name}`,
      failures,
      {
        hint: "The names of the nameservers depend on too many other zones, or most servers do not answer; --nameserver names them directly.",
      },
    );
  }
  budget.left--;
}

/** How the addresses did so far, so that dead ones are asked last. Kept for the life of one discovery. */
export interface Health {
  note(key: string, state: ServerState): void;
  stateOf(key: string): ServerState | undefined;
  /** Whether IPv6 was tried and has never worked. */
  readonly ipv6Fails: boolean;
}

export function createHealth(): Health {
  const states = new Map<string, ServerState>();
  const ipv6 = new Set<ServerState>();
  return {
    note(key, state) {
      states.set(key, state);
      if (key.startsWith("[")) ipv6.add(state);
    },
    stateOf: (key) => states.get(key),
    get ipv6Fails() {
      return ipv6.size > 0 && !ipv6.has("good");
    },
  };
}

export function addressKey(server: Endpoint): string {
  return server.address.includes(":") ? `[${server.address}]:${server.port}` : `${server.address}:${server.port}`;
}

/** "ns1.example.net (192.0.2.1)", or the address alone; the port where it is not 53. */
export function labelOf(server: Nameserver): string {
  const address = server.port === 53 ? server.address : addressKey(server);
  return server.name === server.address ? address : `${server.name} (${address})`;
}

/**
 * Authoritative servers as peers: RD=0, those that answered before first, otherwise in random order, in which the address
 * families take turns: not all are asked, and those that are must not happen to be of the family without a route.
 */
export function serverPeers(
  servers: readonly Nameserver[],
  exchange: Exchange,
  health: Health,
  random: () => number,
): readonly Peer[] {
  const turns = { IPv4: 0, IPv6: 0 };
  return servers
    .map((server) => ({ server, rank: rankOf(server, health), luck: random() }))
    .sort((a, b) => a.rank - b.rank || a.luck - b.luck)
    .map((candidate) => ({ ...candidate, turn: turns[candidate.server.address.includes(":") ? "IPv6" : "IPv4"]++ }))
    .sort((a, b) => a.rank - b.rank || a.turn - b.turn)
    .map(({ server }) => ({
      key: addressKey(server),
      label: labelOf(server),
      ask: (name, type, signal) => exchange({ name, type, recursionDesired: false, nsid: false, signal }, server),
      is: (other) => addressKey(other) === addressKey(server),
      note: (state) => health.note(addressKey(server), state),
    }));
}

/** Those that answered, those not tried, those of a family that fails, those that failed. */
function rankOf(server: Nameserver, health: Health): number {
  const state = health.stateOf(addressKey(server));
  if (state !== undefined) return state === "good" ? 0 : 3;
  return server.address.includes(":") && health.ipv6Fails ? 2 : 1;
}
