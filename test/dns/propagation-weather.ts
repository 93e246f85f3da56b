import { parseName } from "../../src/core/name.ts";
import type { Exchange } from "../../src/dns/exchange.ts";
import { gapMs } from "../../src/dns/polling.ts";
import { waitForTxt } from "../../src/dns/propagation.ts";
import { createExchange } from "../../src/dns/transport.ts";
import type { Verdict } from "../../src/dns/types.ts";
import { createRandom } from "../../src/testing/random.ts";
import { createVirtualClock } from "../fakes/virtual-clock.ts";
import { delegationTo, fixedDiscovery, says } from "../fakes/virtual-servers.ts";
import { virtualWire, type WireSent, type WireServer } from "../fakes/virtual-wire.ts";

const zone = "example.test";
const owner = "_acme-challenge.example.test";
const addresses = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];

/** The most that may go wrong on the way to the two servers that lag; each wait has its own share of it. */
export interface Weather {
  readonly drop: number;
  readonly truncate: number;
  readonly servfail: number;
  /** Share of answers that come 80 ms late. */
  readonly late: number;
  readonly rttMs: number;
  readonly tcp?: WireServer["tcp"];
}

export interface Weathered {
  readonly verdict: Verdict;
  /** When the last server had the value. */
  readonly lastMs: number;
  readonly overshootMs: number;
  /** Questions of the wait, and the datagrams and connections that they took. */
  readonly questions: number;
  readonly sent: readonly WireSent[];
  /** 4·N + 1.2·∫dt/Δ. */
  readonly budget: number;
}

/** One wait over the real transport in virtual time: a primary in order and two servers that lag behind bad paths. */
export async function waitInWeather(seed: number, most: Weather, longestLagMs = 15_000): Promise<Weathered> {
  const random = createRandom(seed);
  const clock = createVirtualClock(random);
  const share = (limit: number) => limit * random();
  let presentedAt = Number.POSITIVE_INFINITY;
  const behind = (lagMs: number, faults: Partial<WireServer>): WireServer => ({
    rttMs: most.rttMs,
    late: most.late,
    lateMs: 80,
    ...faults,
    respond: (query, now) => {
      const said = now - presentedAt >= lagMs ? says.txt(owner, ["v1", "v2"]) : says.nxdomain(zone);
      if (query.questions[0]?.type === "SOA" || said.kind !== "answer") return {};
      const { rcode, answers, authorities } = said.message;
      return { rcode, answers, authorities };
    },
  });
  const faults = (): Partial<WireServer> => ({
    drop: share(most.drop),
    truncate: share(most.truncate),
    servfail: share(most.servfail),
    ...(most.tcp === undefined ? {} : { tcp: most.tcp }),
  });
  const lags = [0, share(longestLagMs), share(longestLagMs)];
  const servers = Object.fromEntries(addresses.map((a, i) => [a, behind(lags[i] ?? 0, i === 0 ? {} : faults())]));
  const { wire, sent } = virtualWire(clock, servers, random);
  const plain = createExchange({ clock, wire });
  let questions = 0;
  const exchange: Exchange = (ask, to) => {
    questions++;
    return plain(ask, to);
  };
  const { signal } = new AbortController();
  // Discovery has met every server before the value is written.
  const met = addresses.map((address) =>
    exchange({ name: parseName(zone), type: "SOA", signal }, { address, port: 53 }),
  );
  await clock.run(Promise.allSettled(met));
  sent.length = 0;
  questions = 0;
  presentedAt = clock.now();
  const verdict = await clock.run(
    waitForTxt({
      items: [{ owner: parseName(owner), values: ["v1", "v2"] }],
      discovery: fixedDiscovery(delegationTo(zone, addresses)),
      exchange,
      mode: "authoritative",
      deadlineMs: 300_000,
      signal,
      clock,
    }),
  );
  const lastMs = Math.max(...lags);
  return {
    verdict,
    lastMs,
    overshootMs: clock.now() - presentedAt - lastMs,
    questions,
    sent: [...sent],
    budget: 4 * addresses.length + 1.2 * pollsUntil(lastMs),
  };
}

/** Questions that the law of gaps allows until then. */
function pollsUntil(untilMs: number): number {
  let sum = 0;
  for (let t = 0; t < untilMs; t++) sum += 1 / gapMs(t);
  return sum;
}

/** The goal for the mean overshoot over these waits. */
export function goalMs(waits: readonly Weathered[]): number {
  return mean(waits.map((w) => 100 + 50 * Math.sqrt(w.lastMs / 1_000)));
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(values.length, 1);
}
