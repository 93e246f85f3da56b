import { constants } from "node:crypto";
import type { IncomingMessage, RequestListener } from "node:http";
import { createServer, type Server } from "node:https";
import type { Server as NetServer } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { firstRequestOnly } from "../core/first-request.ts";
import { endWithConnection } from "./pipelined.ts";
import { Refusal, type RefusalCode, statusOf } from "./refusal.ts";
import { MAX_BODY_BYTES } from "./request-body.ts";
import type { KeyPair } from "./serving-certificate.ts";
import { limitStrangers } from "./strangers.ts";

export interface SecureServer {
  readonly server: Server;
  /** For new connections; those that are open stay. */
  setKeyPair(pair: KeyPair): void;
}

/** Longer than kube-apiserver keeps an idle connection (90 s): it must never send into one that we are closing. */
const KEEP_ALIVE_MS = 120_000;
/** Users of many groups have long headers. */
const MAX_HEADER_BYTES = 32 * 1024;
/** For the last answer to arrive. */
const LINGER_MS = 2_000;

/**
 * HTTP/1.1 over TLS that asks for a client certificate and takes any: who is believed is decided for each request, see
 * front-proxy.ts. No tickets, so that no session is resumed: a resumed one of TLS 1.3 has no certificate, yet Node calls it
 * authorized.
 */
export function createSecureServer(
  pair: KeyPair,
  onRequest: RequestListener,
  isVouched: (socket: TLSSocket) => boolean,
): SecureServer {
  const context = ({ cert, key }: KeyPair) => ({
    cert,
    key,
    // No CA names are sent, so that clients show whatever certificate they have, and none of Node's roots is loaded.
    ca: [],
    minVersion: "TLSv1.2" as const,
    secureOptions: constants.SSL_OP_NO_TICKET,
  });
  const server = createServer({
    ...context(pair),
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: ["http/1.1"],
    handshakeTimeout: 5_000,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // They count from the start of a connection, and kube-apiserver keeps some for later.
    headersTimeout: KEEP_ALIVE_MS,
    requestTimeout: KEEP_ALIVE_MS + 10_000,
    maxHeaderSize: MAX_HEADER_BYTES,
    // Node would refuse without a word of why.
    requireHostHeader: false,
  });
  // Each group is a header, and the user comes behind them: Node would drop what follows the thousandth. The bytes are limited.
  server.maxHeadersCount = 0;
  const strangers = limitStrangers(server, { isVouched, onFault: answerBadRequest });
  const answer = endWithConnection((req, res) => {
    // It has had its answer already.
    if (!req.socket.writable) return;
    if (hasLargeBody(req)) res.setHeader("connection", "close");
    onRequest(req, res);
  });
  const onEach = firstRequestOnly(answer, (req) => strangers.sent(req));
  server.on("request", onEach);
  server.on("clientError", answerBadRequest);
  // Without a handler Node answers by itself, in words of its own.
  server.on("checkExpectation", onEach);
  for (const event of ["upgrade", "connect"]) {
    server.on(event, (_req: IncomingMessage, socket: Duplex) => answerBadRequest({ code: event }, socket));
  }
  return { server, setKeyPair: (next) => server.setSecureContext(context(next)) };
}

const faults: Readonly<Record<string, readonly [RefusalCode, string]>> = {
  HPE_HEADER_OVERFLOW: [431, "the headers are too large"],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "the request took too long to arrive"],
};

/** What never became a request gets a Status as well. */
function answerBadRequest(error: { readonly code?: string | undefined }, socket: Duplex): void {
  // Before the end of the handshake nothing can be said, and such a socket would never be closed.
  const isMute = "secureConnecting" in socket && socket.secureConnecting === true;
  if (isMute || !socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const [code, message] = faults[error.code ?? ""] ?? [400, "the request cannot be read"];
  const refusal = new Refusal(code, message);
  const body = statusOf(refusal);
  const head = `HTTP/1.1 ${code} ${refusal.reason}\r\nContent-Type: application/json\r\nConnection: close\r\n`;
  socket.end(`${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  // Node lets go of such a socket, and reading on would let the peer send for as long as it likes.
  socket.pause();
  const limit = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.once("close", () => clearTimeout(limit));
}

/** Node reads the rest of a body after the answer, however long it is, unless the connection ends with the answer. */
function hasLargeBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > MAX_BODY_BYTES;
}

export interface ListenAddress {
  /** Undefined: every address of the machine, IPv4 and IPv6. */
  readonly host: string | undefined;
  readonly port: number;
}

/** Resolves with the port. */
export function listen(server: NetServer, { host, port }: ListenAddress): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => {
      server.off("error", reject);
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
    // Without a host Node takes "::" for both families, and IPv4 alone where there is no IPv6.
    server.listen(host === undefined ? { port } : { port, host });
  });
}
