import { createSocket } from "node:dgram";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { cli, type Env, issueArgs } from "../real/lab/cli.ts";
import { makeCa } from "../webhook/pki.ts";

const mediaType = "application/dns-message";

let box: Sandbox;
let server: Server;
let dir: string;
let url: string;
/** Instead of an answer. */
let instead: ((response: ServerResponse) => void) | undefined;
let seen: string[];

beforeAll(async () => {
  box = await startSandbox({ seed: 6 });
  dir = mkdtempSync(join(tmpdir(), "dns01-doh-"));
  const ca = await makeCa("doh-ca");
  const { cert, key } = await ca.issue("localhost", { names: ["localhost"] });
  writeFileSync(join(dir, "ca.pem"), ca.cert);
  server = createServer({ cert, key }, (request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      const asked = Buffer.concat(pieces);
      seen.push(`${request.method} ${request.headers["content-type"]}`);
      if (instead !== undefined) instead(response);
      else forward(asked, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  url = `https://localhost:${address.port}/dns-query`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await box.close();
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(() => {
  instead = undefined;
  seen = [];
});

/** The sandbox's resolver, behind HTTPS. */
function forward(asked: Buffer, response: ServerResponse): void {
  const [address = "", port = ""] = box.resolver.split(":");
  const socket = createSocket("udp4");
  socket.on("message", (answer) => {
    socket.close();
    response.writeHead(200, { "content-type": mediaType });
    response.end(answer);
  });
  socket.send(asked, Number(port), address);
}

const env = (more: Env = {}): Env => ({
  ...box.env,
  DNS01_STATE: join(mkdtempSync(join(dir, "state-")), "state"),
  DNS01_RESOLVER: url,
  NODE_EXTRA_CA_CERTS: join(dir, "ca.pem"),
  ...more,
});

test.each(["recursive", "both"])(
  "a wildcard certificate, with everything found over DoH (--propagation %s)",
  async (mode) => {
    const done = await cli(issueArgs(["example.test", "*.example.test"], "--propagation", mode), env());
    expect(done.status, done.stderr).toBe(0);
    const { propagation } = JSON.parse(done.stdout) as { propagation: { servers: { name: string }[] } };
    expect(propagation.servers.map(({ name }) => name)).toContain(url);
    expect(new Set(seen)).toEqual(new Set([`POST ${mediaType}`]));
  },
  60_000,
);

test.each<[string, (response: ServerResponse) => void, string]>([
  ["a page", (r) => r.writeHead(200, { "content-type": "text/html" }).end("<html>"), 'answers with "text/html"'],
  ["a failure", (r) => r.writeHead(500).end(), "HTTP status 500"],
  [
    "a redirect",
    (r) => r.writeHead(307, { location: "/real" }).end(),
    "/real (HTTP status 307), which is not followed",
  ],
  ["nothing", () => {}, "no answer within 5 s"],
])(
  "%s instead of an answer is told, with the address",
  async (_, reply, words) => {
    instead = reply;
    const done = await cli(["check", "_acme-challenge.example.test", "v", "--json"], env());
    expect(done.status).toBe(4);
    const { error } = JSON.parse(done.stdout) as { error: { code: string; message: string } };
    expect(error).toMatchObject({ code: "TRANSIENT", message: expect.stringContaining(`resolver ${url}: `) });
    expect(error.message).toContain(words);
  },
  30_000,
);

test("a certificate of an unknown CA is told with the remedy", async () => {
  const done = await cli(
    ["check", "_acme-challenge.example.test", "v", "--json"],
    env({ NODE_EXTRA_CA_CERTS: undefined }),
  );
  expect(done.status).toBe(4);
  expect(JSON.parse(done.stdout).error.message).toContain("set NODE_EXTRA_CA_CERTS");
});
