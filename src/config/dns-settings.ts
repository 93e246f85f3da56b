import type { ConfigIssue } from "../core/errors.ts";
import type { Endpoint } from "../dns/exchange.ts";
import type { DnsSettings } from "../issuer/network.ts";
import type { PropagationMode } from "../issuer/request.ts";
import { readServers } from "./endpoints.ts";
import type { Settings } from "./settings.ts";

/** How nameservers are found and asked, read and checked without any call. */
export function readDnsSettings(flags: Settings): {
  readonly settings: DnsSettings;
  readonly issues: readonly ConfigIssue[];
} {
  const port = flags.integer("dns-port") ?? 53;
  const resolvers = readServers(flags.list("resolver"), flags.source("resolver") ?? "--resolver", {
    doh: true,
    port: 53,
  });
  const fixed = readServers(flags.list("nameserver"), flags.source("nameserver") ?? "--nameserver", {
    doh: false,
    port,
  });
  const issues = [...resolvers.issues, ...fixed.issues];
  if (port < 1 || port > 65_535)
    issues.push({ path: flags.source("dns-port") ?? "--dns-port", message: `${port} is no port` });
  const timeoutMs = flags.duration("propagation-timeout") ?? 300_000;
  if (timeoutMs === 0) {
    const path = flags.source("propagation-timeout") ?? "--propagation-timeout";
    issues.push({ path, message: "leaves no time to ask anybody; --propagation none asks nobody" });
  }
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
        timeoutMs,
      },
    },
  };
}
