import { createExchange } from "../dns/transport.ts";
import { profilesOf } from "./behaviours.ts";
import { makeTxtCache } from "./ca-cache.ts";
import { makeCounts } from "./ca-limits.ts";
import type { Network } from "./ca-lookup.ts";
import { makePki } from "./ca-pki.ts";
import { issuerDomain } from "./ca-routes.ts";
import { type Script, serveCa } from "./ca-server.ts";
import type { CaBehaviour, CaState } from "./ca-state.ts";
import { makeValidate } from "./ca-validation.ts";
import type { RequestLog } from "./log.ts";
import type { Random } from "./random.ts";
import type { Weather } from "./weather.ts";

export interface CaOptions {
  readonly behaviour: CaBehaviour;
  readonly random: Random;
  readonly weather: Weather;
  readonly log: RequestLog;
  /** Where validation starts; asked when it is needed, so that nameservers and CA can start side by side. */
  readonly network: () => Omit<Network, "exchange">;
  readonly script?: Script | undefined;
  readonly now: () => Date;
}

export interface Ca {
  readonly directoryUrl: string;
  readonly rootPem: string;
  readonly alternateRootPem: string;
  /** For tests: everything the CA remembers. */
  readonly state: CaState;
  close(): Promise<void>;
}

/** An ACME CA with keys and certificates of its own, in memory only. */
export async function startCa(options: CaOptions): Promise<Ca> {
  const { behaviour, random, weather, log, now } = options;
  const stop = new AbortController();
  const timers = new Set<NodeJS.Timeout>();
  const running = new Set<Promise<void>>();
  // The CA's resolvers are many machines; the politeness of one process does not hold them.
  const exchange = createExchange({ rate: { perSecond: 10_000, burst: 10_000 } });
  const pki = await makePki(now(), random);
  const cached = makeTxtCache(now);
  let origin = "";
  const state: CaState = {
    behaviour,
    profiles: profilesOf(behaviour),
    outage: undefined,
    counts: makeCounts(now),
    pki,
    random,
    weather,
    log,
    validate: makeValidate(
      () => ({ ...options.network(), exchange }),
      issuerDomain,
      (lookup, owner) =>
        state.behaviour.cachingResolver === true ? cached(lookup, owner) : lookup.everywhere(owner, "TXT"),
    ),
    accounts: new Map(),
    orders: new Map(),
    authorizations: new Map(),
    challenges: new Map(),
    certificates: new Map(),
    termsVersion: 1,
    now,
    origin: () => origin,
    later(delayMs, work) {
      if (stop.signal.aborted) return;
      const timer = setTimeout(() => {
        timers.delete(timer);
        const done = work(stop.signal)
          .catch((error: unknown) => {
            if (!stop.signal.aborted) throw error;
          })
          .finally(() => running.delete(done));
        running.add(done);
      }, delayMs);
      timers.add(timer);
    },
  };
  const server = await serveCa(() => state, pki.tls, options.script);
  origin = server.origin;
  return {
    directoryUrl: `${origin}/directory`,
    rootPem: pki.rootPem,
    alternateRootPem: pki.alternateRootPem,
    state,
    async close() {
      stop.abort();
      for (const timer of timers) clearTimeout(timer);
      await Promise.all([server.close(), ...running]);
    },
  };
}
