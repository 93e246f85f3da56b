import { type Clock, systemClock } from "../core/clock.ts";
import { ConfigError } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import type { DomainName } from "../core/name.ts";
import { placeChallenge } from "../dns/alias.ts";
import { createDiscovery } from "../dns/discovery.ts";
import type { Endpoint, Exchange } from "../dns/exchange.ts";
import { systemResolvers } from "../dns/resolver.ts";
import { createExchange } from "../dns/transport.ts";
import { createCaMemory } from "./ca-memory.ts";
import type { DnsDeps, HintStore, PropagationMode } from "./request.ts";
import { loadPublicSuffixes } from "./suffixes.ts";

/** How nameservers are found and asked; what the DNS flags say. */
export interface DnsSettings {
  readonly resolvers: readonly (Endpoint | URL)[];
  readonly servers: readonly Endpoint[];
  readonly mode: "walk" | "resolver" | "fixed";
  /** Port of the authoritative servers found. */
  readonly port: number;
  readonly propagation: { readonly mode: PropagationMode; readonly timeoutMs: number };
}

/** The network side of the issuer. */
export async function openDns(
  settings: DnsSettings,
  observer: Observer,
  hints?: HintStore,
  clock: Clock = systemClock,
): Promise<DnsDeps> {
  const exchange = createExchange({ clock });
  const doh = settings.resolvers.some((r) => r instanceof URL) ? await import("../dns/doh.ts") : undefined;
  // One for each address: its questions share a connection.
  const made = new Map<string, Exchange>();
  const dohExchange =
    doh &&
    ((url: URL) => {
      const known = made.get(url.href) ?? doh.createDohExchange({ url, clock });
      made.set(url.href, known);
      return known;
    });
  const discovery = createDiscovery({
    mode: settings.mode,
    exchange,
    resolvers: settings.resolvers,
    servers: settings.servers.map((s) => ({ ...s, name: s.address as DomainName })),
    port: settings.port,
    dohExchange,
    // A walk that is told nothing better must not end at "co.uk".
    ...(settings.mode === "fixed" ? {} : { isPublicSuffix: await loadPublicSuffixes() }),
    clock,
    observer,
  });
  return {
    discovery,
    exchange,
    resolvers: asked(settings),
    dohExchange,
    hints,
    caMemory: createCaMemory(clock),
    place: (fqdn, signal) => placeChallenge(fqdn, { discovery, exchange, clock, observer, signal }),
  };
}

/** Whose view is awaited besides the nameservers': the resolvers that were named, else the machine's own. */
function asked({ resolvers, propagation }: DnsSettings): readonly (Endpoint | URL)[] {
  if (resolvers.length > 0 || (propagation.mode !== "recursive" && propagation.mode !== "both")) return resolvers;
  const own = systemResolvers();
  if (own.length > 0) return own;
  const message = `${propagation.mode} needs a resolver, and this machine has none; give --resolver`;
  throw new ConfigError([{ path: "--propagation", message }]);
}
