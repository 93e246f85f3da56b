import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

/** Loopback addresses and ports of one lab. Any address of 127.0.0.0/8 may be bound without being configured. */
export interface Addresses {
  /** The one port on which every nameserver listens, each on its own address. */
  readonly port: number;
  /** A lab's own address number `n` (1–254). */
  host(n: number): string;
}

/**
 * Takes a random /24 of 127.0.0.0/8 and a port that is free for UDP and TCP on 127.0.0.1 (where BIND has to be) and,
 * being below the range of outgoing ports, stays free.
 */
export async function pickAddresses(): Promise<Addresses> {
  const prefix = `127.${randomInt(10, 250)}.${randomInt(1, 250)}`;
  const port = await freePort();
  return { port, host: (n) => `${prefix}.${n}` };
}

/** A port that is free for UDP and TCP on 127.0.0.1 and outside the range the kernel gives to outgoing connections. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = randomInt(10_000, 32_000);
    if ((await udpFree(port)) && (await tcpFree(port))) return port;
  }
  throw new Error("no free port between 10000 and 32000");
}

function udpFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    socket.once("error", () => resolve(false));
    socket.bind({ port, address: "127.0.0.1", exclusive: true }, () => socket.close(() => resolve(true)));
  });
}

function tcpFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}
