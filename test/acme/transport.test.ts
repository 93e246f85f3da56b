import { webcrypto } from "node:crypto";
import { createServer as createHttpServer, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import * as x509 from "@peculiar/x509";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { createAcmeClient } from "../../src/acme/client.ts";
import { ExchangeError } from "../../src/acme/exchange-error.ts";
import { createTransport, type Transport } from "../../src/acme/transport.ts";
import { ConfigError, TransientError } from "../../src/core/errors.ts";
import { accountKey, failureOf, fastClock, never } from "./support.ts";

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const close of closers.splice(0).toReversed()) await close();
});

async function listen(
  server: Server | ReturnType<typeof createTcpServer>,
): Promise<{ port: number; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

function transport(options: Partial<Parameters<typeof createTransport>[0]> = {}): Transport {
  const made = createTransport({ env: {}, ...options });
  closers.push(() => made.close());
  return made;
}

const get = (url: string, signal = never) => ({ method: "GET", url, headers: {}, signal }) as const;
const until = async (done: () => boolean) => {
  while (!done()) await new Promise((resolve) => setImmediate(resolve));
};

let tlsKey: string;
let tlsCert: string;
beforeAll(async () => {
  x509.cryptoProvider.set(webcrypto);
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=API of a private CA",
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date(Date.now() - 3_600_000),
    notAfter: new Date(Date.now() + 86_400_000),
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.SubjectAlternativeNameExtension([
        { type: "dns", value: "localhost" },
        { type: "dns", value: "ca.example.test" },
      ]),
    ],
  });
  tlsCert = certificate.toString("pem");
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  tlsKey = `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`;
});

describe("connections", () => {
  it("are kept and used again", async () => {
    let connections = 0;
    const server = createHttpServer((_, response) => void response.end("{}"));
    server.on("connection", () => {
      connections += 1;
    });
    const { port } = await listen(server);
    const client = transport();
    for (let i = 0; i < 5; i++) await client.send(get(`http://127.0.0.1:${port}/`));
    expect(connections).toBe(1);
  });

  it("and requests end within 50 ms of an abort, leaving no socket", async () => {
    const server = createHttpServer(() => {});
    const { port, sockets } = await listen(server);
    const client = transport();
    const stop = new AbortController();
    const sent = client.send(get(`http://127.0.0.1:${port}/`, stop.signal));
    await until(() => sockets.size === 1);
    stop.abort();
    const winner = await Promise.race([
      failureOf(sent),
      new Promise((resolve) => setTimeout(() => resolve("late"), 50)),
    ]);
    expect(winner).toBe(stop.signal.reason);
    await until(() => sockets.size === 0);
  });

  it("end when the client is closed, and none is opened afterwards", async () => {
    const { port, sockets } = await listen(createHttpServer(() => {}));
    const client = transport();
    const sent = failureOf(client.send(get(`http://127.0.0.1:${port}/`)));
    await until(() => sockets.size === 1);
    client.close();
    expect((await sent).message).toContain("closed");
    await until(() => sockets.size === 0);
    expect((await failureOf(client.send(get(`http://127.0.0.1:${port}/`)))).message).toContain("closed");
  });

  it("that never become one are given up after the connect time-out", async () => {
    // Accepts TCP and says nothing: the TLS handshake hangs.
    const { port } = await listen(createTcpServer(() => {}));
    const error = await failureOf(transport({ connectTimeoutMs: 30 }).send(get(`https://localhost:${port}/`)));
    expect(error).toMatchObject({ sent: false, timeout: true });
  });

  it("that give no complete answer are given up after the total time-out", async () => {
    const server = createHttpServer((_, response) => void response.write("a little"));
    const { port } = await listen(server);
    const error = await failureOf(transport({ totalTimeoutMs: 60 }).send(get(`http://127.0.0.1:${port}/`)));
    expect(error).toMatchObject({ sent: true, timeout: true });
  });

  it("closed by the server in between are told from trouble", async () => {
    const server = createHttpServer((request, response) => {
      if (request.url === "/second") request.socket.destroy();
      else response.end("{}");
    });
    const { port } = await listen(server);
    const client = transport();
    await client.send(get(`http://127.0.0.1:${port}/first`));
    expect(await failureOf(client.send(get(`http://127.0.0.1:${port}/second`)))).toMatchObject({
      stale: true,
      sent: true,
    });
  });
});

describe("answers", () => {
  it.each([
    ["Content-Length", (body: string) => ({ "content-length": String(body.length * 2) })],
    ["chunks", () => ({ "transfer-encoding": "chunked" })],
  ])("cut off are no answers: %s", async (_, headers) => {
    const server = createHttpServer((request, response) => {
      response.writeHead(200, headers('{"a":1}'));
      response.write('{"a":1}');
      setImmediate(() => request.socket.destroy());
    });
    const { port } = await listen(server);
    const error = await failureOf(transport().send(get(`http://127.0.0.1:${port}/`)));
    expect(error).toBeInstanceOf(ExchangeError);
    expect(error).toMatchObject({ sent: true });
  });

  it("that are compressed although that was not asked for are read, and not beyond a mebibyte", async () => {
    const asked: unknown[] = [];
    const server = createHttpServer((request, response) => {
      asked.push(request.headers["accept-encoding"]);
      const body = request.url === "/bomb" ? Buffer.alloc(1 << 22) : '{"a":1}';
      response.writeHead(200, { "content-encoding": "gzip" }).end(request.method === "HEAD" ? "" : gzipSync(body));
    });
    const { port } = await listen(server);
    const client = transport();
    const at = (path: string) => get(`http://127.0.0.1:${port}${path}`);
    expect((await client.send(at("/"))).body.toString()).toBe('{"a":1}');
    expect((await client.send({ ...at("/"), method: "HEAD" })).body).toHaveLength(0);
    expect(await failureOf(client.send(at("/bomb")))).toBeInstanceOf(ExchangeError);
    expect(asked).toEqual(["identity", "identity", "identity"]);
  });

  it("larger than a mebibyte are refused", async () => {
    const server = createHttpServer((_, response) => void response.end(Buffer.alloc((1 << 20) + 1)));
    const { port } = await listen(server);
    expect((await failureOf(transport().send(get(`http://127.0.0.1:${port}/`)))).message).toContain("larger than");
  });
});

describe("trust", () => {
  const serve = async () => {
    const { port } = await listen(
      createHttpsServer({ key: tlsKey, cert: tlsCert }, (_, response) => void response.end("{}")),
    );
    return port;
  };

  it("in a private CA comes with its root", async () => {
    const port = await serve();
    const answer = await transport({ caRoot: tlsCert }).send(get(`https://localhost:${port}/`));
    expect(answer.status).toBe(200);
  });

  it("is not given up by a redirect from TLS to plain HTTP", async () => {
    const asked: string[] = [];
    const plain = await listen(
      createHttpServer((request, response) => {
        asked.push(request.url ?? "");
        response.end("{}");
      }),
    );
    const location = `http://127.0.0.1:${plain.port}/directory`;
    const { port } = await listen(
      createHttpsServer({ key: tlsKey, cert: tlsCert }, (_, response) => response.writeHead(302, { location }).end()),
    );
    const options = { directoryUrl: `https://localhost:${port}/directory`, accountKey, caRoot: tlsCert };
    const client = await createAcmeClient(options, { userAgent: "dns01/test", clock: fastClock(), env: {} });
    const error = await failureOf(client.directory(never));
    expect(error.message).toContain(`redirects to ${location}`);
    expect(asked).toEqual([]);
    client.close();
  });

  it("is not given to every server by NODE_TLS_REJECT_UNAUTHORIZED=0", async () => {
    vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
    const port = await serve();
    const error = await failureOf(transport().send(get(`https://localhost:${port}/`)));
    expect(error).toMatchObject({ cause: { code: "DEPTH_ZERO_SELF_SIGNED_CERT" } });
  });

  it("is missing without it: TransientError that names --ca-root, after one attempt", async () => {
    const port = await serve();
    const clock = fastClock();
    const directoryUrl = `https://localhost:${port}/directory`;
    const client = await createAcmeClient({ directoryUrl, accountKey }, { userAgent: "dns01/test", clock, env: {} });
    const error = await failureOf(client.directory(never));
    if (!(error instanceof TransientError)) throw error;
    expect(error.hint).toContain("--ca-root");
    expect(error.message).toContain(directoryUrl);
    expect(client.requests).toBe(1);
    client.close();
  });

  it("in a root that cannot be read is refused when it is given", async () => {
    const options = { directoryUrl: "https://localhost/", accountKey };
    for (const caRoot of ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]) {
      const error = await failureOf(createAcmeClient({ ...options, caRoot }, { userAgent: "dns01/test" }));
      expect(error).toBeInstanceOf(ConfigError);
    }
  });

  it("does not extend to plain HTTP, except on this machine", async () => {
    const error = await failureOf(transport().send(get("http://ca.example.test/directory")));
    expect(error).toMatchObject({ permanent: true, sent: false });
  });

  it("finds a plain HTTP server behind https and says so", async () => {
    const { port } = await listen(createHttpServer((_, response) => void response.end()));
    const error = await failureOf(transport().send(get(`https://localhost:${port}/`)));
    expect(error).toMatchObject({ permanent: true, sent: false });
    expect(error.message).toContain("no TLS there");
  });
});

describe("a CA that cannot be reached", () => {
  it("is TransientError after four attempts", async () => {
    const { port } = await listen(createTcpServer((socket) => void socket.destroy()));
    const clock = fastClock();
    const client = await createAcmeClient(
      { directoryUrl: `http://127.0.0.1:${port}/`, accountKey },
      { userAgent: "dns01/test", clock, env: {} },
    );
    expect(await failureOf(client.directory(never))).toBeInstanceOf(TransientError);
    expect(client.requests).toBe(4);
    client.close();
  });
});

describe("proxies", () => {
  it("carry TLS to the CA by CONNECT, with the credentials of the address", async () => {
    const target = await listen(
      createHttpsServer({ key: tlsKey, cert: tlsCert }, (_, response) => void response.end("{}")),
    );
    const asked: unknown[] = [];
    const proxy = createHttpServer();
    proxy.on("connect", (request, socket: Socket) => {
      asked.push([request.url, request.headers["proxy-authorization"]]);
      const upstream = connect(target.port, "127.0.0.1", () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
        upstream.pipe(socket).pipe(upstream);
      });
      upstream.on("error", () => socket.destroy());
      socket.on("error", () => upstream.destroy());
    });
    const { port } = await listen(proxy);
    const client = transport({ caRoot: tlsCert, env: { HTTPS_PROXY: `http://me:s%40cret@127.0.0.1:${port}` } });
    for (let i = 0; i < 2; i++) expect((await client.send(get("https://ca.example.test/directory"))).status).toBe(200);
    expect(asked).toEqual([["ca.example.test:443", `Basic ${Buffer.from("me:s@cret").toString("base64")}`]]);
  });

  it("that refuse are named without their password", async () => {
    const proxy = createHttpServer();
    proxy.on("connect", (_, socket: Socket) => void socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"));
    const { port } = await listen(proxy);
    const client = transport({ env: { https_proxy: `http://me:hidden@127.0.0.1:${port}` } });
    const error = await failureOf(client.send(get("https://ca.example.test/")));
    expect(error.message).toContain(`the proxy 127.0.0.1:${port} answered 407`);
    expect(error.message).not.toContain("hidden");
    expect(error).toMatchObject({ sent: false });
  });

  it("are told a password with a percent sign that begins no escape", async () => {
    const logins: unknown[] = [];
    const proxy = createHttpServer();
    proxy.on("connect", (request, socket: Socket) => {
      logins.push(request.headers["proxy-authorization"]);
      socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    });
    const { port } = await listen(proxy);
    const client = transport({ env: { https_proxy: `http://me:50%off%40x@127.0.0.1:${port}` } });
    expect(await failureOf(client.send(get("https://ca.example.test/")))).toMatchObject({ sent: false });
    expect(logins).toEqual([`Basic ${Buffer.from("me:50%off@x").toString("base64")}`]);
  });
});
