import type { DomainName } from "../core/name.ts";
import type { Endpoint } from "../dns/exchange.ts";
import type { Message } from "../dns/message.ts";
import type { TsigKey } from "../dns/tsig-key.ts";
import { isCode, type Listener, listenTogether, type MessageHandler } from "./dns-listener.ts";
import type { RequestLog } from "./log.ts";
import { makeNameserver } from "./nameserver.ts";
import type { Random } from "./random.ts";
import { type ResolverServer, resolve } from "./resolver.ts";
import type { Weather } from "./weather.ts";
import type { Zone } from "./zone.ts";
import { makeZoneEditor, type ZoneEditor } from "./zone-editor.ts";
import { makeZoneStore } from "./zone-store.ts";
import { type Host, hostedZones, parentName, parentZones, primaryName, secondaryName } from "./zones.ts";

export interface NameserversOptions {
  readonly zones: readonly string[];
  readonly lagMs: number;
  readonly key: TsigKey;
  readonly random: Random;
  readonly weather: Weather;
  readonly log: RequestLog;
}

export interface Nameservers {
  /** Of the two nameservers. */
  readonly port: number;
  readonly servers: readonly (Endpoint & { readonly name: DomainName })[];
  /** Where a walk from the root begins; on `port` if that address could be had. */
  readonly root: Endpoint;
  /** The same if it is on `port`. */
  readonly publicRoot: Endpoint | undefined;
  readonly resolverPort: number;
  readonly editor: ZoneEditor;
  close(): Promise<void>;
}

const primaryAddress = "127.0.0.1";
/** macOS gives the loopback interface 127.0.0.1 and ::1 only. */
const secondaryAddresses = ["127.0.0.2", "::1"];
const parentAddresses = ["127.0.0.3", primaryAddress];

const clearSky: Weather = { strikes: () => false, set: () => {} };

/** Two nameservers on one port of two addresses, a parent for the zones above, and a resolver over all three. */
export async function startNameservers(options: NameserversOptions): Promise<Nameservers> {
  // Handlers need zones, zones need addresses, addresses come from binding: bound first, filled in before use.
  const handlers: MessageHandler[] = [];
  const late =
    (index: number): MessageHandler =>
    (octets, transport) =>
      handlers[index]?.(octets, transport);
  const opened = await listen(late);
  const [first, second, above, recursive] = opened;
  const primary: Host = { name: primaryName, address: first.address };
  const secondary: Host = { name: secondaryName, address: second.address };
  const parent: Host = { name: parentName, address: above.address };
  const hosted = hostedZones(options.zones, primary, secondary);
  let lagMs = options.lagMs;
  const store = makeZoneStore(
    hosted,
    () => lagMs,
    () => performance.now(),
  );
  const parents = new Map<DomainName, Zone>(parentZones(hosted, primary, secondary, parent).map((z) => [z.apex, z]));
  const views = [() => store.view(0), () => store.view(lagMs), () => parents] as const;
  const common = { keys: [options.key], log: options.log, nowSeconds: () => Math.floor(Date.now() / 1000) };
  const servers: readonly ResolverServer[] = [
    { address: primary.address, zones: views[0] },
    { address: secondary.address, zones: views[1] },
  ];
  const root: ResolverServer = { address: parent.address, zones: views[2] };
  const recurse = (message: Message) => {
    const [question] = message.questions;
    if (question === undefined) throw new TypeError("a query without a question");
    return resolve(question, root, servers, options.random);
  };
  const { weather } = options;
  handlers.push(
    makeNameserver({ ...common, ...primary, zones: views[0], commit: store.commit, weather }),
    makeNameserver({ ...common, ...secondary, zones: views[1], weather }),
    makeNameserver({ ...common, ...parent, zones: views[2], weather: clearSky }),
    makeNameserver({
      ...common,
      name: "resolver" as DomainName,
      address: recursive.address,
      zones: views[2],
      weather: clearSky,
      recurse,
    }),
  );
  const lag = {
    get: () => lagMs,
    set(ms: number) {
      lagMs = ms;
    },
  };
  return {
    port: first.port,
    servers: [primary, secondary].map((host) => ({ ...host, port: first.port })),
    root: { address: above.address, port: above.port },
    publicRoot: above.port === first.port ? { address: above.address, port: above.port } : undefined,
    resolverPort: recursive.port,
    editor: makeZoneEditor(store, lag),
    close: async () => void (await Promise.all(opened.map((l) => l.close()))),
  };
}

type Four = readonly [Listener, Listener, Listener, Listener];

async function listen(late: (index: number) => MessageHandler): Promise<Four> {
  const opened: Listener[] = [];
  try {
    const [secondaryAddress, parentAddress] = await availableAddresses();
    const together = [primaryAddress, secondaryAddress, ...(parentAddress === primaryAddress ? [] : [parentAddress])];
    opened.push(...(await listenTogether(together.map((address, i) => ({ address, handler: late(i) })))));
    if (opened.length === 2) opened.push(...(await listenTogether([{ address: parentAddress, handler: late(2) }])));
    opened.push(...(await listenTogether([{ address: primaryAddress, handler: late(3) }])));
    const [first, second, third, fourth] = opened;
    if (!first || !second || !third || !fourth) throw new Error("not every server could be started");
    return [first, second, third, fourth];
  } catch (error) {
    await Promise.all(opened.map((l) => l.close()));
    throw error;
  }
}

async function availableAddresses(): Promise<readonly [string, string]> {
  const has = async (address: string) => {
    try {
      const listeners = await listenTogether([{ address, handler: () => undefined }]);
      await Promise.all(listeners.map((l) => l.close()));
      return true;
    } catch (error) {
      if (isCode(error, "EADDRNOTAVAIL") || isCode(error, "EAFNOSUPPORT") || isCode(error, "EINVAL")) return false;
      throw error;
    }
  };
  const first = async (addresses: readonly string[]) => {
    for (const address of addresses) if (await has(address)) return address;
    throw new Error(`this machine has none of the loopback addresses ${addresses.join(", ")}`);
  };
  return Promise.all([first(secondaryAddresses), first(parentAddresses)]);
}
