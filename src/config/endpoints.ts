import { isIP } from "node:net";
import type { ConfigIssue } from "../core/errors.ts";
import type { Endpoint } from "../dns/exchange.ts";

/** "192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:5353"; undefined when it is none of them. */
export function parseEndpoint(text: string, defaultPort: number): Endpoint | undefined {
  if (isIP(text) !== 0) return { address: text, port: defaultPort };
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text);
  const address = match?.[1] ?? match?.[2] ?? "";
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  return isIP(address) !== 0 && port > 0 && port < 65_536 ? { address, port } : undefined;
}

/** Addresses of servers, or DoH addresses where those are allowed. */
export function readServers(
  given: readonly string[],
  path: string,
  options: { readonly doh: boolean; readonly port: number },
): { readonly servers: readonly (Endpoint | URL)[]; readonly issues: readonly ConfigIssue[] } {
  const servers: (Endpoint | URL)[] = [];
  const issues: ConfigIssue[] = [];
  for (const text of given) {
    const url = options.doh && /^https?:\/\//.test(text) && URL.canParse(text) ? new URL(text) : undefined;
    const server = url ?? parseEndpoint(text, options.port);
    if (server !== undefined) servers.push(server);
    else {
      const forms = options.doh
        ? "192.0.2.1, 192.0.2.1:5353, [2001:db8::1]:53 or https://host/dns-query"
        : "192.0.2.1 or 192.0.2.1:5353";
      issues.push({ path, message: `"${text}" is no address; write ${forms}` });
    }
  }
  return { servers, issues };
}
