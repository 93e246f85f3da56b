import type { Dns01Event } from "../../src/core/events.ts";
import { parseName } from "../../src/core/name.ts";
import { type WaitRequest, waitForTxt } from "../../src/dns/propagation.ts";
import type { Verdict } from "../../src/dns/types.ts";
import { createRandom } from "../../src/testing/random.ts";
import { createVirtualClock } from "../fakes/virtual-clock.ts";
import { delegationTo, fixedDiscovery, type Respond, says, virtualExchange } from "../fakes/virtual-servers.ts";

export const zone = "example.test";
export const owner = `_acme-challenge.${zone}`;

/** Has no record until `at` milliseconds, then the values, and a new serial. */
export function from(at: number, values: readonly string[] = ["v1"], name = owner): Respond {
  return (ask, now) => {
    if (ask.type === "SOA") return says.soa(zone, { serial: now >= at ? 2 : 1 });
    return now >= at && ask.name === name ? says.txt(name, values) : says.nxdomain(zone, { serial: 1 });
  };
}

/** As `first` until `at`, as `then` from there on. */
export function until(at: number, first: Respond, then: Respond): Respond {
  return (ask, now) => (now < at ? first : then)(ask, now);
}

export const never = Number.POSITIVE_INFINITY;
export const mute: Respond = () => says.silence;
export const unroutable: Respond = () => ({ kind: "unroutable" });

export interface LabOptions extends Partial<WaitRequest> {
  /** "name/address" of the delegated servers; by default ns1, ns2 … for each given address. */
  readonly names?: readonly string[];
  readonly rttMs?: number;
  readonly seed?: number;
}

/** One wait in virtual time over scripted servers. Keys are addresses. */
export function lab(servers: Readonly<Record<string, Respond>>, options: LabOptions = {}) {
  const { names, rttMs, seed, ...rest } = options;
  const clock = createVirtualClock(createRandom(seed ?? 1));
  const { exchange, asked } = virtualExchange(clock, servers, rttMs === undefined ? {} : { rttMs });
  const delegation = delegationTo(zone, names ?? Object.keys(servers));
  const events: Dns01Event[] = [];
  const abort = new AbortController();
  const request: WaitRequest = {
    items: [{ owner: parseName(owner), values: ["v1"] }],
    discovery: fixedDiscovery(delegation),
    exchange,
    mode: "authoritative",
    deadlineMs: 60_000,
    signal: abort.signal,
    clock,
    observer: (e) => events.push(e),
    ...rest,
  };
  const run = (): Promise<Verdict> => clock.run(waitForTxt(request));
  return { clock, asked, events, abort, request, run };
}

/** The verdict on one address. */
export function serverOf(verdict: Verdict, address: string) {
  const found = verdict.servers.find((s) => s.address === address);
  if (found === undefined) throw new Error(`${address} is not in the verdict`);
  return found;
}

export function codesOf(verdict: Verdict): readonly string[] {
  return verdict.warnings.map((w) => w.code);
}
