import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { systemClock } from "../core/clock.ts";
import { waitAtMost } from "../core/time-limit.ts";
import type { Endpoint } from "./exchange.ts";
import { RoundTripError } from "./sockets.ts";

/** A server as people write it: a host name or IP address, with or without a port. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

/** "ns1.example.com", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:53". `undefined` for what is none of these. */
export function parseServer(text: string, defaultPort = 53): ServerAddress | undefined {
  const bare = text.trim();
  if (isIP(bare) !== 0) return { host: bare, port: defaultPort };
  const [, bracketed, named, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(bare) ?? [];
  const host = bracketed ?? named?.replace(/\.$/, "");
  const port = digits === undefined ? defaultPort : Number(digits);
  if (host === undefined || port < 1 || port > 65_535) return undefined;
  if (bracketed !== undefined) return isIP(bracketed) === 6 ? { host: bracketed, port } : undefined;
  // Four numbers that are no address ("192.0.2.300") are no host name either.
  if (!/^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/i.test(host)) return undefined;
  return isIP(host) === 0 && /^[\d.]+$/.test(host) ? undefined : { host, port };
}

/** A resolver with three dead servers takes half a minute to say so. */
const lookupTimeoutMs = 7_500;

/**
 * Every address of the host, in the order of the system's resolver. Throws what node:dns throws, RoundTripError after 7.5
 * seconds without an answer, or the signal's reason.
 */
export async function resolveServer(server: ServerAddress, signal: AbortSignal): Promise<readonly Endpoint[]> {
  if (isIP(server.host) !== 0) return [{ address: server.host, port: server.port }];
  const found = await waitAtMost(lookup(server.host, { all: true, verbatim: true }), {
    timeoutMs: lookupTimeoutMs,
    late: () => new RoundTripError("timeout", `the name "${server.host}": this machine's resolver does not answer`),
    signal,
    clock: systemClock,
  });
  return found.map(({ address }) => ({ address, port: server.port }));
}
