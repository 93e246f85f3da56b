import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import { nameFromLabels } from "../../src/core/name.ts";
import { decodeMessage, emptyMessage, encodeMessage, txtStrings, txtValue } from "../../src/dns/codec.ts";
import { createDohExchange, DohError } from "../../src/dns/doh.ts";
import type { Ask } from "../../src/dns/exchange.ts";

const owner = nameFromLabels(["_acme-challenge", "example", "test"]);
const type = "application/dns-message";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

type Handler = (request: IncomingMessage, body: Uint8Array, response: ServerResponse) => void;

async function serve(handler: Handler): Promise<URL> {
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => handler(request, Buffer.concat(pieces), response));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(
    () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  );
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return new URL(`http://127.0.0.1:${address.port}/dns-query`);
}

const answering =
  (change: object = {}, headers: Record<string, string> = { "content-type": type }): Handler =>
  (_, body, response) => {
    const { id, questions } = decodeMessage(body);
    const answer = { name: owner, class: "IN", ttl: 9, type: "TXT", strings: txtStrings("value") } as const;
    response.writeHead(200, headers);
    response.end(encodeMessage({ ...emptyMessage, id, questions, response: true, answers: [answer], ...change }));
  };

const status =
  (code: number, headers: Record<string, string> = {}): Handler =>
  (_, __, response) => {
    response.writeHead(code, headers);
    response.end("<html>no</html>");
  };

const ask = (change: Partial<Ask> = {}): Ask => ({
  name: owner,
  type: "TXT",
  signal: AbortSignal.timeout(10_000),
  ...change,
});

async function errorOf(work: Promise<unknown>): Promise<DohError> {
  const error = await work.then(
    () => undefined,
    (e: unknown) => e,
  );
  if (!(error instanceof DohError)) throw new Error(`expected a DohError, got ${String(error)}`);
  return error;
}

describe("a question over HTTPS", () => {
  test("is a POST of the wire format with id 0, its name in lower case, RD set", async () => {
    const seen: { method: string | undefined; headers: IncomingMessage["headers"]; body: Uint8Array }[] = [];
    const url = await serve((request, body, response) => {
      seen.push({ method: request.method, headers: request.headers, body });
      answering()(request, body, response);
    });
    const answer = await createDohExchange({ url })(ask({ dnssecOk: true, checkingDisabled: true }));
    expect(answer).toMatchObject({ transport: "doh", queries: { udp: 0, tcp: 0, doh: 1 }, warnings: [] });
    expect(answer.message.answers.map(txtValue)).toEqual(["value"]);
    const [{ method, headers, body } = { method: "", headers: {}, body: new Uint8Array() }] = seen;
    expect(method).toBe("POST");
    expect(headers).toMatchObject({ accept: type, "content-type": type });
    expect(decodeMessage(body)).toMatchObject({
      id: 0,
      recursionDesired: true,
      checkingDisabled: true,
      edns: { dnssecOk: true },
    });
    expect(Buffer.from(body).toString("latin1")).toContain("_acme-challenge");
  });

  test("hands every rcode on", async () => {
    const url = await serve(answering({ rcode: "SERVFAIL", answers: [] }));
    expect((await createDohExchange({ url })(ask())).message.rcode).toBe("SERVFAIL");
  });

  test("accepts parameters behind the media type", async () => {
    const url = await serve(answering({}, { "content-type": "Application/DNS-Message; charset=x" }));
    expect((await createDohExchange({ url })(ask())).message.answers).toHaveLength(1);
  });
});

describe("what is no answer", () => {
  test.each([403, 404, 500, 502])("HTTP status %i is told", async (code) => {
    const error = await errorOf(createDohExchange({ url: await serve(status(code)) })(ask()));
    expect(error).toMatchObject({ kind: "broken", status: code, retryAfterMs: undefined });
    expect(error.message).toContain(String(code));
  });

  test("429 carries Retry-After in both forms", async () => {
    const seconds = await serve(status(429, { "retry-after": "7" }));
    expect((await errorOf(createDohExchange({ url: seconds })(ask()))).retryAfterMs).toBe(7000);
    const date = await serve(status(503, { "retry-after": new Date(Date.now() + 60_000).toUTCString() }));
    const { retryAfterMs } = await errorOf(createDohExchange({ url: date })(ask()));
    expect(retryAfterMs).toBeGreaterThan(50_000);
    expect(retryAfterMs).toBeLessThanOrEqual(60_000);
    const nonsense = await serve(status(429, { "retry-after": "soon" }));
    expect((await errorOf(createDohExchange({ url: nonsense })(ask()))).retryAfterMs).toBeUndefined();
  });

  test("a redirect is not followed", async () => {
    let asked = 0;
    const target = await serve((...args) => {
      asked += 1;
      answering()(...args);
    });
    const error = await errorOf(createDohExchange({ url: await serve(status(307, { location: target.href })) })(ask()));
    expect(error).toMatchObject({ kind: "broken", status: 307 });
    expect(error.message).toContain(`redirects to ${target.href} (HTTP status 307)`);
    expect(asked).toBe(0);
    const secret = await serve(status(302, { location: "/real?token=hidden" }));
    const { message } = await errorOf(createDohExchange({ url: secret })(ask()));
    expect(message).toMatch(/redirects to http:\/\/127\.0\.0\.1:\d+\/real \(/);
  });

  test.each([
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "NODE_EXTRA_CA_CERTS"],
    ["ECONNRESET", "40B2E9EF407F0000:error"],
  ])("a connection that fails with %s is told in words", async (code, words) => {
    const cause = Object.assign(new Error("40B2E9EF407F0000:error:0A000460:SSL routines"), { code });
    const send = () => Promise.reject(new TypeError("fetch failed", { cause }));
    const error = await errorOf(createDohExchange({ url: new URL("https://dns.example/"), fetch: send })(ask()));
    expect(error).toMatchObject({ kind: "silent", message: expect.stringContaining(words) });
  });

  test.each<[string, Handler]>([
    ["HTML with status 200", status(200, { "content-type": "text/html" })],
    ["octets that are no DNS message", status(200, { "content-type": type })],
    ["an answer to another question", answering({ questions: [{ name: owner, type: "A", class: "IN" }] })],
    ["another id", answering({ id: 7 })],
    ["a query", answering({ response: false })],
    [
      "an endless body",
      (_, __, response) => {
        response.writeHead(200, { "content-type": type });
        response.end(Buffer.alloc(200_000));
      },
    ],
  ])("%s is broken", async (_, handler) => {
    expect((await errorOf(createDohExchange({ url: await serve(handler) })(ask()))).kind).toBe("broken");
  });

  test("a refused connection is silent", async () => {
    const url = await serve(answering());
    for (const close of closers.splice(0)) await close();
    const error = await errorOf(createDohExchange({ url })(ask()));
    expect(error.kind).toBe("silent");
    expect(error.message).toContain("connection refused");
  });

  test("silence ends with a time-out", async () => {
    const fast: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 100, signal) };
    const url = await serve(() => {});
    const error = await errorOf(createDohExchange({ url, clock: fast })(ask()));
    expect(error).toMatchObject({ kind: "silent" });
    expect(error.message).toContain("within 5 s");
  });

  test("a body that stops in the middle ends with a time-out", async () => {
    const fast: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 100, signal) };
    const url = await serve((_, __, response) => {
      response.writeHead(200, { "content-type": type });
      response.write("x");
    });
    expect((await errorOf(createDohExchange({ url, clock: fast })(ask()))).kind).toBe("silent");
  });

  test("no error shows what is secret in the address", async () => {
    const url = await serve(status(403));
    url.search = "?token=hidden";
    expect((await errorOf(createDohExchange({ url })(ask()))).message).not.toContain("hidden");
  });
});

describe("abort", () => {
  test("ends a request at once with the signal's reason", async () => {
    const stop = new AbortController();
    const reason = new Error("enough");
    const url = await serve(() => stop.abort(reason));
    await expect(createDohExchange({ url })(ask({ signal: stop.signal }))).rejects.toBe(reason);
  });

  test("before the start sends nothing", async () => {
    let asked = 0;
    const url = await serve(() => {
      asked += 1;
    });
    await expect(createDohExchange({ url })(ask({ signal: AbortSignal.abort(new Error("no")) }))).rejects.toThrow("no");
    expect(asked).toBe(0);
  });
});
