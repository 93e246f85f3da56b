import { createSocket } from "node:dgram";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import rfc2136 from "../../../providers/rfc2136.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { decodeMessage } from "../../../src/dns/codec.ts";
import type { DnsSettings } from "../../../src/issuer/network.ts";
import { type Sandbox, startSandbox } from "../../../src/sandbox/index.ts";
import { type Cluster, createCluster, messageOf, namespace, ok, type ReplicaOptions, startReplica } from "./world.ts";

let sandbox: Sandbox;
let dns: DnsSettings;
const cluster: Cluster = createCluster();

beforeAll(async () => {
  sandbox = await startSandbox({ seed: 1 });
  const [address = "", port = ""] = sandbox.resolver.split(":");
  dns = {
    resolvers: [{ address, port: Number(port) }],
    servers: [],
    mode: "resolver",
    port: sandbox.dnsPort,
    propagation: { mode: "authoritative", timeoutMs: 120_000 },
  };
  cluster.put(namespace, "tsig", { secret: `${sandbox.tsig.secret}\n` });
});

afterAll(async () => {
  await sandbox.close();
});

function start(config: object, options: Partial<ReplicaOptions> = {}) {
  const nameserver = `${sandbox.nameservers[0]?.address}:${sandbox.dnsPort}`;
  const tsig = { tsigKeyName: sandbox.tsig.keyName, tsigAlgorithm: sandbox.tsig.algorithm };
  return startReplica([rfc2136], {
    solver: "rfc2136",
    cluster,
    // As cert-manager's own solver has it.
    config: { nameserver, ...tsig, tsigSecretSecretRef: { name: "tsig", key: "secret" }, ...config },
    clock: systemClock,
    callTimeoutMs: 60_000,
    dns,
    ...options,
  });
}

const at = (host: string) => ({
  dnsName: `${host}.example.test`,
  resolvedZone: "example.test.",
  key: `value-of-${host}`,
});
const served = (host: string, server: 0 | 1) => sandbox.zone.txt(`_acme-challenge.${host}.example.test`, server);

test("without the gate Present answers as soon as the provider has taken the value", async () => {
  sandbox.zone.setLag(Number.POSITIVE_INFINITY);
  const replica = await start({});
  expect(await replica.present(at("plain"))).toEqual(ok);
  expect(served("plain", 0)).toEqual(["value-of-plain"]);
  expect(served("plain", 1)).toEqual([]);
  expect(replica.eventsOf("propagation")).toEqual([]);
  expect(await replica.cleanUp(at("plain"))).toEqual(ok);
  expect(served("plain", 0)).toEqual([]);
  await replica.solving.close();
});

test("scenario 2: with it the answer waits until the slower nameserver serves the value, and the lag is told server by server", async () => {
  sandbox.zone.setLag(700);
  const replica = await start({ propagation: "gate" });
  expect(await replica.present(at("gated"))).toEqual(ok);
  expect(served("gated", 1)).toEqual(["value-of-gated"]);
  const [report] = replica.eventsOf("propagation");
  expect(report).toMatchObject({ status: "propagated", provider: "rfc2136", correlationId: "call-1" });
  expect(report?.lagMs).toBeGreaterThan(0);
  expect(report?.servers.map((s) => s.class)).toEqual(["match", "match"]);
  await replica.solving.close();
});

describe("scenario 11 at the nameservers: not in time", () => {
  test("is a failure in words that stay, the next call goes on waiting, and the value is written once", async () => {
    sandbox.zone.setLag(Number.POSITIVE_INFINITY);
    const replica = await start({}, { propagationGate: true, callTimeoutMs: 400 });
    const text =
      "rfc2136: the provider took the value, but not every authoritative nameserver serves it yet at _acme-challenge.late.example.test. The next call goes on waiting; dns01's log has the answer of each nameserver.";
    // On a busy machine the first call may be over before the write is.
    let answer = await replica.present(at("late"));
    for (let i = 0; i < 100 && !answer.success && answer.code === "TRANSIENT"; i++)
      answer = await replica.present(at("late"));
    expect(answer).toEqual({ success: false, code: "NOT_PROPAGATED", reason: "Timeout", message: text });
    expect(messageOf(await replica.present(at("late")))).toBe(text);
    sandbox.zone.setLag(0);
    for (let i = 0; i < 100 && !answer.success; i++) answer = await replica.present(at("late"));
    expect(answer).toEqual(ok);
    expect(replica.events.filter((e) => e.type === "engine" && e.event.type === "txt.added")).toHaveLength(1);
    expect(replica.eventsOf("challenge.joined").length).toBeGreaterThan(0);
    await replica.solving.close();
  });

  test("and its clean-up does not wait for what nobody asks for any more", async () => {
    sandbox.zone.setLag(Number.POSITIVE_INFINITY);
    const replica = await start({ propagation: "gate" }, { callTimeoutMs: 400 });
    const asked = at("given-up");
    let answer = await replica.present(asked);
    for (let i = 0; i < 100 && !answer.success && answer.code === "TRANSIENT"; i++)
      answer = await replica.present(asked);
    expect(answer).toMatchObject({ code: "NOT_PROPAGATED" });
    answer = await replica.cleanUp(asked);
    // On a busy machine the removal itself may take longer than a call; the wait would go on for two minutes.
    for (let i = 0; i < 20 && !answer.success; i++) answer = await replica.cleanUp(asked);
    expect(answer).toEqual(ok);
    expect(served("given-up", 0)).toEqual([]);
    expect(replica.eventsOf("background").map(({ state }) => state)).toContain("ABORTED");
    await replica.solving.close();
  });

  test("nor when the wait itself has ended", async () => {
    sandbox.zone.setLag(Number.POSITIVE_INFINITY);
    const short = { ...dns, propagation: { ...dns.propagation, timeoutMs: 500 } };
    const replica = await start({ propagation: "gate" }, { dns: short });
    const first = await replica.present(at("never"));
    expect(first).toMatchObject({ code: "NOT_PROPAGATED" });
    expect(await replica.present(at("never"))).toEqual(first);
    expect(replica.eventsOf("propagation")[0]).toMatchObject({ status: "timeout", lagMs: undefined });
    await replica.solving.close();
  });

  test("nameservers that cannot be reached are told as such", async () => {
    const dead = await import("../../fakes/http-service.ts").then(({ startHttpService }) =>
      startHttpService({ handle: () => ({}), operationOf: () => ({ operation: "none", write: false }) }),
    );
    const blind: DnsSettings = {
      ...dns,
      resolvers: [],
      mode: "fixed",
      servers: [{ address: "127.0.0.1", port: dead.port }],
      propagation: { mode: "authoritative", timeoutMs: 2_000 },
    };
    await dead.close();
    const replica = await start({ propagation: "gate" }, { dns: blind });
    const answer = await replica.present(at("blind"));
    expect(answer).toMatchObject({ code: "NOT_PROPAGATED" });
    expect(messageOf(answer)).toMatch(/no authoritative nameserver could be asked .*port 53/);
    await replica.solving.close();
  });
});

test("nameservers that cannot be reached are not looked for again: the next Present goes to the resolver", async () => {
  sandbox.zone.setLag(0);
  const closed = createSocket("udp4");
  await new Promise<void>((resolve) => closed.bind(0, "127.0.0.1", resolve));
  const asked: (string | undefined)[] = [];
  closed.on("message", (packet) => void asked.push(decodeMessage(packet).questions[0]?.type));
  const replica = await start(
    { propagation: "gate" },
    { dns: { ...dns, port: closed.address().port }, callTimeoutMs: 60_000 },
  );
  expect(await replica.present(at("first"))).toEqual(ok);
  expect(asked).toContain("NS");
  asked.length = 0;
  expect(await replica.present(at("second"))).toEqual(ok);
  // They are asked whether they serve the value after all, and for nothing else.
  expect([...new Set(asked)].filter((type) => type !== "TXT")).toEqual([]);
  const reports = replica.eventsOf("propagation");
  expect(reports.map(({ status }) => status)).toEqual(["propagated", "propagated"]);
  expect(reports[1]?.servers.find(({ resolver }) => resolver === true)).toMatchObject({ class: "match" });
  await replica.solving.close();
  closed.close();
});

test("an Issuer may switch off the gate that the operator has on", async () => {
  sandbox.zone.setLag(Number.POSITIVE_INFINITY);
  const replica = await start({ propagation: "none" }, { propagationGate: true });
  expect(await replica.present(at("off"))).toEqual(ok);
  await replica.solving.close();
});
