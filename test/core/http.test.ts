import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { parseRetryAfter } from "../../src/core/http-error.ts";
import { byHttpStatus, createHttp, HttpError } from "../../src/http.ts";
import { RejectedError } from "../../src/index.ts";

const running: { close(): void }[] = [];
afterEach(() => {
  for (const server of running.splice(0)) server.close();
});

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

async function serve(answer: (response: ServerResponse, seen: Seen) => void) {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const one = { method: request.method, url: request.url, headers: request.headers, body };
    seen.push(one);
    answer(response, one);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  running.push({
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  });
  return { seen, base: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/` };
}

const { signal } = new AbortController();

test("sends JSON with the headers of the connection, and returns the parsed answer", async () => {
  const { base, seen } = await serve((response) => response.end('{"ok":true}'));
  const api = createHttp()(base, { authorization: "Bearer t" });
  const query = { name: "a&b", page: 2, left: undefined };
  expect(await api("/zones", { query, body: { x: 1 }, signal })).toEqual({ ok: true });
  expect(seen[0]).toMatchObject({ method: "POST", url: "/v1/zones?name=a%26b&page=2", body: '{"x":1}' });
  expect(seen[0]?.headers).toMatchObject({ authorization: "Bearer t", "content-type": "application/json" });
});

test("sends forms, and takes an empty answer for undefined", async () => {
  const { base, seen } = await serve((response) => response.writeHead(204).end());
  const api = createHttp()(base);
  expect(await api("x", { method: "PUT", body: new URLSearchParams({ a: "1 2" }), signal })).toBeUndefined();
  expect(seen[0]).toMatchObject({ method: "PUT", body: "a=1+2" });
  expect(seen[0]?.headers["content-type"]).toBe("application/x-www-form-urlencoded");
});

test("a status of 400 and above is an HttpError with what the service said, without the query", async () => {
  const { base } = await serve((response) =>
    response
      .writeHead(429, { "retry-after": "7", "x-id": "r1" })
      .end('{"errors":[{"code":971,"message":"Please wait"}]}'),
  );
  const error: unknown = await createHttp()(base)("zones", { query: { token: "s3cret" }, signal }).catch(
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(HttpError);
  expect(error).toMatchObject({ status: 429, retryAfterMs: 7000, headers: { "x-id": "r1" } });
  expect((error as Error).message).toMatch(
    /^GET http:\/\/127\.0\.0\.1:\d+\/v1\/zones: 429 Too Many Requests: Please wait \(971\)$/,
  );
});

test("a page of HTML is not shown, and behind a 200 is worth another try", async () => {
  const { base } = await serve((response, { url }) =>
    response.writeHead(url?.endsWith("bad") ? 502 : 200).end("<html>oops"),
  );
  const api = createHttp()(base);
  await expect(api("bad", { signal })).rejects.toThrow(/502 Bad Gateway$/);
  await expect(api("good", { signal })).rejects.toMatchObject({ code: "TRANSIENT" });
});

test.each([400, 404, 409, 410, 412])("a proxy's page with status %i is not an HttpError", async (status) => {
  const { base } = await serve((response) =>
    response.writeHead(status).end("<!-- a proxy -->\n<!DOCTYPE html><title>no</title>"),
  );
  const error: unknown = await createHttp()(base)("zones", { signal }).catch((thrown: unknown) => thrown);
  expect(error).not.toBeInstanceOf(HttpError);
  expect(error).toMatchObject({ code: "REJECTED", nothingWritten: false, serviceCode: String(status) });
  expect((error as Error).message).not.toContain("127.0.0.1");
});

test("a proxy's page that is XHTML is not an HttpError either, other XML is", async () => {
  const { base } = await serve((response) => {
    const xml = '<?xml version="1.0" encoding="UTF-8"?>\n';
    const page = response.req.url?.endsWith("/page") ? '<!DOCTYPE html PUBLIC "x"><html></html>' : "<Error/>";
    response.writeHead(404).end(xml + page);
  });
  await expect(createHttp()(base)("page", { signal })).rejects.toMatchObject({ code: "REJECTED" });
  await expect(createHttp()(base)("error", { signal })).rejects.toBeInstanceOf(HttpError);
});

test.each([401, 403, 408, 425, 429])("a proxy's page with status %i counts as the service's own", async (status) => {
  const { base } = await serve((response) => response.writeHead(status).end("<html>no</html>"));
  await expect(createHttp()(base)("zones", { signal })).rejects.toBeInstanceOf(HttpError);
});

test("masks secrets before it shortens what the service said", async () => {
  const secret = "s3cret-of-the-account";
  const { base } = await serve((response) => {
    response.writeHead(400, { "content-type": "application/json" });
    response.end(JSON.stringify({ message: `${"x".repeat(290)} ${secret}` }));
  });
  const api = createHttp({ redact: (text) => text.replaceAll(secret, "***") })(base);
  const error: unknown = await api("zones", { signal }).catch((thrown: unknown) => thrown);
  expect(String(error)).toContain("xxx ***");
  expect(String(error)).not.toContain("s3cret");
  // Adapters make messages of the body themselves.
  expect(JSON.stringify((error as HttpError).body)).not.toContain("s3cret");
});

test("does not follow a redirect with its credentials", async () => {
  const { base, seen } = await serve((response) =>
    response.writeHead(302, { location: "http://127.0.0.1:1/?q" }).end(),
  );
  const error: unknown = await createHttp()(base)("x", { signal }).catch((e: unknown) => e);
  expect(error).toMatchObject({ status: 302 });
  expect((error as Error).message).toContain("(redirected to http://127.0.0.1:1/, which is not followed)");
  expect(seen).toHaveLength(1);
});

test("ends with the signal", async () => {
  const { base } = await serve(() => {});
  const stop = new AbortController();
  const work = createHttp()(base)("x", { signal: stop.signal });
  stop.abort(new Error("enough"));
  await expect(work).rejects.toThrow("enough");
});

test("byHttpStatus maps the statuses it names and leaves the rest", () => {
  const classify = byHttpStatus({ 404: RejectedError });
  const http = (status: number) => new HttpError("words", { status, body: undefined, headers: {} });
  expect(classify(http(404))).toBeInstanceOf(RejectedError);
  expect(classify(http(404))?.message).toBe("words");
  expect(classify(http(500))).toBeUndefined();
  expect(classify(new Error("x"))).toBeUndefined();
});

test.each([
  ["120", undefined, 120_000],
  ["0", undefined, 0],
  ["Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:27:30 GMT", 30_000],
  ["Wed, 21 Oct 2026 07:28:00 GMT", undefined, 60_000],
  ["Wed, 21 Oct 2020 07:28:00 GMT", undefined, 0],
  ["soon", undefined, undefined],
  ["", undefined, undefined],
  [null, undefined, undefined],
  ["-5", undefined, undefined],
])("Retry-After %j at %j is %s ms", (value, date, ms) => {
  expect(parseRetryAfter(value, date, Date.parse("Wed, 21 Oct 2026 07:27:00 GMT"))).toBe(ms);
});
