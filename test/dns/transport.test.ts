import { createSocket, type RemoteInfo } from "node:dgram";
import { createServer, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import { nameFromLabels } from "../../src/core/name.ts";
import {
  decodeMessage,
  emptyMessage,
  encodeMessage,
  questionOctets,
  txtStrings,
  txtValue,
} from "../../src/dns/codec.ts";
import { type Ask, type Endpoint, ExchangeError } from "../../src/dns/exchange.ts";
import type { Message } from "../../src/dns/message.ts";
import { createDeframer, framed } from "../../src/dns/sockets.ts";
import { createExchange } from "../../src/dns/transport.ts";
import { createVirtualClock } from "../fakes/virtual-clock.ts";
import { type Arrivals, countArrivals } from "./arrivals.ts";

const owner = nameFromLabels(["_acme-challenge", "example", "test"]);

/** What to send back for a query: any number of packets, as they are. */
type Packets = readonly Uint8Array[];
type Script<R = Packets> = (query: Message, octets: Uint8Array, attempt: number) => R;

interface Server {
  readonly to: Endpoint;
  readonly udp: Uint8Array[];
  readonly tcp: Uint8Array[];
  readonly arrivals: Arrivals<"udp" | "tcp">;
}

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function serve(scripts: { udp?: Script; tcp?: Script<Packets | Promise<Packets>> | "refuse" }): Promise<Server> {
  const sockets = new Set<Socket>();
  const arrivals = countArrivals<"udp" | "tcp">();
  const server: Server & { to: Endpoint } = { to: { address: "127.0.0.1", port: 0 }, udp: [], tcp: [], arrivals };
  const listener = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    const frames = createDeframer();
    socket.on("data", async (chunk) => {
      for (const octets of frames(chunk)) {
        server.tcp.push(octets);
        arrivals.note("tcp");
        if (typeof scripts.tcp !== "function") continue;
        for (const packet of await scripts.tcp(decodeMessage(octets), octets, server.tcp.length))
          socket.write(framed(packet));
      }
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const port = address.port;
  const udp = createSocket("udp4");
  await new Promise<void>((resolve) => udp.bind(port, "127.0.0.1", resolve));
  udp.on("message", (octets: Buffer, from: RemoteInfo) => {
    server.udp.push(octets);
    arrivals.note("udp");
    for (const packet of scripts.udp?.(decodeMessage(octets), octets, server.udp.length) ?? []) {
      udp.send(packet, from.port, from.address);
    }
  });
  const closeTcp = () =>
    new Promise<void>((resolve) => {
      for (const socket of sockets) socket.destroy();
      listener.close(() => resolve());
    });
  if (scripts.tcp === "refuse") await closeTcp();
  else closers.push(closeTcp);
  closers.push(() => new Promise<void>((resolve) => udp.close(() => resolve())));
  return { ...server, to: { address: "127.0.0.1", port } };
}

/** A right answer with one TXT value. */
function answer(query: Message, octets: Uint8Array, change: Partial<Message> = {}, question = questionOctets(octets)) {
  const record = { name: owner, class: "IN", ttl: 1, type: "TXT", strings: txtStrings("value") } as const;
  const { id, questions } = query;
  return encodeMessage(
    { ...emptyMessage, id, response: true, authoritative: true, questions, answers: [record], ...change },
    { question },
  );
}

const right: Script = (query, octets) => [answer(query, octets)];

/** An exchange whose time stands still: it passes when a test says so, however busy the machine is. */
function stillExchange() {
  const clock = createVirtualClock();
  const exchange = createExchange({ clock });
  /** The first datagram has come and stays unanswered: its second passes, and the others are sent. */
  const loseFirst = async (server: Server, sentBefore = 0) => {
    await server.arrivals.reach({ udp: sentBefore + 1 });
    await clock.advance(1000);
  };
  /** All that is sent has come, and nothing follows: the time-outs pass. */
  const giveUp = async (server: Server, sent: { readonly udp: number; readonly tcp?: number }) => {
    await server.arrivals.reach(sent);
    await clock.advance(10_000);
  };
  return { clock, exchange, loseFirst, giveUp };
}

const ask = (change: Partial<Ask> = {}): Ask => ({
  name: owner,
  type: "TXT",
  signal: AbortSignal.timeout(10_000),
  ...change,
});

async function failureOf(promise: Promise<unknown>): Promise<ExchangeError> {
  const error = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  if (!(error instanceof ExchangeError)) throw new Error(`expected an ExchangeError, got ${String(error)}`);
  return error;
}

describe("a question over UDP", () => {
  test("is answered, with EDNS 1232, NSID asked for, no RD, and letters in random case", async () => {
    const server = await serve({ udp: right });
    const exchange = stillExchange().exchange;
    const result = await exchange(ask(), server.to);
    expect(result).toMatchObject({ transport: "udp", queries: { udp: 1, tcp: 0, doh: 0 }, warnings: [] });
    expect(result.message.answers.map(txtValue)).toEqual(["value"]);
    const sent = decodeMessage(server.udp[0] ?? new Uint8Array());
    expect(sent).toMatchObject({ recursionDesired: false, edns: { udpSize: 1232, dnssecOk: false } });
    expect(sent.edns?.options).toEqual([{ code: 3, data: new Uint8Array() }]);
    for (let i = 0; i < 19; i++) await exchange(ask(), server.to);
    const spellings = new Set(server.udp.map((o) => Buffer.from(questionOctets(o) ?? []).toString("latin1")));
    expect(spellings.size).toBeGreaterThan(1);
    expect(new Set(server.udp.map((o) => decodeMessage(o).id)).size).toBeGreaterThan(1);
  });

  test("passes on RD, CD and DO, and asks a resolver for no identity", async () => {
    const server = await serve({ udp: right });
    await stillExchange().exchange(ask({ recursionDesired: true, checkingDisabled: true, dnssecOk: true }), server.to);
    const sent = decodeMessage(server.udp[0] ?? new Uint8Array());
    expect(sent).toMatchObject({
      recursionDesired: true,
      checkingDisabled: true,
      edns: { dnssecOk: true, options: [] },
    });
  });

  test("is asked again soon where the server is known to be quick, with a fresh id", async () => {
    // Answers once, loses the next datagram, then answers again.
    const server = await serve({ udp: (q, o, n) => (n === 2 ? [] : [answer(q, o)]), tcp: () => [] });
    const exchange = createExchange();
    await exchange(ask(), server.to);
    const second = await exchange(ask(), server.to);
    expect(second.transport).toBe("udp");
    expect(second.queries.udp).toBeGreaterThanOrEqual(2);
    expect(new Set(server.udp.map((o) => decodeMessage(o).id)).size).toBe(server.udp.length);
  });

  test("is not asked again early where nothing is known of the server", async () => {
    const server = await serve({ udp: (q, o, n) => (n === 1 ? [] : [answer(q, o)]), tcp: () => [] });
    const { clock, exchange, loseFirst } = stillExchange();
    const asked = exchange(ask(), server.to);
    await server.arrivals.reach({ udp: 1 });
    await clock.advance(999);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(server.udp).toHaveLength(1);
    await loseFirst(server);
    expect((await asked).queries.udp).toBe(2);
    expect(server.udp).toHaveLength(2);
  });

  test("reports the identity of the server", async () => {
    const edns = { udpSize: 1232, version: 0, dnssecOk: false, options: [{ code: 3, data: Buffer.from("fra1") }] };
    const server = await serve({ udp: (q, o) => [answer(q, o, { edns })] });
    expect((await stillExchange().exchange(ask(), server.to)).nsid).toBe("fra1");
  });

  test("waits on when packets arrive that are not its answer", async () => {
    const server = await serve({
      udp: (q, o) => [
        answer(q, o, { id: (q.id + 1) & 0xffff }),
        answer(q, o, { response: false }),
        answer(q, o, { opcode: "NOTIFY" }),
        answer(q, o, { questions: [{ name: nameFromLabels(["other", "test"]), type: "TXT", class: "IN" }] }, undefined),
        encodeMessage({ ...emptyMessage, id: q.id, response: true }),
        Uint8Array.of(1, 2, 3),
        answer(q, o),
      ],
    });
    const result = await stillExchange().exchange(ask(), server.to);
    expect(result).toMatchObject({ transport: "udp", queries: { udp: 1 } });
    expect(result.message.answers).toHaveLength(1);
  });

  test("is not answered by a packet from another port", async () => {
    const stranger = createSocket("udp4");
    closers.push(() => new Promise<void>((resolve) => stranger.close(() => resolve())));
    const udp = createSocket("udp4");
    closers.push(() => new Promise<void>((resolve) => udp.close(() => resolve())));
    await new Promise<void>((resolve) => udp.bind(0, "127.0.0.1", resolve));
    const answered = countArrivals<"sent">();
    udp.on("message", (o: Buffer, from) => {
      const octets = answer(decodeMessage(o), o, { rcode: "NXDOMAIN" });
      stranger.send(octets, from.port, from.address, () => answered.note("sent"));
    });
    const to = { address: "127.0.0.1", port: udp.address().port };
    const { clock, exchange } = stillExchange();
    const failure = failureOf(exchange(ask(), to));
    await answered.reach({ sent: 1 });
    await clock.advance(1000);
    await answered.reach({ sent: 2 });
    await clock.advance(10_000);
    expect((await failure).kind).toBe("silent");
  });

  test.each(["SERVFAIL", "REFUSED", "NXDOMAIN", "NOTAUTH"] as const)("hands %s on as an answer", async (rcode) => {
    const server = await serve({ udp: (q, o) => [answer(q, o, { rcode, answers: [] })] });
    expect((await stillExchange().exchange(ask(), server.to)).message.rcode).toBe(rcode);
  });

  test("takes an error of the header alone for an answer", async () => {
    const server = await serve({
      udp: (q) => [encodeMessage({ ...emptyMessage, id: q.id, response: true, rcode: "REFUSED" })],
    });
    expect((await stillExchange().exchange(ask(), server.to)).message.rcode).toBe("REFUSED");
  });
});

describe("TCP", () => {
  test("is taken at once after a truncated answer, even one cut inside a record", async () => {
    const server = await serve({ udp: (q, o) => [answer(q, o, { truncated: true }).subarray(0, 60)], tcp: right });
    const result = await stillExchange().exchange(ask(), server.to);
    expect(result).toMatchObject({ transport: "tcp", queries: { udp: 1, tcp: 1 }, warnings: [] });
    expect(result.message.answers.map(txtValue)).toEqual(["value"]);
  });

  test("is taken when only the letter case differs, with a warning", async () => {
    const lower: Script = (q, o) => [
      answer(q, o, {}, encodeMessage({ ...emptyMessage, questions: q.questions }).subarray(12)),
    ];
    const server = await serve({ udp: lower, tcp: lower });
    expect(await stillExchange().exchange(ask(), server.to)).toMatchObject({ transport: "tcp", warnings: ["W_CASE"] });
  });

  test("is taken when the answer cannot be read", async () => {
    const server = await serve({ udp: (q, o) => [Uint8Array.from([...answer(q, o), 0])], tcp: right });
    expect(await stillExchange().exchange(ask(), server.to)).toMatchObject({
      transport: "tcp",
      queries: { udp: 1, tcp: 1 },
    });
  });

  test("starts beside the second datagram when the first stays unanswered", async () => {
    const server: Server = await serve({
      tcp: async (...given) => {
        await server.arrivals.reach({ udp: 2 });
        return right(...given);
      },
    });
    const { exchange, loseFirst } = stillExchange();
    const asked = exchange(ask(), server.to);
    await loseFirst(server);
    expect(await asked).toMatchObject({ transport: "tcp", queries: { udp: 2, tcp: 1 } });
    expect(decodeMessage(server.udp[0] ?? new Uint8Array()).id).not.toBe(
      decodeMessage(server.udp[1] ?? new Uint8Array()).id,
    );
  });

  test("does not keep the second datagram from winning", async () => {
    const server = await serve({ udp: (q, o, attempt) => (attempt === 2 ? [answer(q, o)] : []) });
    const { exchange, loseFirst } = stillExchange();
    const asked = exchange(ask(), server.to);
    await loseFirst(server);
    expect(await asked).toMatchObject({ transport: "udp", queries: { udp: 2, tcp: 1 } });
  });

  test("is where the next question starts once UDP has never worked", async () => {
    const server: Server = await serve({
      tcp: async (q, o, attempt) => {
        // The second question starts here; the others have two datagrams beside it.
        await server.arrivals.reach({ udp: attempt < 3 ? 2 : 4 });
        return right(q, o, attempt);
      },
    });
    const { exchange, loseFirst } = stillExchange();
    const first = exchange(ask(), server.to);
    await loseFirst(server);
    await first;
    expect(await exchange(ask(), server.to)).toMatchObject({ transport: "tcp", queries: { udp: 0, tcp: 1 } });
    // Another exchange knows nothing of it.
    const other = stillExchange();
    const asked = other.exchange(ask(), server.to);
    await other.loseFirst(server, 2);
    expect(await asked).toMatchObject({ queries: { udp: 2, tcp: 1 } });
  });

  test("is all that is used when asked for", async () => {
    const server = await serve({ udp: right, tcp: right });
    expect(await stillExchange().exchange(ask({ tcpOnly: true }), server.to)).toMatchObject({
      transport: "tcp",
      queries: { udp: 0, tcp: 1 },
    });
  });

  test("reads an answer that arrives octet by octet, behind foreign messages", async () => {
    const sockets = new Set<Socket>();
    const listener = createServer((socket) => {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.once("data", async (chunk: Buffer) => {
        const query = chunk.subarray(2);
        const message = decodeMessage(query);
        const stream = Buffer.concat([
          framed(answer(message, query, { id: message.id ^ 1 })),
          framed(answer(message, query)),
        ]);
        for (const octet of stream) {
          socket.write(Uint8Array.of(octet));
          await new Promise((resolve) => setImmediate(resolve));
        }
      });
    });
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    closers.push(() => new Promise<void>((resolve) => listener.close(() => resolve())));
    closers.unshift(() => sockets.forEach((s) => void s.destroy()));
    const address = listener.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    const result = await stillExchange().exchange(ask({ tcpOnly: true }), { address: "127.0.0.1", port: address.port });
    expect(result.message.answers).toHaveLength(1);
  });
});

describe("a server from before EDNS", () => {
  test.each(["FORMERR", "NOTIMP"] as const)("that says %s is asked again without it, and remembered", async (rcode) => {
    const server = await serve({
      udp: (q, o) => [q.edns ? encodeMessage({ ...emptyMessage, id: q.id, response: true, rcode }) : answer(q, o)],
    });
    const exchange = stillExchange().exchange;
    expect(await exchange(ask(), server.to)).toMatchObject({ warnings: ["W_NO_EDNS"], queries: { udp: 2, tcp: 0 } });
    expect(await exchange(ask(), server.to)).toMatchObject({ warnings: ["W_NO_EDNS"], queries: { udp: 1, tcp: 0 } });
  });

  test("that refuses the version is asked again without it", async () => {
    const edns = { udpSize: 512, version: 0, dnssecOk: false, options: [] };
    const server = await serve({
      udp: (q, o) => [q.edns ? answer(q, o, { rcode: "BADVERS", edns, answers: [] }) : answer(q, o)],
    });
    expect(await stillExchange().exchange(ask(), server.to)).toMatchObject({
      warnings: ["W_NO_EDNS"],
      message: { rcode: "NOERROR" },
    });
  });

  test("that refuses the version and leaves the question out is asked again without it", async () => {
    const edns = { udpSize: 512, version: 0, dnssecOk: false, options: [] };
    const server = await serve({
      udp: (q, o) => [
        q.edns ? encodeMessage({ ...emptyMessage, id: q.id, response: true, rcode: "BADVERS", edns }) : answer(q, o),
      ],
    });
    const { exchange } = stillExchange();
    expect(await exchange(ask({ signal: AbortSignal.timeout(2_000) }), server.to)).toMatchObject({
      warnings: ["W_NO_EDNS"],
      message: { rcode: "NOERROR" },
    });
  });

  test("that refuses the question itself keeps its answer", async () => {
    const server = await serve({ udp: (q, o) => [answer(q, o, { rcode: "NOTIMP", answers: [] })], tcp: "refuse" });
    const result = await stillExchange().exchange(ask(), server.to);
    expect(result).toMatchObject({ message: { rcode: "NOTIMP" }, warnings: [], queries: { udp: 2, tcp: 1 } });
  });
});

describe("no answer", () => {
  test("is silent when nothing came over UDP and TCP", async () => {
    const server = await serve({});
    const { exchange, loseFirst, giveUp } = stillExchange();
    const failure = failureOf(exchange(ask(), server.to));
    await loseFirst(server);
    await giveUp(server, { udp: 2, tcp: 1 });
    const error = await failure;
    expect(error).toMatchObject({ kind: "silent", queries: { udp: 2, tcp: 1, doh: 0 } });
    expect(error.message).toMatch(/UDP 127\.0\.0\.1:\d+: no answer within 1 s; .*TCP 127\.0\.0\.1:\d+: no answer/);
  });

  test("is silent when both are refused", async () => {
    const server = await serve({ tcp: "refuse" });
    for (const close of closers.splice(0)) await close();
    const error = await failureOf(stillExchange().exchange(ask(), server.to));
    expect(error.kind).toBe("silent");
    expect(error.message).toContain("connection refused");
  });

  test("is broken when the whole answer cannot be fetched over TCP", async () => {
    const server = await serve({ udp: (q, o) => [answer(q, o, { truncated: true })], tcp: "refuse" });
    const error = await failureOf(stillExchange().exchange(ask(), server.to));
    expect(error.kind).toBe("broken");
    expect(error.message).toMatch(/truncated answer; TCP .*refused/);
  });

  test("is broken when TCP answers with what cannot be read", async () => {
    const garbled: Script = (q, o) => [Uint8Array.from([...answer(q, o), 0])];
    const server = await serve({ udp: garbled, tcp: garbled });
    expect((await failureOf(stillExchange().exchange(ask(), server.to))).kind).toBe("broken");
  });

  test("is broken or silent, but ends, when TCP sends other people's messages", async () => {
    const server = await serve({ tcp: (q, o) => Array.from({ length: 50 }, () => answer(q, o, { id: q.id ^ 1 })) });
    expect((await failureOf(stillExchange().exchange(ask({ tcpOnly: true }), server.to))).message).toContain("closed");
  });

  test("is unroutable when there is no way to the address", async () => {
    // Documentation prefix of class E: Linux refuses to send there.
    const error = await failureOf(stillExchange().exchange(ask(), { address: "255.255.255.255", port: 53 }));
    expect(error.kind).toBe("unroutable");
  });
});

describe("abort", () => {
  test.each([
    ["UDP", {}],
    ["TCP", { tcpOnly: true }],
  ])("ends a question over %s at once, and no packet follows", async (_, change) => {
    const stop = new AbortController();
    const reason = new Error("enough");
    const leave = () => {
      stop.abort(reason);
      return [];
    };
    const server = await serve({ udp: leave, tcp: leave });
    const { clock, exchange } = stillExchange();
    await expect(exchange(ask({ ...change, signal: stop.signal }), server.to)).rejects.toBe(reason);
    // Long enough for the second datagram and the connection beside it, had they not been stopped.
    await clock.advance(10_000);
    expect(clock.sleepers).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(server.udp.length + server.tcp.length).toBe(1);
  });

  test("before the start sends nothing", async () => {
    const server = await serve({ udp: right });
    await expect(
      stillExchange().exchange(ask({ signal: AbortSignal.abort(new Error("no")) }), server.to),
    ).rejects.toThrow("no");
    expect(server.udp).toHaveLength(0);
  });
});

describe("questions at the same time", () => {
  test("that are identical become one, and only one of them has cost anything", async () => {
    const server = await serve({ udp: right });
    const exchange = stillExchange().exchange;
    const results = await Promise.all([
      exchange(ask(), server.to),
      exchange(ask(), server.to),
      exchange(ask({ type: "SOA" }), server.to),
    ]);
    expect(server.udp).toHaveLength(2);
    expect(results.map((r) => r.queries.udp)).toEqual([1, 0, 1]);
  });

  test("survive when the one who asked first leaves", async () => {
    const server = await serve({ udp: (q, o, attempt) => (attempt === 2 ? [answer(q, o)] : []) });
    const { exchange, loseFirst } = stillExchange();
    const stop = new AbortController();
    const first = exchange(ask({ signal: stop.signal }), server.to);
    const second = exchange(ask(), server.to);
    stop.abort(new Error("left"));
    await expect(first).rejects.toThrow("left");
    await loseFirst(server);
    expect((await second).message.answers).toHaveLength(1);
  });

  test("to one address wait for their turn beyond the burst", async () => {
    const server = await serve({ udp: right });
    const waits: number[] = [];
    const clock: Clock = {
      ...systemClock,
      now: () => 0,
      sleep: (ms, signal) => {
        if (ms >= 1000) return systemClock.sleep(ms, signal);
        waits.push(ms);
        return Promise.resolve();
      },
    };
    const exchange = createExchange({ clock, rate: { perSecond: 50, burst: 3 } });
    const names = Array.from({ length: 5 }, (_, i) => nameFromLabels([`n${i}`, "test"]));
    await Promise.all(names.map((name) => exchange(ask({ name }), server.to)));
    expect(waits).toEqual([20, 40]);
  });
});

test("nothing is left open after an answer, a failure, a race and an abort", async () => {
  const open = () =>
    process.getActiveResourcesInfo().filter((kind) => kind === "UDPWRAP" || kind === "TCPSocketWrap").length;
  const server = await serve({ udp: (q, o, attempt) => (attempt % 2 === 0 ? [answer(q, o)] : []), tcp: "refuse" });
  const before = open();
  const { clock, exchange, loseFirst, giveUp } = stillExchange();
  const stop = new AbortController();
  const silent = await serve({});
  const idle = open();
  const aborted = exchange(ask({ type: "NS", signal: stop.signal }), silent.to);
  const others = [exchange(ask(), server.to), exchange(ask({ type: "SOA" }), silent.to)];
  const ends = Promise.allSettled([aborted, ...others]);
  await silent.arrivals.reach({ udp: 2 });
  await loseFirst(server);
  // In the race of both ways; its other half still waits.
  await silent.arrivals.reach({ udp: 4, tcp: 2 });
  stop.abort(new Error("enough"));
  await giveUp(silent, { udp: 4, tcp: 2 });
  expect((await ends).map(({ status }) => status)).toEqual(["rejected", "fulfilled", "rejected"]);
  expect(clock.sleepers).toBe(0);
  expect(idle - before).toBeLessThanOrEqual(2);
  // The server's end of a connection closes one turn of the loop after ours.
  for (let turn = 0; turn < 50 && open() > idle; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(open()).toBe(idle);
});

test("a failure is shared like an answer, and counted once", async () => {
  const server = await serve({ tcp: "refuse" });
  const { exchange, loseFirst, giveUp } = stillExchange();
  const failures = Promise.all([failureOf(exchange(ask(), server.to)), failureOf(exchange(ask(), server.to))]);
  await loseFirst(server);
  await giveUp(server, { udp: 2 });
  const errors = await failures;
  expect(errors.map((e) => [e.kind, e.queries.udp])).toEqual([
    ["silent", 2],
    ["silent", 0],
  ]);
});
