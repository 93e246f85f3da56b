import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import { startStatusServer } from "../src/daemon/server.ts";
import { createMetrics } from "../src/telemetry/metrics.ts";
import { createMetricsServer } from "../src/webhook/metrics-server.ts";
import { listen } from "../src/webhook/secure-server.ts";
import { until } from "./webhook/harness.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

const metrics = createMetrics({ version: "0.0.0-test" });

const servers: readonly (readonly [string, () => Promise<number>])[] = [
  [
    "webhook",
    async () => {
      const server = createMetricsServer({ metrics, readiness: [], page: () => "" });
      cleanups.push(
        () => server.close(),
        () => server.closeAllConnections(),
      );
      return listen(server, { host: "127.0.0.1", port: 0 });
    },
  ],
  [
    "daemon",
    async () => {
      const server = await startStatusServer({
        address: "127.0.0.1",
        port: 0,
        path: "--listen",
        fault: () => undefined,
        metrics,
      });
      cleanups.push(() => server.close());
      return Number(server.address.split(":").at(-1));
    },
  ],
];

async function open(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  cleanups.push(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

test.each(servers)(
  "%s: a peer that holds many connections loses the oldest, and a probe is answered",
  async (_, start) => {
    // Their answer never comes: without a request they would end by the time-out for headers.
    const text = vi.spyOn(metrics, "text").mockReturnValue(new Promise(() => {}));
    cleanups.push(() => text.mockRestore());
    const port = await start();
    const held: Socket[] = [];
    for (let i = 0; i < 120; i++) {
      const socket = await open(port);
      socket.write("GET /metrics HTTP/1.1\r\nHost: dns01\r\n\r\n");
      held.push(socket);
    }
    await until(() => held.slice(0, 20).every((socket) => socket.resume().closed));
    expect(held.slice(21).filter((socket) => socket.closed)).toEqual([]);
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
  },
);

test.each(servers)("%s: a body without an end is cut off with the answer", async (_, start) => {
  const socket = await open(await start());
  let text = "";
  socket.on("data", (piece) => (text += String(piece)));
  socket.write("GET /healthz HTTP/1.1\r\nHost: dns01\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n");
  await once(socket, "end");
  expect(text).toMatch(/^HTTP\/1\.1 200 .*\r\nConnection: close\r\n/is);
});

test.each(servers)(
  "%s: of requests that arrive in one packet only the first counts, and the connection ends",
  async (_, start) => {
    const text = vi.spyOn(metrics, "text");
    cleanups.push(() => text.mockRestore());
    const socket = await open(await start());
    let received = "";
    socket.on("data", (piece) => (received += String(piece)));
    socket.write("GET /metrics HTTP/1.1\r\nHost: dns01\r\n\r\n".repeat(300));
    await once(socket, "close");
    expect(text).toHaveBeenCalledTimes(1);
    // It was not kept until the answer.
    expect(received).toBe("");
  },
);
