import { randomBytes } from "node:crypto";
import { systemClock } from "../core/clock.ts";
import type { Observer } from "../core/events.ts";
import { type DomainName, parseName } from "../core/name.ts";
import type { Provider, TxtBackend, Zone } from "../core/provider.ts";
import { createRateLimit } from "../core/rate.ts";
import { thrownText } from "../core/thrown.ts";
import { withTimeLimit } from "../core/time-limit.ts";
import { type Endpoint, ExchangeError } from "../dns/exchange.ts";
import { txtValue } from "../dns/txt.ts";
import type { DnsDeps } from "../issuer/request.ts";
import { type Case, cases, type Service, type Subject } from "../testing/index.ts";
import { moveBackend, moveName, ownerAt, type Written } from "./live-names.ts";

export interface LiveZoneOptions {
  readonly provider: Provider;
  /** The zone that is written to, below a name of its own. */
  readonly apex: DomainName;
  /** One more connection; "raw": without the guard, which the suite puts around it itself. */
  connect(signal: AbortSignal, raw?: "raw"): Promise<TxtBackend>;
  readonly dns: Pick<DnsDeps, "discovery" | "exchange">;
  /** How long the nameservers may take to show a change, in milliseconds. */
  readonly timeoutMs: number;
  readonly writers: number | undefined;
  readonly skip: Readonly<Record<string, string>> | undefined;
  readonly observer: Observer;
  readonly signal: AbortSignal;
}

export interface LiveZone {
  readonly subject: Subject;
  /** Takes out what is still there; to be called however the suite ended. */
  close(): Promise<void>;
}

const longestPauseMs = 2000;
const cleanUpMs = 120_000;
const landingMs = 10_000;

/**
 * A real zone as a service of the suite. What it serves is read from its nameservers, which may be late: they are asked
 * until each of them shows what has been written, or the time is over.
 */
export async function openLiveZone(options: LiveZoneOptions): Promise<LiveZone> {
  const { provider, apex, dns, signal } = options;
  const run = randomBytes(3).toString("hex");
  const limit = createRateLimit(systemClock, provider.traits.rate);
  const open = new Set<() => Promise<void>>();
  const { servers } = await dns.discovery.delegationOf(apex, signal);
  let started = 0;

  const start = async (): Promise<Service> => {
    const below = parseName(`dns01-test-${run}-${++started}.${apex}`);
    const written = new Map<DomainName, Written>();
    const writtenAt = (owner: DomainName): Written => {
      const entry = written.get(owner) ?? { owner, standing: new Set(), ever: new Set() };
      written.set(owner, entry);
      return entry;
    };
    const writes = new Set<Promise<unknown>>();
    const moved = (backend: TxtBackend) =>
      moveBackend(backend, { below, apex, limit, writtenAt, writes, stop: signal });
    const tidy = async () => {
      // After Ctrl-C a write may still be on its way, and would land behind the clean-up.
      if (writes.size > 0) await landed(writes);
      await cleanUp([...written.values()], options);
      open.delete(tidy);
    };
    open.add(tidy);
    return {
      connect: async (ends) => moved(await options.connect(ends, "raw")),
      values: (_apex, fqdn) => shown(writtenAt(moveName(fqdn, below)), servers, options),
      async put(_apex, fqdn, values, ttlSeconds) {
        const owner = ownerAt(apex, moveName(fqdn, below), await zoneOf(options));
        const { ever, standing } = writtenAt(owner.fqdn);
        for (const value of values) ever.add(value);
        const backend = await options.connect(signal);
        const write = backend.apply(owner.zone, [{ owner, add: values, remove: [] }], { signal, ttlSeconds });
        writes.add(write);
        await write.finally(() => writes.delete(write));
        for (const value of values) standing.add(value);
      },
      stop: tidy,
    };
  };

  return {
    subject: {
      provider,
      start,
      skip: { ...unsuitable(), ...options.skip },
      ...(options.writers === undefined ? {} : { writers: options.writers }),
      timeoutMs: 120_000,
      requestTimeoutMs: 30_000,
    },
    async close() {
      for (const tidy of [...open]) {
        await tidy().catch((error: unknown) =>
          options.observer({ type: "warning", code: "W_LEFTOVER", text: thrownText(error) }),
        );
      }
    },
  };
}

/** Rules that a real zone cannot be asked for. */
function unsuitable(): Readonly<Record<string, string>> {
  const reasonFor = ({ id, zones, needs = [] }: Case): string | undefined => {
    if (zones !== undefined) return "needs zones of its own";
    if (needs.length > 0) return "a real service cannot be made to do that";
    return id.startsWith("paging.") ? "would fill the zone with many records" : undefined;
  };
  const reasons = cases.map((rule) => [rule.id, reasonFor(rule)] as const);
  return Object.fromEntries(reasons.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

async function zoneOf({ connect, apex, provider, signal }: LiveZoneOptions): Promise<Zone> {
  const zone = await (await connect(signal)).findZone(apex, { signal, ttlSeconds: provider.traits.ttlSeconds.default });
  if (zone === undefined) throw new Error(`${provider.id}: this account does not hold the zone ${apex}`);
  return zone;
}

/** What the nameservers show once all of them show what is expected; else what one of them shows at the end. */
async function shown(
  { owner, standing }: Written,
  servers: readonly Endpoint[],
  { dns, timeoutMs, signal }: LiveZoneOptions,
): Promise<readonly string[]> {
  const until = systemClock.now() + timeoutMs;
  const expected = [...standing].sort().join("\n");
  for (let pauseMs = 100; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    let different: readonly string[] | undefined;
    for (const server of servers) {
      const values = await served(owner, server, dns, signal);
      if (values.toSorted().join("\n") !== expected) different ??= values;
    }
    if (different === undefined) return [...standing];
    if (systemClock.now() >= until) return different;
    await systemClock.sleep(pauseMs, signal);
  }
}

/** Resolves when all of these have ended, or have had their time to. */
async function landed(writes: ReadonlySet<Promise<unknown>>): Promise<void> {
  const late = () => new Error("still under way");
  const limit = { timeoutMs: landingMs, late, signal: new AbortController().signal, clock: systemClock };
  await withTimeLimit(() => Promise.allSettled([...writes]), limit).catch(() => {});
}

/** What one server answers; in words, which no value is, if it does not. */
async function served(
  name: DomainName,
  server: Endpoint,
  { exchange }: LiveZoneOptions["dns"],
  signal: AbortSignal,
): Promise<readonly string[]> {
  try {
    const { message } = await exchange({ name, type: "TXT", signal }, server);
    const { rcode, answers } = message;
    if (rcode !== "NOERROR" && rcode !== "NXDOMAIN") return [`(${server.address} answers ${rcode})`];
    return answers.flatMap((record) => (record.name === name ? (txtValue(record) ?? []) : []));
  } catch (error) {
    if (!(error instanceof ExchangeError)) throw error;
    return [`(no answer from ${server.address}: ${error.message})`];
  }
}

/** Not under the signal of the suite: what was written is taken out also after Ctrl-C. */
async function cleanUp(written: readonly Written[], options: LiveZoneOptions): Promise<void> {
  const used = written.filter(({ ever }) => ever.size > 0);
  if (used.length === 0) return;
  const signal = AbortSignal.timeout(cleanUpMs);
  const zone = await zoneOf({ ...options, signal });
  const edits = used.map(({ owner, ever }) => ({
    owner: ownerAt(options.apex, owner, zone),
    add: [],
    remove: [...ever],
  }));
  const { default: ttlSeconds } = options.provider.traits.ttlSeconds;
  const backend = await options.connect(signal);
  try {
    await backend.apply(zone, edits, { signal, ttlSeconds });
  } catch (error) {
    const names = used.map(({ owner }) => owner).join(", ");
    throw new Error(`values may be left at ${names}: ${thrownText(error)}`, { cause: error });
  }
}
