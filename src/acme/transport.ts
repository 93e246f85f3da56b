import { setMaxListeners } from "node:events";
import { type ClientRequest, type Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { type AgentOptions, type Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Socket } from "node:net";
import { createSecureContext } from "node:tls";
import { gunzipSync } from "node:zlib";
import { abortReason } from "../core/clock.ts";
import { AbortedError } from "../core/errors.ts";
import { proxiedHttpAgent, proxiedHttpsAgent } from "../proxy/agents.ts";
import { proxyFor } from "../proxy/environment.ts";
import { isLoopback } from "./directories.ts";
import { ExchangeError, isUntrusted } from "./exchange-error.ts";

export interface HttpMessage {
  readonly status: number;
  /** Names in lower case; repeated headers joined by ", ". */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
}

export interface HttpSend {
  readonly method: "GET" | "HEAD" | "POST";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly signal: AbortSignal;
}

export interface Transport {
  /** One exchange; redirects are not followed. Throws ExchangeError or the signal's reason. */
  send(request: HttpSend): Promise<HttpMessage>;
  /** Closes every connection and ends what is under way with AbortedError. */
  close(): void;
}

export interface TransportOptions {
  /** PEM certificates trusted besides the system's. */
  readonly caRoot?: string | undefined;
  /** Where HTTPS_PROXY and NO_PROXY are looked up. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly connectTimeoutMs?: number;
  readonly totalTimeoutMs?: number;
}

/** Nothing an ACME server sends comes near this. */
const maxBodyBytes = 1 << 20;

/** HTTP/1.1 over connections kept open, with TLS; plain to loopback addresses only. */
export function createTransport(options: TransportOptions): Transport {
  const connectTimeoutMs = options.connectTimeoutMs ?? 10_000;
  const totalTimeoutMs = options.totalTimeoutMs ?? 30_000;
  const closing = new AbortController();
  setMaxListeners(0, closing.signal);
  const connected = new WeakSet<Socket>();
  // Node's 250 ms for each address gives up on servers that are merely far away.
  const agentOptions = { keepAlive: true, autoSelectFamilyAttemptTimeout: 1500, rejectUnauthorized: true };
  let plain: HttpAgent | undefined;
  /** Who trusts the root that was given, and who trusts what Node does. */
  let own: HttpsAgent | undefined;
  let common: HttpsAgent | undefined;
  /** Hosts that the root that was given does not vouch for. */
  const strangers = new Set<string>();

  const proxying = { env: options.env, signal: closing.signal, connectTimeoutMs };
  const secureAgent = (trust: AgentOptions) => proxiedHttpsAgent({ ...agentOptions, ...trust }, proxying);

  const agentFor = (url: URL) => {
    if (url.protocol === "http:") {
      plain ??= proxiedHttpAgent(agentOptions, proxying);
      return plain;
    }
    if (options.caRoot !== undefined && !strangers.has(url.host)) {
      // One context for all connections.
      own ??= secureAgent({ secureContext: createSecureContext({ ca: options.caRoot }) });
      return own;
    }
    common ??= secureAgent({});
    return common;
  };

  const open = (request: HttpSend, url: URL) =>
    (url.protocol === "http:" ? httpRequest : httpsRequest)(url, {
      method: request.method,
      agent: agentFor(url),
      headers: {
        // Without it a server may take any coding (RFC 9110 §12.5.3).
        "accept-encoding": "identity",
        ...request.headers,
        ...(request.body === undefined ? {} : { "content-length": Buffer.byteLength(request.body) }),
      },
    });

  const exchange = (request: HttpSend, url: URL) =>
    new Promise<HttpMessage>((resolve, reject) => {
      const outgoing = open(request, url);
      let sent = false;
      const fail = (error: Error) => {
        stop();
        reject(error);
        outgoing.destroy();
      };
      const late = (ms: number, what: string) => () =>
        fail(new ExchangeError(`${what} within ${ms / 1000} s`, { sent, timeout: true }));
      const connecting = setTimeout(late(connectTimeoutMs, "no connection"), connectTimeoutMs);
      const total = setTimeout(late(totalTimeoutMs, "no complete answer"), totalTimeoutMs);
      const onAbort = () => fail(abortReason(request.signal));
      const onClose = () => fail(new AbortedError("the connection to the CA was closed"));
      const stop = () => {
        clearTimeout(connecting);
        clearTimeout(total);
        request.signal.removeEventListener("abort", onAbort);
        closing.signal.removeEventListener("abort", onClose);
      };
      request.signal.addEventListener("abort", onAbort, { once: true });
      closing.signal.addEventListener("abort", onClose, { once: true });
      onConnection(outgoing, url, connected, () => {
        clearTimeout(connecting);
        sent = true;
      });
      // Stays on for good: a destroyed request may still report.
      outgoing.on("error", (cause) => fail(new ExchangeError("", { sent, stale: outgoing.reusedSocket, cause })));
      outgoing.once("response", (response) => {
        collect(response).then(
          (body) => {
            stop();
            resolve({ status: response.statusCode ?? 0, headers: flat(response), body });
          },
          (cause: unknown) => fail(new ExchangeError("the answer ended early", { sent: true, cause })),
        );
      });
      outgoing.end(request.body);
    });

  return {
    async send(request) {
      if (request.signal.aborted) throw abortReason(request.signal);
      if (closing.signal.aborted) throw new AbortedError("the connection to the CA was closed");
      const url = URL.canParse(request.url) ? new URL(request.url) : undefined;
      if (url === undefined || !(url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname)))) {
        throw new ExchangeError(`"${request.url}" is not an https address`, { sent: false, permanent: true });
      }
      // A proxy address that cannot be used is the user's to correct, and is told before anything is sent.
      proxyFor(url, options.env);
      if (url.protocol === "http:" || options.caRoot === undefined || strangers.has(url.host)) {
        return await exchange(request, url);
      }
      try {
        return await exchange(request, url);
      } catch (error) {
        if (!(error instanceof ExchangeError) || error.sent || !isUntrusted(error.cause)) throw error;
        // One after the other: to read all public roots besides takes longer than a whole request, and Node 20 has no way to
        // add to what it trusts itself (NODE_EXTRA_CA_CERTS, the system's store).
        strangers.add(url.host);
        return await exchange(request, url);
      }
    },
    close() {
      closing.abort();
    },
  };
}

/** Calls back once the request's connection can carry it, TLS included; at once when it did so before. */
function onConnection(request: ClientRequest, url: URL, connected: WeakSet<Socket>, then: () => void) {
  request.once("socket", (socket) => {
    if (connected.has(socket)) return then();
    socket.once(url.protocol === "http:" ? "connect" : "secureConnect", () => {
      connected.add(socket);
      then();
    });
  });
}

/** The whole body, as plain octets; a connection that ends before `Content-Length` or the last chunk is an error. */
async function collect(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    const bytes = chunk as Buffer;
    size += bytes.length;
    if (size > maxBodyBytes) throw new Error(`the answer is larger than ${maxBodyBytes} octets`);
    chunks.push(bytes);
  }
  const body = Buffer.concat(chunks);
  // Proxies that compress everything do not read what was asked for.
  const isPacked = body.length > 0 && /^(x-)?gzip$/i.test(response.headers["content-encoding"] ?? "");
  return isPacked ? gunzipSync(body, { maxOutputLength: maxBodyBytes }) : body;
}

function flat(response: IncomingMessage): HttpMessage["headers"] {
  return Object.fromEntries(
    Object.entries(response.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") : value]),
  );
}
