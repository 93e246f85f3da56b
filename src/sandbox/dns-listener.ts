import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, isIPv6, type Server, type Socket as TcpSocket } from "node:net";

export type Transport = "udp" | "tcp";

/** Answers one message; undefined sends nothing. Must not throw. */
export type MessageHandler = (octets: Uint8Array, transport: Transport) => Uint8Array | undefined;

export interface Listener {
  readonly address: string;
  readonly port: number;
  /** Closes sockets and open connections; no reply is sent afterwards. */
  close(): Promise<void>;
}

const idleMs = 30_000;
const portAttempts = 50;

/** One address that is to be served. */
export interface Place {
  readonly address: string;
  readonly handler: MessageHandler;
}

/**
 * Serves UDP and TCP on one port number that is free on all these addresses. An address this machine lacks makes it
 * throw the system's error (EADDRNOTAVAIL).
 */
export async function listenTogether(places: readonly Place[]): Promise<readonly Listener[]> {
  for (let attempt = 1; ; attempt++) {
    const opened: Listener[] = [];
    try {
      for (const { address, handler } of places) {
        opened.push(await listenAt(address, opened[0]?.port ?? 0, handler));
      }
      return opened;
    } catch (error) {
      await Promise.all(opened.map((l) => l.close()));
      // The port was free on the first address only: the system picks another one next time.
      if (!isCode(error, "EADDRINUSE") || attempt === portAttempts) throw error;
    }
  }
}

export function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

async function listenAt(address: string, port: number, handler: MessageHandler): Promise<Listener> {
  const connections = new Set<TcpSocket>();
  const server = createServer((socket) => {
    connections.add(socket);
    socket.on("close", () => connections.delete(socket));
    serveConnection(socket, handler);
  });
  await listenTcp(server, address, port);
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error(`${address} gave no port`);
  const udp = createSocket(isIPv6(address) ? "udp6" : "udp4");
  try {
    await bindUdp(udp, address, bound.port);
  } catch (error) {
    await closeServer(server);
    throw error;
  }
  udp.on("message", (octets, peer) => {
    const reply = handler(octets, "udp");
    // A peer that has gone away is its own affair.
    if (reply !== undefined) udp.send(reply, peer.port, peer.address, () => {});
  });
  udp.on("error", () => {});
  return {
    address,
    port: bound.port,
    async close() {
      for (const connection of connections) connection.destroy();
      await Promise.all([closeServer(server), new Promise<void>((done) => udp.close(() => done()))]);
    },
  };
}

async function listenTcp(server: Server, address: string, port: number): Promise<void> {
  server.listen(port, address);
  await once(server, "listening");
  server.on("error", () => {});
}

async function bindUdp(udp: UdpSocket, address: string, port: number): Promise<void> {
  udp.bind({ address, port, exclusive: true });
  try {
    await once(udp, "listening");
  } catch (error) {
    udp.close();
    throw error;
  }
}

function closeServer(server: Server): Promise<void> {
  return new Promise((done) => server.close(() => done()));
}

/** RFC 7766: several messages on one connection, each behind its length, in pieces of any size. */
function serveConnection(socket: TcpSocket, handler: MessageHandler): void {
  let pending = Buffer.alloc(0);
  socket.setNoDelay(true);
  socket.setTimeout(idleMs, () => socket.destroy());
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 2) {
      const length = pending.readUInt16BE(0);
      if (pending.length < 2 + length) return;
      const reply = handler(pending.subarray(2, 2 + length), "tcp");
      pending = pending.subarray(2 + length);
      if (reply === undefined || socket.destroyed) continue;
      const frame = Buffer.allocUnsafe(2 + reply.length);
      frame.writeUInt16BE(reply.length, 0);
      frame.set(reply, 2);
      socket.write(frame);
    }
  });
}
