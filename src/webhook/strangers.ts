import type { IncomingMessage } from "node:http";
import type { Server } from "node:https";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { closeOldest } from "../core/limit-connections.ts";

export interface StrangersOptions {
  /** Says if the front proxy's CA vouches for this connection's certificate. */
  readonly isVouched: (socket: TLSSocket) => boolean;
  /** Answers a request that took too long to arrive or whose headers are too large, and closes the connection. */
  readonly onFault: (fault: { readonly code: string }, socket: TLSSocket) => void;
}

/** Peers that are not the API server. */
export interface Strangers {
  /** Returns true for a request of a stranger: its connection has to be closed after the answer. */
  sent(req: IncomingMessage): boolean;
}

/** One costs up to 200 KB for a moment. The API server's connections do not count. */
const MOST = 128;
const MAX_HEADER_BYTES = 16 * 1024;
const HEADERS_TIMEOUT_MS = 5_000;

/**
 * Limits what peers can take that have not shown the front proxy's certificate. They can ask for the health only, so each gets
 * one request of few bytes in a short time. When there are too many, the oldest connection is closed: a newcomer may be the
 * API server, which has not had its chance yet.
 */
export function limitStrangers(server: Server, { isVouched, onFault }: StrangersOptions): Strangers {
  // In order of their age. A TLS socket does not show the socket that it wraps; they have the same peer.
  const open = new Map<string, Socket>();
  const isStranger = (socket: TLSSocket): boolean => {
    const peer = peerOf(socket);
    if (!open.has(peer)) return false;
    if (!isVouched(socket)) return true;
    open.delete(peer);
    return false;
  };
  const asked = new WeakMap<TLSSocket, () => void>();

  server.on("connection", (socket: Socket) => {
    const peer = peerOf(socket);
    open.set(peer, socket);
    socket.once("close", () => open.get(peer) === socket && open.delete(peer));
    closeOldest(open, MOST);
  });
  server.on("secureConnection", (socket: TLSSocket) => {
    if (!isStranger(socket)) return;
    let bytes = 0;
    const count = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_HEADER_BYTES) fail("HPE_HEADER_OVERFLOW");
    };
    const timer = setTimeout(() => fail("ERR_HTTP_REQUEST_TIMEOUT"), HEADERS_TIMEOUT_MS).unref();
    const stop = () => {
      clearTimeout(timer);
      socket.off("data", count);
    };
    const fail = (code: string) => {
      stop();
      onFault({ code }, socket);
    };
    asked.set(socket, stop);
    // Counts before Node parses: what arrived until then has not become a request.
    socket.prependListener("data", count);
    socket.once("close", stop);
  });
  return {
    sent(req) {
      const socket = req.socket as TLSSocket;
      asked.get(socket)?.();
      return isStranger(socket);
    },
  };
}

function peerOf({ localAddress, remoteAddress, remotePort }: Socket): string {
  return `${localAddress} ${remoteAddress} ${remotePort}`;
}
