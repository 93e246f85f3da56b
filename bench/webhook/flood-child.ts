import { connect, type TLSSocket } from "node:tls";

/** What the parent sends first. */
export interface Flood {
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
}

export interface FloodResult {
  /** Connections opened in all: each that the server closed was replaced at once. */
  readonly opened: number;
  readonly handshakes: number;
}

/** Of one request; it never ends. */
const HEADER_BYTES = 255 * 1024;

/** A client without a certificate that fills the server's memory: unfinished headers on many connections, loopback only. */
process.on("message", ({ port, connections, seconds }: Flood) => {
  const until = performance.now() + seconds * 1_000;
  const open = new Set<TLSSocket>();
  let opened = 0;
  let handshakes = 0;
  const lane = (): void => {
    if (performance.now() > until) return;
    opened += 1;
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false }, () => {
      handshakes += 1;
      socket.write(`GET /apis HTTP/1.1\r\nHost: webhook\r\nX-Filler: ${"x".repeat(HEADER_BYTES)}`);
    });
    open.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => {
      open.delete(socket);
      setImmediate(lane);
    });
    socket.resume();
  };
  for (let i = 0; i < connections; i++) lane();
  setTimeout(() => {
    for (const socket of open) socket.destroy();
    process.send?.({ opened, handshakes } satisfies FloodResult, () => process.exit(0));
  }, seconds * 1_000);
});
