import { createSocket } from "node:dgram";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import {
  createSecureServer,
  type Http2SecureServer,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { cli, issueArgs } from "../real/lab/cli.ts";
import { makeCa } from "../webhook/pki.ts";

const mediaType = "application/dns-message";

let box: Sandbox;
let server: Http2SecureServer;
let dir: string;
let url: string;
let sessions: ServerHttp2Session[];
let asked: number;
let answering: (stream: ServerHttp2Stream, answer: Buffer) => void;

/** A resolver that speaks HTTP/2 and nothing else, as some public ones do. */
beforeAll(async () => {
  box = await startSandbox({ seed: 7 });
  dir = mkdtempSync(join(tmpdir(), "dns01-doh2-"));
  const ca = await makeCa("doh-ca");
  const { cert, key } = await ca.issue("localhost", { names: ["localhost"] });
  writeFileSync(join(dir, "ca.pem"), ca.cert);
  server = createSecureServer({ cert, key });
  server.on("session", (session) => {
    sessions.push(session);
    session.on("error", () => {});
  });
  server.on("stream", (stream, headers) => {
    const pieces: Buffer[] = [];
    stream.on("error", () => {});
    stream.on("data", (piece: Buffer) => pieces.push(piece));
    stream.on("end", () => {
      asked++;
      expect(headers[":method"]).toBe("POST");
      const [address = "", port = ""] = box.resolver.split(":");
      const socket = createSocket("udp4");
      socket.on("message", (answer) => {
        socket.close();
        answering(stream, answer);
      });
      socket.send(Buffer.concat(pieces), Number(port), address);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `https://localhost:${(server.address() as AddressInfo).port}/dns-query`;
});
afterAll(async () => {
  for (const session of sessions) session.destroy();
  await new Promise((resolve) => server.close(resolve));
  await box.close();
  rmSync(dir, { recursive: true, force: true });
});
const answer = (stream: ServerHttp2Stream, octets: Buffer) => {
  stream.respond({ ":status": 200, "content-type": mediaType });
  stream.end(octets);
};
beforeEach(() => {
  sessions = [];
  asked = 0;
  answering = answer;
});

const env = () => ({
  ...box.env,
  DNS01_STATE: join(mkdtempSync(join(dir, "state-")), "state"),
  DNS01_RESOLVER: url,
  NODE_EXTRA_CA_CERTS: join(dir, "ca.pem"),
});
const issue = () => cli(issueArgs(["example.test", "*.example.test"], "--propagation", "both"), env());

test("a resolver with HTTP/2 only is asked over one connection", async () => {
  const done = await issue();
  expect(done.status, done.stderr).toBe(0);
  expect(asked).toBeGreaterThan(3);
  expect(sessions).toHaveLength(1);
});

test("a connection that the resolver ends after each answer is opened again", async () => {
  answering = (stream, octets) => {
    const { session } = stream;
    stream.once("close", () => session?.close());
    answer(stream, octets);
  };
  const done = await issue();
  expect(done.status, done.stderr).toBe(0);
  expect(sessions.length).toBeGreaterThan(1);
});

test.each<[string, (stream: ServerHttp2Stream) => void, string]>([
  ["a failure", (s) => s.respond({ ":status": 503, "retry-after": "1" }, { endStream: true }), "HTTP status 503"],
  ["a body without an end", (s) => s.respond({ ":status": 200, "content-type": mediaType }), "no answer within 5 s"],
  ["no answer at all", () => {}, "no answer within 5 s"],
  ["a stream that is reset", (s) => s.close(2), "NGHTTP2_INTERNAL_ERROR"],
  ["a connection that is cut", (s) => s.session?.destroy(), "closed without an answer"],
])(
  "%s is told, and nothing keeps the program alive",
  async (_, reply, words) => {
    answering = reply;
    const done = await cli(["check", "_acme-challenge.example.test", "v", "--json"], env());
    expect(done.status).toBe(4);
    expect(JSON.parse(done.stdout).error.message).toContain(words);
    expect(done.elapsedMs).toBeLessThan(25_000);
  },
  30_000,
);
