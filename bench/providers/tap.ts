import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Server } from "node:net";

/** One request that went through, times by performance.now(). */
export interface Passed {
  readonly begunAt: number;
  readonly endedAt: number;
}

export interface Tap {
  readonly url: string;
  /** In the order of arrival. */
  readonly passed: readonly Passed[];
  readonly pass: (incoming: IncomingMessage, response: ServerResponse) => void;
  clear(): void;
  close(): void;
}

/** Stands before a fake and notes when requests came and were answered. `after` runs before each answer is sent. */
export async function startTap(port: number, after: () => void = () => {}): Promise<Tap> {
  const passed: Passed[] = [];
  const pass = (incoming: IncomingMessage, response: ServerResponse): void => {
    const place = passed.length;
    const begunAt = performance.now();
    passed.push({ begunAt, endedAt: Number.NaN });
    const { method, url: path, headers } = incoming;
    const onward = request({ host: "127.0.0.1", port, method, path, headers, setHost: false }, async (answer) => {
      const chunks: Buffer[] = [];
      for await (const chunk of answer) chunks.push(chunk as Buffer);
      after();
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.end(Buffer.concat(chunks));
      passed[place] = { begunAt, endedAt: performance.now() };
    });
    onward.on("error", () => response.destroy());
    incoming.pipe(onward);
  };
  const server = createServer(pass);
  return {
    url: `http://127.0.0.1:${await listen(server)}`,
    passed,
    pass,
    clear: () => void passed.splice(0),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

export interface Detour {
  /** For HTTPS_PROXY. */
  readonly url: string;
  close(): void;
}

/** A proxy for clients that know one address only: it takes the place of every host and hands requests to `pass`. */
export async function startDetour(
  tls: { readonly cert: string; readonly key: string },
  pass: (incoming: IncomingMessage, response: ServerResponse) => void,
): Promise<Detour> {
  const inner = createTlsServer(tls, pass);
  const proxy = createServer();
  proxy.on("connect", (_request, socket) => {
    socket.on("error", () => {});
    socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
    inner.emit("connection", socket);
  });
  return {
    url: `http://127.0.0.1:${await listen(proxy)}`,
    close: () => {
      for (const server of [proxy, inner]) {
        server.close();
        server.closeAllConnections();
      }
    },
  };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}
