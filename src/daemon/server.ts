import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { ConfigError } from "../core/errors.ts";
import { firstRequestOnly } from "../core/first-request.ts";
import { limitConnections } from "../core/limit-connections.ts";
import { reasonText } from "../core/thrown.ts";

export interface StatusServerOptions {
  /** Undefined: every address of the machine. */
  readonly address: string | undefined;
  readonly port: number;
  /** Where the address was said, for the error when it is taken. */
  readonly path: string;
  /** Why it is not healthy; undefined when it is. */
  readonly fault: () => string | undefined;
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
}

export interface StatusServer {
  /** "127.0.0.1:9402" */
  readonly address: string;
  close(): Promise<void>;
}

/** `/healthz` and `/metrics`, without encryption, for whoever can reach the address. */
export async function startStatusServer(options: StatusServerOptions): Promise<StatusServer> {
  const limits = { headersTimeout: 5_000, requestTimeout: 10_000, connectionsCheckingInterval: 1_000 };
  const onRequest = firstRequestOnly((req: IncomingMessage, res: ServerResponse) => {
    void answer(req.method ?? "", req.url?.split("?")[0] ?? "", res, options).catch(() => {
      if (!res.headersSent) send(res, 500, "text/plain", "internal fault\n");
    });
  });
  // With the connection ends a body that nothing here reads.
  const server = createServer(limits, onRequest);
  limitConnections(server, 100);
  await listening(server, options);
  const { address, port, family } = server.address() as AddressInfo;
  return {
    address: `${family === "IPv6" ? `[${address}]` : address}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(method: string, path: string, res: ServerResponse, options: StatusServerOptions): Promise<void> {
  if (method !== "GET" && method !== "HEAD") return send(res, 405, "text/plain", "GET only\n");
  if (path === "/metrics") return send(res, 200, options.metrics.contentType, await options.metrics.text());
  if (path !== "/healthz") return send(res, 404, "text/plain", "there are /healthz and /metrics\n");
  const fault = options.fault();
  send(res, fault === undefined ? 200 : 503, "text/plain; charset=utf-8", `${fault ?? "ok"}\n`);
}

function send(res: ServerResponse, status: number, type: string, body: string): void {
  const length = Buffer.byteLength(body);
  res.writeHead(status, { "content-type": type, "content-length": length, "x-content-type-options": "nosniff" });
  res.end(body);
}

async function listening(server: Server, { address, port, path }: StatusServerOptions): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ port, ...(address === undefined ? {} : { host: address }) }, resolve);
    });
  } catch (error) {
    throw new ConfigError([{ path, message: `cannot listen on ${address ?? ""}:${port}: ${reasonText(error)}` }]);
  }
}
