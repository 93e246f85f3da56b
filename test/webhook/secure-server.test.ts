import { once } from "node:events";
import type { Server } from "node:https";
import { connect as connectTcp } from "node:net";
import { connect } from "node:tls";
import { promisify } from "node:util";
import { afterEach, expect, test } from "vitest";
import { createSecureServer, listen } from "../../src/webhook/secure-server.ts";
import { until } from "./harness.ts";
import { makeClusterPki } from "./pki.ts";

let server: Server | undefined;
afterEach(() => {
  server?.close();
  server?.closeAllConnections();
});

async function start() {
  const { serving } = await makeClusterPki();
  const secure = createSecureServer(
    { ...serving, notBefore: 0, notAfter: 0 },
    (_req, res) => void res.end(),
    () => false,
  );
  server = secure.server;
  const port = await listen(server, { host: "127.0.0.1", port: 0 });
  return { port, open: promisify(server.getConnections).bind(server) };
}

const upgrade = "GET / HTTP/1.1\r\nHost: dns01\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

test("whoever asks for another protocol, sends more and goes leaves no connection behind", async () => {
  const { port, open } = await start();
  const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false }, () => socket.write(upgrade));
  socket.on("error", () => {});
  await once(socket, "data");
  socket.write("x".repeat(1_000), () => socket.destroy());
  await once(socket, "close");
  await until(async () => (await open()) === 0);
});

test.each([
  ["wants another protocol", upgrade],
  ["speaks no HTTP", "NONSENSE\r\n\r\n"],
])("whoever %s and does not close is let go", async (_name, text) => {
  const { port, open } = await start();
  const raw = connectTcp({ host: "127.0.0.1", port, allowHalfOpen: true });
  const socket = connect({ socket: raw, rejectUnauthorized: false }, () => socket.write(text));
  socket.on("error", () => {});
  socket.end = () => socket;
  const [answer] = (await once(socket, "data")) as [Buffer];
  expect(String(answer)).toMatch(/^HTTP\/1\.1 400 /);
  expect(await open()).toBe(1);
  await until(async () => (await open()) === 0);
  raw.destroy();
});
