import type { Agent } from "node:https";
import type { Duplex } from "node:stream";
import * as tls from "node:tls";
import { limitSignal } from "../core/abort.ts";
import { proxyFor, tunnel } from "./proxy.ts";

/** OpenSSL's words for a chain that does not end at anybody who is trusted; nothing has been sent by then. */
const untrusted: ReadonlySet<string> = new Set([
  "CERT_SIGNATURE_FAILURE",
  "CERT_UNTRUSTED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

/** Whether a connection failed because nobody who is trusted vouches for the server. */
export function isUntrusted(cause: unknown): boolean {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  return typeof code === "string" && untrusted.has(code);
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
    const limit = limitSignal(closing, timeoutMs);
    tunnel(proxy, host, port, limit.signal)
      .finally(limit.release)
      .then(
        (socket) => done(null, tls.connect({ ...options, socket })),
        (cause: Error) => done(cause),
      );
    return undefined;
  };
  return agent;
}
