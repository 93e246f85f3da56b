import { type ClientRequest, Agent as HttpAgent } from "node:http";
import { type AgentOptions, Agent as HttpsAgent } from "node:https";
import type { Duplex } from "node:stream";
import * as tls from "node:tls";
import { limitSignal } from "../core/abort.ts";
import { onAbort } from "../core/on-abort.ts";
import { type Environment, proxyFor } from "./environment.ts";
import { connectTo, loginFor, tunnel } from "./tunnel.ts";

export interface ProxyOptions {
  /** Where the proxy's variables are looked up. Default: the process's environment. */
  readonly env?: Environment;
  /** Closes every connection. */
  readonly signal: AbortSignal;
  /** Longest time to open a connection through a proxy, in milliseconds. Default 10,000. */
  readonly connectTimeoutMs?: number;
}

type ConnectionOptions = tls.ConnectionOptions & {
  readonly host?: string;
  readonly port?: number | string;
  /** The proxy that the request is sent to, as a whole address. */
  readonly forwardTo?: URL;
};

/** Methods of Node's agents that are meant to be replaced, and that the declared types lack. */
interface Overridable {
  createConnection(
    options: ConnectionOptions,
    done: (error: Error | null, socket?: Duplex) => void,
  ): Duplex | null | undefined;
  addRequest(request: ClientRequest, options: ConnectionOptions): void;
}

/** Makes an agent that reaches each https address through the proxy that the environment names for it, if any. */
export function proxiedHttpsAgent(agentOptions: AgentOptions, options: ProxyOptions): HttpsAgent {
  const { env = process.env, signal, connectTimeoutMs = 10_000 } = options;
  const agent = new HttpsAgent(agentOptions);
  onAbort(signal, () => agent.destroy());
  const target = agent as unknown as Overridable;
  const direct = target.createConnection.bind(agent);
  target.createConnection = (given, done) => {
    const { host = "localhost" } = given;
    const port = Number(given.port ?? 443);
    const proxy = proxyFor(new URL(`https://${bracketed(host)}:${port}/`), env);
    if (proxy === undefined) return direct(given, done);
    const limit = limitSignal(signal, connectTimeoutMs);
    tunnel(proxy, host, port, limit.signal)
      .finally(limit.release)
      .then(
        (socket) => done(null, tls.connect({ ...given, socket })),
        (cause: Error) => done(cause),
      );
    return undefined;
  };
  return agent;
}

/** As `proxiedHttpsAgent` for plain HTTP: a proxy is sent the whole address (RFC 9112 §3.2.2). */
export function proxiedHttpAgent(agentOptions: AgentOptions, options: ProxyOptions): HttpAgent {
  const { env = process.env, signal, connectTimeoutMs = 10_000 } = options;
  const agent = new HttpAgent(agentOptions);
  onAbort(signal, () => agent.destroy());
  const target = agent as unknown as Overridable;
  const direct = target.createConnection.bind(agent);
  const add = target.addRequest.bind(agent);
  target.addRequest = (request, given) => {
    const url = new URL(`http://${bracketed(given.host ?? "localhost")}:${given.port ?? 80}${request.path}`);
    const proxy = proxyFor(url, env);
    if (proxy === undefined) return add(request, given);
    request.path = url.href;
    for (const [name, value] of Object.entries(loginFor(proxy))) request.setHeader(name, value);
    add(request, { ...given, host: proxy.hostname, port: Number(proxy.port || 80), forwardTo: proxy });
  };
  target.createConnection = (given, done) => {
    if (given.forwardTo === undefined) return direct(given, done);
    const limit = limitSignal(signal, connectTimeoutMs);
    connectTo(given.forwardTo, limit.signal)
      .finally(limit.release)
      .then(
        (socket) => done(null, socket),
        (cause: Error) => done(cause),
      );
    return undefined;
  };
  return agent;
}

function bracketed(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}
