import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pickAddresses } from "./addresses.ts";
import { startBind } from "./bind.ts";
import { makeApiCertificate } from "./certificates.ts";
import type { At } from "./dig.ts";
import { feedSecondaries, type Lag, type ZoneUpdate } from "./feed.ts";
import { livingServers, serversMissing } from "./judge.ts";
import { type Algorithm, type LabKey, makeKeys } from "./keys.ts";
import { runPlannedNotify, startKnot } from "./knot.ts";
import { startMute } from "./mute.ts";
import { startNsd } from "./nsd.ts";
import { type Pebble, type PebbleOptions, startPebble } from "./pebble.ts";
import { type Plan, plan, secondariesOf, slowServer, zonesOfBind, zonesOfNsd, zonesOfPrimary } from "./plan.ts";
import type { Server, Site } from "./process.ts";
import { type Relay, startRelay } from "./relay.ts";
import { type Stub, startUnbound } from "./unbound.ts";
import { startWitness, type Witness } from "./witness.ts";
import { type LabZone, labZones, type Role, rootText, type Secondary, tldText } from "./zones.ts";

export interface LabOptions {
  /** Puts a relay with settable faults in front of both secondaries; default false. */
  readonly relays?: boolean;
  /** Chance for the faults of relays and witnesses; default Math.random. */
  readonly random?: () => number;
}

export interface Lab {
  readonly dir: string;
  /** The common port of all nameservers. */
  readonly port: number;
  readonly keys: Readonly<Record<Algorithm, LabKey>>;
  /** May be set at any time; holds for changes from then on. */
  readonly lag: Lag;
  /** What Knot took in, in order. */
  readonly updates: readonly ZoneUpdate[];
  readonly servers: Readonly<Record<"knot" | "nsd" | "bind" | "resolver", Server>>;
  readonly relays: Readonly<Record<Secondary, Relay>> | undefined;
  /** Where the world finds a nameserver. */
  publicAt(role: Role): At;
  /** The server itself, behind any relay: whom the judge asks. */
  realAt(role: Role): At;
  readonly root: At;
  readonly tld: At;
  /** A user's resolver: it caches, and its log shows what it was asked. */
  readonly resolver: At;
  /** A resolver that forgets at once and asks one server of each zone, the one that lags in tests. */
  readonly caResolver: At;
  readonly ca: Pebble;
  startCa(options?: Partial<PebbleOptions>): Promise<Pebble>;
  /** A proxy in front of `ca` (default: the lab's own) that judges each answered challenge. */
  witness(ca?: Pebble): Promise<Witness>;
  /** The last lines of every server, for a failing test. */
  transcript(lines?: number): string;
  stop(): Promise<void>;
}

/** Starts everything on loopback in a new temporary folder. `DNS01_KEEP_LAB` keeps the folder afterwards. */
export async function startLab(options: LabOptions = {}): Promise<Lab> {
  for (let attempt = 1; ; attempt++) {
    const site: Site = { dir: mkdtempSync(join(tmpdir(), "dns01-lab-")), servers: [] };
    const cleanups: (() => Promise<void> | void)[] = [];
    const stop = async () => {
      for (const cleanup of cleanups.splice(0)) await cleanup();
      await Promise.all(site.servers.map((server) => server.stop()));
      if (process.env["DNS01_KEEP_LAB"] === undefined) await rm(site.dir, { recursive: true, force: true });
    };
    try {
      return { ...(await open(site, options, cleanups)), stop };
    } catch (cause) {
      await stop();
      // Somebody may have taken the port between our look and the server's bind.
      if (attempt === 3) throw cause;
    }
  }
}

type Cleanups = (() => Promise<void> | void)[];

async function open(site: Site, options: LabOptions, cleanups: Cleanups): Promise<Omit<Lab, "stop">> {
  const map = plan(await pickAddresses(), options.relays === true);
  const random = options.random ?? Math.random;
  const keys = makeKeys();
  const servers = await startNameservers(site, map, keys);
  const mute = await startMute(map.publicAt("mute"));
  cleanups.push(mute.close);
  const relays = options.relays === true ? await startRelays(map, random, cleanups) : undefined;
  const lag: Lag = { nsd: 0, bind: 0, zones: new Map() };
  const secondaries = (apex: string) => secondariesOf(apex).map((role) => [role, map.realAt(role)] as const);
  const feed = feedSecondaries(servers.knot, lag, secondaries, (zone) => runPlannedNotify(site.dir, zone));
  cleanups.push(feed.close);
  const resolver = await startResolvers(site, map);
  const api = makeApiCertificate(site.dir);
  let cas = 0;
  const startCa = (more: Partial<PebbleOptions> = {}) =>
    startPebble(site, `pebble${cas++}`, api, { dns: map.caResolver, ...more });
  const ca = await startCa();
  const judge = (identifier: string, value: string) => serversMissing(identifier, value, map.realAt);
  return {
    ...map,
    dir: site.dir,
    keys,
    lag,
    updates: feed.updates,
    servers: { ...servers, resolver },
    relays,
    ca,
    startCa,
    async witness(of = ca) {
      const witness = await startWitness(of.directory, api, judge, random);
      cleanups.push(witness.close);
      return witness;
    },
    transcript: (lines = 20) => site.servers.map((server) => tail(server, lines)).join("\n"),
  };
}

async function startNameservers(
  site: Site,
  map: Plan,
  keys: Readonly<Record<Algorithm, LabKey>>,
): Promise<Readonly<Record<"knot" | "nsd" | "bind", Server>>> {
  const address = (role: Role) => map.publicAt(role).address;
  const [knot, nsd, bind] = await Promise.all([
    startKnot(site, map.realAt("knot"), zonesOfPrimary("knot"), keys, address),
    startNsd(site, "nsd", map.realAt("nsd"), zonesOfNsd(map)),
    startBind(site, map.port, zonesOfBind(map), keys, map.realAt("nsd")),
    startNsd(site, "root", map.root, [{ apex: ".", text: rootText(map.root.address, map.tld.address) }]),
    startNsd(site, "tld", map.tld, [{ apex: "test", text: tldText(labZones, map.tld.address, address) }]),
  ]);
  return { knot, nsd, bind };
}

async function startResolvers(site: Site, map: Plan): Promise<Server> {
  const stubs = (serversOf: (zone: LabZone) => readonly At[]): readonly Stub[] => [
    { zone: ".", servers: [map.root] },
    { zone: "test", servers: [map.tld] },
    ...labZones.map((zone) => ({ zone: zone.apex, servers: serversOf(zone) })),
  ];
  const world = stubs((zone) => livingServers(zone).map(map.realAt));
  const slow = stubs((zone) => [map.realAt(slowServer(zone))]);
  const [resolver] = await Promise.all([
    startUnbound(site, "resolver", map.resolver, world, { caching: true }),
    startUnbound(site, "ca-resolver", map.caResolver, slow, { caching: false }),
  ]);
  return resolver;
}

async function startRelays(
  map: Plan,
  random: () => number,
  cleanups: Cleanups,
): Promise<Readonly<Record<Secondary, Relay>>> {
  const [nsd, bind] = await Promise.all([
    startRelay(map.publicAt("nsd"), map.realAt("nsd"), random),
    startRelay(map.publicAt("bind"), map.realAt("bind"), random),
  ]);
  cleanups.push(nsd.close, bind.close);
  return { nsd, bind };
}

function tail(server: Server, lines: number): string {
  const text = server.log.slice(-lines).map((line) => `  ${new Date(line.at).toISOString()} ${line.text}`);
  return [`--- ${server.name}${server.ended === undefined ? "" : ` (${server.ended})`}`, ...text].join("\n");
}
