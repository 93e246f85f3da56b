import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Aggregator, Caller } from "./aggregator.ts";

const me: Caller = { user: "kubernetes-admin", groups: ["system:masters", "system:authenticated"] };
const aggregatedType = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const empty = { kind: "APIGroupDiscoveryList", apiVersion: "apidiscovery.k8s.io/v2", metadata: {}, items: [] };

export interface FakeApiServer {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * The side of kube-apiserver that clients such as kubectl see, with nothing in it but what an aggregated API says: discovery
 * and OpenAPI merged into its own, everything below the groups passed on with the caller's name.
 */
export async function startApiServer(aggregator: Aggregator, groups: readonly string[]): Promise<FakeApiServer> {
  const answer = async (req: IncomingMessage) => {
    const path = (req.url ?? "").split("?")[0] ?? "";
    if (path === "/version")
      return { type: "application/json", body: JSON.stringify({ major: "1", minor: "36", gitVersion: "v1.36.2" }) };
    if (path === "/api") return { type: aggregatedType, body: JSON.stringify(empty) };
    if (path === "/apis") return { type: aggregatedType, body: JSON.stringify((await aggregator.discover()).document) };
    if (path === "/openapi/v3")
      return { type: "application/json", body: JSON.stringify({ paths: await aggregator.openApiV3() }) };
    if (groups.some((group) => path.startsWith(`/apis/${group}/`) || path.startsWith(`/openapi/v3/apis/${group}/`))) {
      const body = await bodyOf(req);
      const headers = Object.fromEntries(
        ["accept", "content-type"].flatMap((name) => {
          const value = req.headers[name];
          return typeof value === "string" ? [[name, value]] : [];
        }),
      );
      const method = req.method ?? "GET";
      const passed = await aggregator.exchange({
        method,
        path: req.url ?? "",
        caller: me,
        headers,
        ...(body.length > 0 ? { body } : {}),
      });
      return { type: String(passed.headers["content-type"]), body: passed.text, status: passed.status };
    }
    return {
      type: "application/json",
      body: `{"kind":"Status","apiVersion":"v1","status":"Failure","code":404}`,
      status: 404,
    };
  };
  const server = createServer((req, res) => {
    answer(req).then(
      ({ type, body, status = 200 }: { type: string; body: string; status?: number }) =>
        res.writeHead(status, { "content-type": type }).end(body),
      () => res.writeHead(503).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function bodyOf(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
