import { ConfigError, type ConfigIssue } from "../../core/errors.ts";
import type { Field } from "../../core/schema.ts";
import { parseServer } from "../../dns/server-address.ts";

/** A host that the operator lets Issuers name; without a port, at any port. */
export interface AllowedEndpoint {
  readonly host: string;
  readonly port: number | undefined;
}

/** Whom an Issuer may have credentials sent to, besides the services' own hosts. */
export interface EndpointRules {
  readonly allowed: readonly AllowedEndpoint[];
  /** A nameserver for dynamic updates may be any: TSIG proves knowledge of its secret without telling it. Default true. */
  readonly anyNameserver?: boolean | undefined;
}

/** Reads values of --allowed-endpoint: HOST or HOST:PORT, IPv6 in brackets. Throws ConfigError with every fault. */
export function parseAllowedEndpoints(
  texts: readonly string[],
  path = "--allowed-endpoint",
): readonly AllowedEndpoint[] {
  const issues: ConfigIssue[] = [];
  const allowed: AllowedEndpoint[] = [];
  for (const text of texts) {
    const server = parseServer(text, 1);
    if (server === undefined) {
      const url = /^[a-z]+:\/\//i.test(text) ? ": it is a URL; give the host alone" : "";
      issues.push({ path, message: `"${text}" is neither HOST nor HOST:PORT${url}` });
    } else {
      const hasPort = parseServer(text, 2)?.port === server.port;
      allowed.push({ host: plainHost(server.host), port: hasPort ? server.port : undefined });
    }
  }
  if (issues.length > 0) throw new ConfigError(issues);
  return allowed;
}

/** Why credentials may not be sent where this field says; `undefined` when they may. */
export function endpointFault(field: Field, value: unknown, rules: EndpointRules): string | undefined {
  if (field.endpoint === undefined || typeof value !== "string") return undefined;
  if (field.endpoint.kind === "nameserver") {
    const server = parseServer(value);
    if (rules.anyNameserver !== false || server === undefined || isAllowed(server.host, server.port, rules))
      return undefined;
    return notAllowed(server.host);
  }
  if (!URL.canParse(value)) return undefined;
  const url = new URL(value);
  if (url.hostname === "") return "is no http:// or https:// URL";
  if (url.username !== "" || url.password !== "")
    return "has a login in it, which everybody who reads the Issuer can see";
  if (isAllowed(url.hostname, portOf(url), rules)) return undefined;
  if (isOwn(url, field, field.endpoint.hosts)) return undefined;
  return notAllowed(url.hostname);
}

function notAllowed(host: string): string {
  const named = plainHost(host);
  // As --allowed-endpoint wants it.
  const written = named.includes(":") ? `[${named}]` : named;
  return `credentials may not be sent to ${written}: whoever runs dns01 has to allow it with --allowed-endpoint`;
}

function isAllowed(host: string, port: number, { allowed }: EndpointRules): boolean {
  return allowed.some((entry) => entry.host === plainHost(host) && (entry.port === undefined || entry.port === port));
}

/** One of the service's own addresses: by TLS, at its usual port. */
function isOwn(url: URL, field: Field, hosts: readonly string[]): boolean {
  if (url.protocol !== "https:" || url.port !== "") return false;
  const usual =
    typeof field.default === "string" && URL.canParse(field.default) ? [new URL(field.default).hostname] : [];
  return [...usual, ...hosts].includes(plainHost(url.hostname));
}

function portOf({ port, protocol }: URL): number {
  return port === "" ? (protocol === "http:" ? 80 : 443) : Number(port);
}

/** As the URL standard writes it, without brackets and final dot. */
function plainHost(host: string): string {
  const bracketed = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  const written = URL.canParse(`http://${bracketed}/`) ? new URL(`http://${bracketed}/`).hostname : bracketed;
  return written
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "")
    .toLowerCase();
}
