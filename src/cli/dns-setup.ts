import { systemClock } from "../core/clock.ts";
import type { ConfigIssue } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import type { DomainName } from "../core/name.ts";
import { placeChallenge } from "../dns/alias.ts";
import { createDiscovery } from "../dns/discovery.ts";
import type { Endpoint } from "../dns/exchange.ts";
import { createExchange } from "../dns/transport.ts";
import type { DnsDeps, PropagationMode } from "../issuer/request.ts";
import type { Flags } from "./args.ts";
import { readServers } from "./endpoints.ts";

/** The DNS flags, read and checked. */
export interface DnsSettings {
  readonly resolvers: readonly (Endpoint | URL)[];
  readonly servers: readonly Endpoint[];
  readonly mode: "walk" | "resolver" | "fixed";
  readonly port: number;
  readonly propagation: { readonly mode: PropagationMode; readonly timeoutMs: number };
}

export function readDnsSettings(flags: Flags): { readonly settings: DnsSettings; readonly issues: readonly ConfigIssue[] } {
  const port = flags.integer("dns-port") ?? 53;
  const resolvers = readServers(flags.list("resolver"), flags.source("resolver") ?? "--resolver", { doh: true, port: 53 });
  const fixed = readServers(flags.list("nameserver"), flags.source("nameserver") ?? "--nameserver", { doh: false, port });
  const issues = [...resolvers.issues, ...fixed.issues];
  if (port < 1 || port > 65_535) issues.push({ path: flags.source("dns-port") ?? "--dns-port", message: `${port} is no port` });
  const discovery = flags.text("discovery");
  if (discovery === "resolver" && resolvers.servers.length === 0) {
    issues.push({ path: flags.source("discovery") ?? "--discovery", message: "resolver needs --resolver ADDR[:PORT]" });
  }
  const named = discovery === "walk" || discovery === "resolver" ? discovery : undefined;
  const mode = fixed.servers.length > 0 ? "fixed" : (named ?? (resolvers.servers.length > 0 ? "resolver" : "walk"));
  return {
    issues,
    settings: {
      resolvers: resolvers.servers,
      servers: fixed.servers.filter((s): s is Endpoint => !(s instanceof URL)),
      mode,
      port,
      propagation: {
        mode: (flags.text("propagation") ?? "authoritative") as PropagationMode,
        timeoutMs: flags.duration("propagation-timeout") ?? 300_000,
      },
    },
  };
}

/** The network side of the issuer. */
export async function openDns(settings: DnsSettings, observer: Observer): Promise<DnsDeps & { readonly close: () => void }> {
  const clock = systemClock;
  const exchange = createExchange({ clock });
  const doh = settings.resolvers.some((r) => r instanceof URL) ? await import("../dns/doh.ts") : undefined;
  const dohExchange = doh === undefined ? undefined : (url: URL) => doh.createDohExchange({ url, clock });
  const discovery = createDiscovery({
    mode: settings.mode,
    exchange,
    resolvers: settings.resolvers,
    servers: settings.servers.map((s) => ({ ...s, name: s.address as DomainName })),
    port: settings.port,
    dohExchange,
    clock,
    observer,
  });
  return {
    discovery,
    exchange,
    resolvers: settings.resolvers,
    dohExchange,
    place: (fqdn, signal) => placeChallenge(fqdn, { discovery, exchange, clock, observer, signal }),
    close: () => {},
  };
}
