import { ConfigError, type ConfigIssue } from "../../core/errors.ts";
import type { Field } from "../../core/schema.ts";
import { parseServer, type ServerAddress } from "../../dns/server-address.ts";

/** An address that the operator lets Issuers name. */
export interface AllowedEndpoint {
  readonly protocol: "https:" | "http:";
  readonly host: string;
  /** Undefined: the protocol's usual one, and any of a nameserver. */
  readonly port: number | undefined;
}

/** Whom an Issuer may have credentials sent to, besides the services' own hosts. */
export interface EndpointRules {
  readonly allowed: readonly AllowedEndpoint[];
  /** A nameserver for dynamic updates may be any: TSIG proves knowledge of its secret without telling it. Default true. */
  readonly anyNameserver?: boolean | undefined;
}

/**
 * Reads values of --allowed-endpoint: HOST, HOST:PORT, http://HOST:PORT, IPv6 in brackets. Plain HTTP, which shows credentials to
 * the network, has to be spelled out. Throws ConfigError with every fault.
 */
export function parseAllowedEndpoints(
  texts: readonly string[],
  path = "--allowed-endpoint",
): readonly AllowedEndpoint[] {
  const issues: ConfigIssue[] = [];
  const allowed: AllowedEndpoint[] = [];
  for (const text of texts) {
    const [, protocol = "https:", address = ""] = /^(?:(https?:)\/\/)?(.*?)\/?$/is.exec(text.trim()) ?? [];
    const server = parseServer(address, 1);
    if (server === undefined) {
      issues.push({ path, message: `"${text}" is not HOST, HOST:PORT or http://HOST:PORT` });
    } else {
      const hasPort = parseServer(address, 2)?.port === server.port;
      const isPlain = protocol.toLowerCase() === "http:";
      allowed.push({
        protocol: isPlain ? "http:" : "https:",
        host: plainHost(server.host),
        port: hasPort ? server.port : undefined,
      });
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
    if (rules.anyNameserver !== false || server === undefined || isAllowedNameserver(server, rules)) return undefined;
    return notAllowed(server.host, server.port);
  }
  if (!URL.canParse(value)) return undefined;
  const url = new URL(value);
  if (url.hostname === "") return "is no http:// or https:// URL";
  if (url.username !== "" || url.password !== "")
    return "has a login in it, which everybody who reads the Issuer can see";
  if (isAllowed(url, rules) || isOwn(url, field, field.endpoint.hosts)) return undefined;
  return notAllowed(url.hostname, portOf(url), url.protocol === "http:" ? "http://" : "");
}

/** Names the address as --allowed-endpoint wants it. */
function notAllowed(host: string, port: number, scheme = ""): string {
  const address = `${scheme}${bracketed(plainHost(host))}:${port}`;
  return `credentials may not be sent to ${address}: the operator of dns01 has to allow it with --allowed-endpoint ${address}`;
}

function isAllowed(url: URL, { allowed }: EndpointRules): boolean {
  return allowed.some(
    ({ protocol, host, port = usualPorts[protocol] }) =>
      url.protocol === protocol && plainHost(url.hostname) === host && portOf(url) === port,
  );
}

/** A nameserver gets no credentials: a host without a port allows every port. */
function isAllowedNameserver(server: ServerAddress, { allowed }: EndpointRules): boolean {
  return allowed.some(({ host, port = server.port }) => plainHost(server.host) === host && server.port === port);
}

/** One of the service's own addresses: by TLS, at its usual port. */
function isOwn(url: URL, field: Field, hosts: readonly string[]): boolean {
  if (url.protocol !== "https:" || url.port !== "") return false;
  const usual =
    typeof field.default === "string" && URL.canParse(field.default) ? [new URL(field.default).hostname] : [];
  return [...usual, ...hosts].includes(plainHost(url.hostname));
}

const usualPorts = { "http:": 80, "https:": 443 } as const;

function portOf({ port, protocol }: URL): number {
  return port === "" ? usualPorts[protocol === "http:" ? "http:" : "https:"] : Number(port);
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/** As the URL standard writes it, without brackets and final dot. */
function plainHost(host: string): string {
  const url = `http://${host.startsWith("[") ? host : bracketed(host)}/`;
  const written = URL.canParse(url) ? new URL(url).hostname : host;
  return written
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "")
    .toLowerCase();
}
