import { isIP } from "node:net";
import type { ConfigIssue } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import type { Endpoint } from "../dns/exchange.ts";
import { parseServer } from "../dns/server-address.ts";
import type { PropagationMode } from "../issuer/request.ts";

/** How nameservers are found and asked. */
export interface NetworkOptions {
  /**
   * Where nameservers are found: "192.0.2.1", "192.0.2.1:5353", "https://host/dns-query", or the same taken apart.
   * Without one they are found by a walk from the root.
   */
  readonly resolvers?: readonly (string | Endpoint | URL)[];
  /** Port of the authoritative servers; for labs. */
  readonly dnsPort?: number;
  readonly propagation?: PropagationMode;
  /** Milliseconds; default five minutes. */
  readonly propagationTimeoutMs?: number;
}

const modes = ["authoritative", "recursive", "both", "none"] as const satisfies readonly PropagationMode[];
const timeoutFault = "has to be a number of milliseconds above 0";

/** Checked at run time too: a program in JavaScript has no types, and a wrong value would fail in the midst of an order. */
export function readNetwork(options: NetworkOptions, issues: ConfigIssue[]) {
  const { resolvers = [], dnsPort: port = 53, propagation: mode = "authoritative" } = options;
  const { propagationTimeoutMs: timeoutMs = 300_000 } = options;
  if (!isPort(port)) issues.push({ path: "dnsPort", message: `${String(port)} is no port` });
  if (!modes.includes(mode)) {
    const near = nearest(String(mode), modes);
    const hint = near === undefined ? `one of ${modes.join(", ")}` : `did you mean "${near}"?`;
    issues.push({ path: "propagation", message: `"${String(mode)}" is not known; ${hint}` });
  }
  if (typeof timeoutMs !== "number" || !(timeoutMs > 0)) {
    issues.push({ path: "propagationTimeoutMs", message: timeoutFault });
  }
  return { resolvers: readResolvers(resolvers, issues), port, propagation: { mode, timeoutMs } };
}

function readResolvers(given: unknown, issues: ConfigIssue[]): readonly (Endpoint | URL)[] {
  if (!Array.isArray(given)) {
    issues.push({ path: "resolvers", message: "has to be a list" });
    return [];
  }
  const found: (Endpoint | URL)[] = [];
  for (const [index, entry] of (given as readonly unknown[]).entries()) {
    const resolver = readResolver(entry);
    if (resolver !== undefined) found.push(resolver);
    else {
      const said = typeof entry === "string" ? `"${entry}" is` : "is";
      const message = `${said} no address; write "192.0.2.1", "192.0.2.1:5353", "[2001:db8::1]:53" or "https://host/dns-query"`;
      issues.push({ path: `resolvers[${index}]`, message });
    }
  }
  return found;
}

function readResolver(entry: unknown): Endpoint | URL | undefined {
  if (entry instanceof URL) return entry;
  if (typeof entry === "string") {
    if (/^https?:\/\//.test(entry)) return URL.canParse(entry) ? new URL(entry) : undefined;
    const server = parseServer(entry);
    return server === undefined || isIP(server.host) === 0 ? undefined : { address: server.host, port: server.port };
  }
  if (typeof entry !== "object" || entry === null || !("address" in entry) || !("port" in entry)) return undefined;
  const { address, port } = entry;
  return typeof address === "string" && isIP(address) !== 0 && isPort(port) ? { address, port } : undefined;
}

function isPort(port: unknown): port is number {
  return typeof port === "number" && Number.isInteger(port) && port > 0 && port < 65_536;
}
