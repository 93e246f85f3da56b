import { createSocket } from "node:dgram";
import { createServer, type Socket } from "node:net";
import type { At } from "./dig.ts";

export interface MuteServer {
  close(): Promise<void>;
}

/** A nameserver that takes datagrams and connections and never answers. */
export async function startMute(at: At): Promise<MuteServer> {
  const udp = createSocket("udp4");
  const connections = new Set<Socket>();
  const tcp = createServer((socket) => {
    connections.add(socket);
    socket.on("error", () => {}).on("close", () => connections.delete(socket));
  });
  await new Promise<void>((resolve, reject) => udp.once("error", reject).bind(at.port, at.address, resolve));
  await new Promise<void>((resolve, reject) => tcp.once("error", reject).listen(at.port, at.address, resolve));
  return {
    async close() {
      for (const socket of connections) socket.destroy();
      await new Promise<void>((resolve) => udp.close(resolve));
      await new Promise((resolve) => tcp.close(resolve));
    },
  };
}
