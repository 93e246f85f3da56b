import type { Agent } from "node:https";
import type { Duplex } from "node:stream";
import * as tls from "node:tls";
import { proxyFor, tunnel } from "./proxy.ts";

/**
 * Trust in `caRoot` besides what Node trusts. One context for all connections: parsing the public roots takes 20 ms.
 */
export function trustAlso(caRoot: string | undefined): { readonly secureContext?: tls.SecureContext } {
  if (caRoot === undefined) return {};
  // Since Node 22.15; includes NODE_EXTRA_CA_CERTS and the system's store where it is in use.
  const known = tls as typeof tls & { readonly getCACertificates?: (type: "default") => readonly string[] };
  const roots = known.getCACertificates?.("default") ?? tls.rootCertificates;
  return { secureContext: tls.createSecureContext({ ca: [...roots, caRoot] }) };
}

type CreateConnection = (
  options: tls.ConnectionOptions & { readonly host?: string; readonly port?: number | string },
  done: (error: Error | null, socket?: Duplex) => void,
) => Duplex | null | undefined;

/** Makes the agent connect through the proxy that the environment names, if any. */
export function throughProxy(
  agent: Agent,
  env: Readonly<Record<string, string | undefined>>,
  closing: AbortSignal,
  timeoutMs: number,
): Agent {
  // An override that Node documents (http.Agent, createConnection); the declared type lacks the callback.
  const target = agent as unknown as { createConnection: CreateConnection };
  const direct = target.createConnection.bind(agent);
  target.createConnection = (options, done) => {
    const host = options.host ?? "localhost";
    const port = Number(options.port ?? 443);
    const bracketed = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
    const proxy = proxyFor(new URL(`https://${bracketed}:${port}/`), env);
    if (proxy === undefined) return direct(options, done);
    tunnel(proxy, host, port, AbortSignal.any([closing, AbortSignal.timeout(timeoutMs)])).then(
      (socket) => done(null, tls.connect({ ...options, socket })),
      (cause: Error) => done(cause),
    );
    return undefined;
  };
  return agent;
}
