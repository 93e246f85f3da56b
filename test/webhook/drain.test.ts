import { once } from "node:events";
import { connect as connectPlainly } from "node:net";
import { connect } from "node:tls";
import { afterEach, expect, test } from "vitest";
import { onAbort } from "../../src/core/on-abort.ts";
import { certManager, kubeAggregator, usualRequest } from "../fakes/aggregator.ts";
import { group, type Harness, startHarness, until } from "./harness.ts";

const open: Harness[] = [];
afterEach(async () => {
  for (const harness of open.splice(0)) await harness.close();
});

/** Solves when the test says so. */
async function startHanging(options: Parameters<typeof startHarness>[0] = {}) {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const harness = await startHarness({
    solve: async (_request, { signal }) => {
      await Promise.race([released, new Promise<void>((resolve) => onAbort(signal, resolve))]);
      return { success: true };
    },
    ...options,
  });
  open.push(harness);
  return { harness, release };
}

test("scenario 23: 50 open calls are all answered; readiness is off at once, and idle connections do not hold up the end", async () => {
  const { harness, release } = await startHanging();
  const aggregator = harness.aggregator({ connections: 60 });
  const idle = harness.aggregator();
  await idle.probe(group);
  const answers = Array.from({ length: 50 }, () => aggregator.challenge(group, "dnspod"));
  await until(() => harness.calls.length === 50);
  const ended = harness.stop(300);
  const ready = await idle.exchange({ path: "/readyz" });
  expect(ready.status).toBe(503);
  expect(ready.text).toContain("[-]shutdown failed");
  // Still serving during the delay; every answer sends its connection away.
  const during = await idle.exchange({ path: "/apis", caller: kubeAggregator });
  expect(during.status).toBe(200);
  expect(during.headers.connection).toBe("close");
  await until(() => refused(harness.port));
  release();
  const statuses = await Promise.all(answers.map(async (answer) => (await answer).status));
  expect(statuses).toEqual(Array.from({ length: 50 }, () => 201));
  expect(await ended).toBe(0);
});

test("what does not end in time is answered that it has not", async () => {
  const { harness } = await startHanging({ callTimeoutMs: 200, solve: () => new Promise(() => {}) });
  const aggregator = harness.aggregator();
  const answer = aggregator.challenge(group, "dnspod");
  await until(() => harness.calls.length === 1);
  const ended = harness.stop();
  expect((await answer).json).toMatchObject({ response: { success: false, status: { reason: "ServiceUnavailable" } } });
  expect(await ended).toBe(0);
});

test("a connection that never finishes its handshake does not hold up the end", async () => {
  const { harness } = await startHanging();
  const mute = connectPlainly(harness.port, "127.0.0.1");
  await once(mute, "connect");
  expect(await harness.stop()).toBe(0);
  mute.destroy();
});

test("who speaks no TLS is sent away, with the connection", async () => {
  const { harness } = await startHanging();
  const plain = connectPlainly(harness.port, "127.0.0.1");
  plain.on("error", () => {});
  plain.write("GET /readyz HTTP/1.1\r\nHost: dns01\r\n\r\n");
  await once(plain.resume(), "close");
  expect(await harness.stop()).toBe(0);
});

test("discovery answers while 200 challenges hang", async () => {
  const { harness, release } = await startHanging();
  const busy = harness.aggregator({ connections: 200 });
  const answers = Array.from({ length: 200 }, () => busy.challenge(group, "dnspod"));
  await until(() => harness.calls.length === 200);
  const aggregator = harness.aggregator();
  for (let i = 0; i < 20; i++) {
    expect(await aggregator.probe(group)).toBe(true);
    expect((await aggregator.discover()).supported).toBe(true);
  }
  expect(await harness.metrics.text()).toContain("dns01_webhook_challenges_in_flight 200");
  release();
  for (const answer of answers) expect((await answer).status).toBe(201);
});

test("a caller that goes away ends its call", async () => {
  const { harness } = await startHanging();
  const leave = new AbortController();
  const answer = harness.aggregator().challenge(group, "dnspod", {}, { signal: leave.signal, caller: certManager });
  await until(() => harness.calls.length === 1);
  leave.abort();
  await expect(answer).rejects.toThrow();
  await until(() => harness.calls[0]?.call.signal.aborted === true);
});

test("pipelined requests end with their connection, also those that waited for their turn", async () => {
  const { harness } = await startHanging();
  const body = JSON.stringify({ request: usualRequest });
  const post = [
    `POST /apis/${group}/v1alpha1/dnspod HTTP/1.1`,
    "Host: dns01",
    `X-Remote-User: ${certManager.user}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    ["", body].join("\r\n"),
  ].join("\r\n");
  const { cert, key } = harness.pki.frontProxy;
  const socket = connect({ host: "127.0.0.1", port: harness.port, rejectUnauthorized: false, cert, key });
  socket.write(post.repeat(3));
  await until(() => harness.calls.length === 3);
  socket.destroy();
  await until(() => harness.calls.every(({ call }) => call.signal.aborted));
  expect(await harness.stop()).toBe(0);
});

test("whoever shows no certificate leaves nothing behind by pipelining and going away", async () => {
  const { harness } = await startHanging({ callTimeoutMs: 200 });
  const socket = connect({ host: "127.0.0.1", port: harness.port, rejectUnauthorized: false });
  socket.on("error", () => {});
  await once(socket, "secureConnect");
  socket.write("GET /apis HTTP/1.1\r\nHost: dns01\r\n\r\n".repeat(20), () => socket.destroy());
  await until(() => harness.events.some((event) => event.type === "log" && event.text.startsWith("refused")));
  expect(await harness.stop()).toBe(0);
});

test("a connection that says nothing does not hold up the end", async () => {
  const { harness } = await startHanging();
  const socket = connect({ host: "127.0.0.1", port: harness.port, rejectUnauthorized: false });
  socket.on("error", () => {});
  await new Promise((resolve) => socket.once("secureConnect", resolve));
  expect(await harness.stop()).toBe(0);
});

function refused(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false }, () => {
      socket.destroy();
      resolve(false);
    });
    socket.on("error", () => resolve(true));
  });
}
