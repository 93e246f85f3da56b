import { webcrypto } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import * as x509 from "@peculiar/x509";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { createRenewalInfoClient, type RenewalAnswer } from "../../src/acme/ari.ts";
import { renewalId } from "../../src/acme/renewal-id.ts";
import { fastClock, never } from "./support.ts";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
let keys: webcrypto.CryptoKeyPair;
beforeAll(async () => {
  x509.cryptoProvider.set(webcrypto);
  keys = await webcrypto.subtle.generateKey(algorithm, false, ["sign", "verify"]);
});

async function certificate(serialNumber: string, keyId: string | undefined): Promise<string> {
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber,
    name: "CN=leaf",
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      ...(keyId === undefined ? [] : [new x509.AuthorityKeyIdentifierExtension(keyId)]),
      new x509.SubjectAlternativeNameExtension([{ type: "dns", value: "example.test" }]),
    ],
  });
  return made.toString("pem");
}

describe("the identifier of RFC 9773", () => {
  const keyId = "69885b6b87464041e1b37b847ba0ae2cde01c8d4";

  it("is that of the RFC's example", async () => {
    expect(renewalId(await certificate("87654321", keyId))).toBe("aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
  });

  it.each([
    ["01", "01"],
    ["7f", "7f"],
    ["80", "0080"],
    ["ff00", "00ff00"],
    ["00ff", "00ff"],
    ["0012", "12"],
    ["80000000000000000000000000000000000001", "0080000000000000000000000000000000000001"],
  ])("of serial %s has the octets %s", async (serial, octets) => {
    const id = renewalId(await certificate(serial, keyId));
    expect(id).toBe(`aYhba4dGQEHhs3uEe6CuLN4ByNQ.${Buffer.from(octets, "hex").toString("base64url")}`);
  });

  it("is missing without a key identifier of the issuer, and for what is no certificate", async () => {
    expect(renewalId(await certificate("01", undefined))).toBeUndefined();
    expect(renewalId("no certificate")).toBeUndefined();
  });

  it("is that of the first certificate of a chain", async () => {
    const [leaf, issuer] = [await certificate("05", keyId), await certificate("06", keyId)];
    expect(renewalId(`${leaf}\n${issuer}`)).toBe(renewalId(leaf));
  });
});

interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A CA of nothing but a directory and renewal information; `paths` are the requests it got. */
async function startCa(reply: (n: number) => Reply | "reset", directory: object = {}) {
  const paths: string[] = [];
  let n = 0;
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    paths.push(request.url ?? "");
    if (request.url === "/dir") {
      const urls = { newNonce: `${origin}/n`, newAccount: `${origin}/a`, newOrder: `${origin}/o` };
      response.end(JSON.stringify({ ...urls, renewalInfo: `${origin}/ari`, ...directory }));
      return;
    }
    const answer = reply(++n);
    if (answer === "reset") {
      request.socket.destroy();
      return;
    }
    const { status = 200, headers = {}, body = "" } = answer;
    response.writeHead(status, headers);
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const directoryUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/dir`;
  const clock = fastClock();
  const client = createRenewalInfoClient({ directoryUrl, userAgent: "dns01/test", clock, env: {} });
  closing.push(() => {
    client.close();
    server.close();
    server.closeAllConnections();
  });
  return { client, paths, clock, ask: () => client.ask("a2V5.AIdl", never) };
}

const suggestedWindow = { start: "2026-01-02T04:00:00Z", end: "2026-01-03T04:00:00Z" };

describe("asking for renewal information", () => {
  it("answers with the window, the explanation and when to ask again, from <renewalInfo>/<certID>", async () => {
    const explanationURL = "https://ca.example/why";
    const { ask, paths } = await startCa(() => ({
      headers: { "retry-after": "21600" },
      body: { suggestedWindow, explanationURL },
    }));
    expect(await ask()).toEqual({
      kind: "window",
      start: new Date(suggestedWindow.start),
      end: new Date(suggestedWindow.end),
      explanationUrl: explanationURL,
      retryAfterMs: 21_600_000,
    });
    expect(paths).toEqual(["/dir", "/ari/a2V5.AIdl"]);
  });

  it.each([
    ["1", 60_000],
    ["59", 60_000],
    ["61", 61_000],
    ["86400", 86_400_000],
    ["999999", 86_400_000],
  ])("takes Retry-After %s for %i ms", async (seconds, ms) => {
    const { ask } = await startCa(() => ({ headers: { "retry-after": seconds }, body: { suggestedWindow } }));
    expect(await ask()).toMatchObject({ retryAfterMs: ms });
  });

  it("takes a Retry-After that is a date by the server's own clock", async () => {
    const at = (s: number) => new Date(1_700_000_000_000 + s * 1000).toUTCString();
    const headers = { date: at(0), "retry-after": at(3600) };
    const { ask } = await startCa(() => ({ headers, body: { suggestedWindow } }));
    expect(await ask()).toMatchObject({ retryAfterMs: 3_600_000 });
  });

  it("knows a CA without renewal information by its directory", async () => {
    const { ask, paths } = await startCa(() => ({ body: {} }), { renewalInfo: undefined });
    expect(await ask()).toEqual({ kind: "unsupported" });
    expect(paths).toEqual(["/dir"]);
  });

  it.each<[string, Reply]>([
    ["404 with a problem", { status: 404, body: { type: "urn:ietf:params:acme:error:malformed", detail: "unknown" } }],
    ["404 of a web server", { status: 404, body: "<html>" }],
    ["no window", { body: {} }],
    ["a window without an end", { body: { suggestedWindow: { start: suggestedWindow.start } } }],
    [
      "a window that ends before it starts",
      { body: { suggestedWindow: { start: suggestedWindow.end, end: suggestedWindow.start } } },
    ],
    ["a window of no length", { body: { suggestedWindow: { start: suggestedWindow.end, end: suggestedWindow.end } } }],
    ["times that are none", { body: { suggestedWindow: { start: "tomorrow", end: "2026-13-40T00:00:00Z" } } }],
    ["a list", { body: [] }],
  ])("calls %s a lasting failure", async (_, reply) => {
    const { ask } = await startCa(() => reply);
    expect(await ask()).toMatchObject({ kind: "failed", lasting: true });
  });

  it.each<[string, Reply | "reset"]>([
    ["503", { status: 503, body: "<html>" }],
    ["503 that asks for an hour", { status: 503, headers: { "retry-after": "3600" } }],
    [
      "429",
      { status: 429, headers: { "retry-after": "3600" }, body: { type: "urn:ietf:params:acme:error:rateLimited" } },
    ],
    ["a reset", "reset"],
    ["JSON that is cut off", { body: '{"suggestedWindow":' }],
  ])("calls %s a passing failure, without much waiting", async (_, reply) => {
    const { ask, clock } = await startCa(() => reply);
    expect(await ask()).toMatchObject({ kind: "failed", lasting: false });
    expect(clock.waits.reduce((a, b) => a + b, 0)).toBeLessThan(15_000);
  });

  it("gets over one answer that failed", async () => {
    const { ask } = await startCa((n) => (n === 1 ? { status: 503 } : { body: { suggestedWindow } }));
    expect(await ask()).toMatchObject({ kind: "window" });
  });

  it("shows no explanation that is not an address of the web", async () => {
    const { ask } = await startCa(() => ({ body: { suggestedWindow, explanationURL: "javascript:alert(1)" } }));
    const answer: RenewalAnswer = await ask();
    expect(answer.kind).toBe("window");
    expect(answer).not.toHaveProperty("explanationUrl");
  });

  it("asks for the directory once", async () => {
    const { ask, paths } = await startCa(() => ({ body: { suggestedWindow } }));
    await ask();
    await ask();
    expect(paths.filter((p) => p === "/dir")).toHaveLength(1);
  });

  it("throws nothing but the reason of its signal", async () => {
    const { client } = await startCa(() => ({ body: { suggestedWindow } }));
    const reason = new Error("enough");
    await expect(client.ask("a.b", AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
