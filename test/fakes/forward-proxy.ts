import { createServer, request as httpRequest, type IncomingMessage } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";

export interface ForwardProxy {
  /** "127.0.0.1:PORT" */
  readonly host: string;
  /** What was asked of it, in order: "CONNECT host:443", "GET http://host/path". */
  readonly asked: readonly string[];
  /** Connections of clients that are open. */
  readonly connections: number;
  close(): Promise<void>;
}

export interface ForwardProxyOptions {
  /** "user:password"; without it 407 is answered. Default: no login is required. */
  readonly login?: string;
  /** The status of every answer, instead of passing requests on. */
  readonly answer?: number;
}

/** A proxy as offices run one: tunnels by CONNECT, plain requests by their whole address (RFC 9110 §9.3.6, 9112 §3.2.2). */
export async function startForwardProxy({ login, answer }: ForwardProxyOptions = {}): Promise<ForwardProxy> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const statusFor = ({ headers }: IncomingMessage): number | undefined => {
    const expected = login === undefined ? undefined : `Basic ${Buffer.from(login).toString("base64")}`;
    if (expected !== undefined && headers["proxy-authorization"] !== expected) return 407;
    return answer;
  };
  const server = createServer((incoming, response) => {
    asked.push(`${incoming.method} ${incoming.url}`);
    const status = statusFor(incoming);
    if (status !== undefined || !URL.canParse(incoming.url ?? "")) return void response.writeHead(status ?? 400).end();
    const { "proxy-authorization": _login, ...headers } = incoming.headers;
    const outgoing = httpRequest(incoming.url ?? "", { method: incoming.method, headers, agent: false });
    outgoing.on("response", (reply) => {
      response.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(response);
    });
    outgoing.on("error", () => response.destroy());
    response.on("close", () => outgoing.destroy());
    incoming.pipe(outgoing);
  });
  server.on("connect", (request, socket: Socket) => {
    asked.push(`CONNECT ${request.url}`);
    const status = statusFor(request);
    if (status !== undefined) return void socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
    const { hostname, port } = new URL(`http://${request.url}`);
    const upstream = connect(Number(port || 80), hostname, () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on("error", () => socket.destroy()).on("close", () => socket.destroy());
    socket.on("error", () => upstream.destroy()).on("close", () => upstream.destroy());
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    get connections() {
      return sockets.size;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
