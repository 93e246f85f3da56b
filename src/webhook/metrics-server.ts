import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { firstRequestOnly } from "../core/first-request.ts";
import { limitConnections } from "../core/limit-connections.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { type Check, runChecks, sendHealth } from "./health.ts";

export interface MetricsServerOptions {
  readonly metrics: Pick<Metrics, "text" | "contentType">;
  readonly readiness: readonly Check[];
  readonly page: () => string;
}

/** `/metrics`, `/healthz`, `/livez`, `/readyz` and a status page at `/`, without encryption, for whoever can reach it. */
export function createMetricsServer({ metrics, readiness, page }: MetricsServerOptions): Server {
  const answers: Readonly<Record<string, (res: ServerResponse) => void | Promise<void>>> = {
    "/healthz": (res) => sendHealth(res, []),
    "/livez": (res) => sendHealth(res, []),
    "/readyz": (res) => sendHealth(res, runChecks(readiness)),
    "/metrics": async (res) => send(res, 200, metrics.contentType, await metrics.text()),
    "/": (res) => send(res, 200, "text/html; charset=utf-8", page()),
  };
  const limits = { headersTimeout: 5_000, requestTimeout: 10_000, connectionsCheckingInterval: 1_000 };
  const onRequest = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const path = req.url?.split("?")[0] ?? "/";
    const answer = Object.hasOwn(answers, path) ? answers[path] : undefined;
    try {
      if (req.method !== "GET" && req.method !== "HEAD") return send(res, 405, "text/plain", "GET only\n");
      if (answer === undefined)
        return send(res, 404, "text/plain", "there are /, /metrics, /healthz, /livez, /readyz\n");
      await answer(res);
    } catch {
      if (!res.headersSent) send(res, 500, "text/plain", "internal fault\n");
    }
  };
  // With the connection ends a body that nothing here reads.
  const server = createServer(limits, firstRequestOnly(onRequest));
  limitConnections(server, 100);
  return server;
}

function send(res: ServerResponse, status: number, type: string, body: string): void {
  res.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
  });
  res.end(body);
}
