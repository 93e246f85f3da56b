import { once } from "node:events";
import { connect, type TLSSocket } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { certManager, kubeAggregator } from "../fakes/aggregator.ts";
import { group, type Harness, startHarness, until } from "./harness.ts";
import { clientAuth, makeCa } from "./pki.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.close());

const sockets: TLSSocket[] = [];
afterEach(() => {
  vi.useRealTimers();
  for (const socket of sockets.splice(0)) socket.destroy();
});

interface Peer {
  readonly socket: TLSSocket;
  readonly received: () => string;
  readonly isOpen: () => boolean;
}

/** Connects and collects what the server says. */
async function open(pair: { readonly cert?: string; readonly key?: string } = {}): Promise<Peer> {
  const { cert, key } = pair;
  const own = cert === undefined || key === undefined ? {} : { cert, key };
  const socket = connect({ host: "127.0.0.1", port: harness.port, rejectUnauthorized: false, ...own });
  sockets.push(socket);
  let received = "";
  let isOpen = true;
  socket.on("data", (piece) => (received += String(piece)));
  socket.on("close", () => (isOpen = false));
  socket.on("end", () => (isOpen = false));
  socket.on("error", () => {});
  await once(socket, "secureConnect");
  return { socket, received: () => received, isOpen: () => isOpen };
}

const head = (path: string, more = "", method = "GET") => `${method} ${path} HTTP/1.1\r\nHost: dns01\r\n${more}`;
const filler = (kib: number) => `X-Filler: ${"x".repeat(kib * 1024)}\r\n`;
const identity = `X-Remote-User: ${certManager.user}\r\n`;

describe("headers", () => {
  test("of a peer without a certificate end at 16 KiB", async () => {
    const fits = await open();
    fits.socket.write(`${head("/healthz", filler(15))}\r\n`);
    await until(() => fits.received().startsWith("HTTP/1.1 200 "));
    const large = await open();
    large.socket.write(`${head("/healthz", filler(17))}\r\n`);
    await until(() => large.received().startsWith("HTTP/1.1 431 "));
    await until(() => !large.isOpen());
  });

  test("of a peer with a certificate of another CA end at 16 KiB", async () => {
    const other = await makeCa("other-ca");
    const peer = await open(await other.issue("front-proxy-client", { usages: [clientAuth] }));
    peer.socket.write(head("/apis", identity + filler(17)));
    await until(() => peer.received().startsWith("HTTP/1.1 431 "));
  });

  test("of the API server end at 32 KiB", async () => {
    const fits = await open(harness.pki.frontProxy);
    fits.socket.write(`${head("/apis", identity + filler(31))}\r\n`);
    await until(() => fits.received().startsWith("HTTP/1.1 200 "));
    const large = await open(harness.pki.frontProxy);
    large.socket.write(`${head("/apis", identity + filler(33))}\r\n`);
    await until(() => large.received().startsWith("HTTP/1.1 431 "));
  });

  test("that do not arrive within five seconds end the connection of a stranger, not that of the API server", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const stranger = await open();
    const proxy = await open(harness.pki.frontProxy);
    stranger.socket.write(head("/healthz"));
    proxy.socket.write(head("/apis", identity));
    await vi.advanceTimersByTimeAsync(4_900);
    expect(stranger.isOpen()).toBe(true);
    await vi.advanceTimersByTimeAsync(200);
    vi.useRealTimers();
    await until(() => stranger.received().startsWith("HTTP/1.1 408 "));
    proxy.socket.write("\r\n");
    await until(() => proxy.received().startsWith("HTTP/1.1 200 "));
  });
});

describe("a body that nothing reads ends the connection", () => {
  const chunked = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
  const chunk = `4000\r\n${"x".repeat(0x4000)}\r\n`;

  test.each([
    ["a stranger's challenge", 401, head(`/apis/${group}/v1alpha1/dnspod`, chunked, "POST"), false],
    ["a stranger's look at the health", 200, head("/healthz", chunked), false],
    [
      "a user who may not call",
      403,
      head(`/apis/${group}/v1alpha1/dnspod`, `X-Remote-User: eve\r\n${chunked}`, "POST"),
      true,
    ],
    [
      "a user who may not call, announced by its length",
      403,
      head(`/apis/${group}/v1alpha1/dnspod`, "X-Remote-User: eve\r\nContent-Length: 9000000000\r\n\r\n", "POST"),
      true,
    ],
  ])("of %s: %i", async (_name, status, text, hasCertificate) => {
    const peer = await open(hasCertificate ? harness.pki.frontProxy : {});
    peer.socket.write(text);
    let sent = 0;
    const send = () => {
      while (peer.isOpen() && sent < 64 * 1024 * 1024) {
        sent += chunk.length;
        if (!peer.socket.write(chunk)) return void peer.socket.once("drain", send);
      }
    };
    send();
    await until(() => peer.received().startsWith(`HTTP/1.1 ${status} `));
    expect(peer.received().toLowerCase()).toContain("\r\nconnection: close\r\n");
    await until(() => !peer.isOpen());
    expect(sent).toBeLessThan(16 * 1024 * 1024);
  });

  test("a small one of the API server does not", async () => {
    const aggregator = harness.aggregator({ connections: 1 });
    for (let i = 0; i < 3; i++) expect((await aggregator.challenge(group, "nosuch")).status).toBe(404);
    expect(aggregator.dialled).toBe(1);
  });
});

test("of requests that a stranger sends in one packet only the first is judged, those of the API server all are", async () => {
  const refusals = async () =>
    Number(/refused_total\{reason="Unauthorized"\} (\d+)/.exec(await harness.metrics.text())?.[1]);
  const stranger = await open();
  stranger.socket.write(`${head("/apis")}\r\n`);
  await until(() => !stranger.isOpen());
  const before = await refusals();
  const other = await open();
  other.socket.write(`${head("/apis")}\r\n`.repeat(200));
  await until(() => !other.isOpen());
  expect(await refusals()).toBe(before + 1);
  const proxy = await open(harness.pki.frontProxy);
  proxy.socket.write(`${head("/apis", identity)}\r\n`.repeat(3));
  await until(() => proxy.received().split("HTTP/1.1 200 ").length === 4);
});

test("of many strangers the oldest goes; the API server's connections stay, and it can open new ones", async () => {
  const kept = harness.aggregator({ connections: 1 });
  expect((await kept.challenge(group, "dnspod")).status).toBe(201);
  const first = await open();
  const others: Peer[] = [];
  for (let i = 0; i < 130; i++) others.push(await open());
  await until(() => !first.isOpen());
  expect(others.at(-1)?.isOpen()).toBe(true);
  expect(others.filter((other) => other.isOpen()).length).toBeLessThanOrEqual(128);
  expect((await kept.challenge(group, "dnspod")).status).toBe(201);
  expect(kept.dialled).toBe(1);
  const fresh = harness.aggregator({ connections: 150 });
  const answers = await Promise.all(Array.from({ length: 150 }, () => fresh.challenge(group, "dnspod")));
  expect(answers.filter(({ status }) => status !== 201)).toEqual([]);
  const probe = await fresh.exchange({ path: "/apis", caller: kubeAggregator });
  expect(probe.status).toBe(200);
});
