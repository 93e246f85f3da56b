import { afterEach, describe, expect, test } from "vitest";
import { childOf, nameFromLabels } from "../../src/core/name.ts";
import { emptyMessage, encodeMessage, txtStrings, txtValue } from "../../src/dns/codec.ts";
import type { ResourceRecord } from "../../src/dns/message.ts";
import type { Primary } from "../../src/dns/signed.ts";
import { RoundTripError } from "../../src/dns/sockets.ts";
import { answerTsig, signTsig, verifyTsig } from "../../src/dns/tsig.ts";
import type { TsigKey } from "../../src/dns/tsig-key.ts";
import { buildUpdate, holdsZone, sendUpdate, type TxtEdit, updateTxt } from "../../src/dns/update.ts";
import { UpdateError, type UpdateFailure } from "../../src/dns/update-error.ts";
import { createVirtualClock } from "../fakes/virtual-clock.ts";
import { countArrivals } from "./arrivals.ts";
import { startUpdateServer, type UpdateServer, type UpdateServerOptions } from "./update-server.ts";

const zone = nameFromLabels(["example", "test"]);
const owner = childOf("_acme-challenge", zone);
const elsewhere = nameFromLabels(["target", "other", "test"]);
const key: TsigKey = { name: nameFromLabels(["acme"]), algorithm: "hmac-sha256", secret: new Uint8Array(32).fill(7) };
const wrong: TsigKey = { ...key, secret: new Uint8Array(32).fill(8) };
const unknown: TsigKey = { ...key, name: nameFromLabels(["unknown"]) };
const cname = (name: ResourceRecord["name"]): ResourceRecord => ({
  name,
  class: "IN",
  ttl: 1,
  type: "CNAME",
  target: elsewhere,
});

const servers: UpdateServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function start(options: UpdateServerOptions = { keys: [key] }): Promise<UpdateServer> {
  const server = await startUpdateServer(options);
  servers.push(server);
  return server;
}

/** Its time stands still unless a test lets it pass: nothing is sent again or given up because a machine is busy. */
function request(server: UpdateServer, edits: readonly TxtEdit[], change: Partial<Primary> = {}) {
  const primary: Primary = { server: server.to, transport: "tcp", tsig: key, clock: createVirtualClock(), ...change };
  return { primary, zone, edits, ttlSeconds: 60, signal: AbortSignal.timeout(50_000) };
}

/** How an update fails whose reply is not believed; over UDP a better one is waited for, and time passes. */
async function distrusted(server: UpdateServer, transport: Primary["transport"]): Promise<UpdateError> {
  const clock = createVirtualClock();
  const looks = countArrivals<"at the time">();
  const now = () => {
    looks.note("at the time");
    return Math.floor(Date.now() / 1000);
  };
  const failed = failure(sendUpdate(request(server, [add("a")], { transport, clock, now })));
  // To sign the request, and to judge the reply.
  await looks.reach({ "at the time": 2 });
  await clock.advance(10_000);
  return failed;
}

const add = (...values: string[]): TxtEdit => ({ owner, add: values, remove: [] });
const remove = (...values: string[]): TxtEdit => ({ owner, add: [], remove: values });

async function failure(work: Promise<unknown>): Promise<UpdateError> {
  const error = await work.then(
    () => undefined,
    (e: unknown) => e,
  );
  if (!(error instanceof UpdateError)) throw new Error(`expected an UpdateError, got ${String(error)}`);
  return error;
}

const valuesAt = (server: UpdateServer) => (server.records.get(owner) ?? []).map(txtValue);

describe("an update message", () => {
  test("adds in class IN, removes in class NONE with TTL 0, and wants no CNAME where it adds", () => {
    const other = childOf("_acme-challenge.www", zone);
    const message = buildUpdate(zone, [add("a", "b"), { owner: other, add: [], remove: ["c"] }], 60);
    expect(message).toMatchObject({
      opcode: "UPDATE",
      questions: [{ name: zone, type: "SOA", class: "IN" }],
      answers: [{ name: owner, type: "CNAME", class: "NONE", ttl: 0, empty: true }],
      authorities: [
        { name: other, type: "TXT", class: "NONE", ttl: 0, strings: txtStrings("c") },
        { name: owner, type: "TXT", class: "IN", ttl: 60, strings: txtStrings("a") },
        { name: owner, type: "TXT", class: "IN", ttl: 60, strings: txtStrings("b") },
      ],
      additionals: [],
    });
  });

  test("has an id of its own", () => {
    const ids = new Set(Array.from({ length: 50 }, () => buildUpdate(zone, [], 0).id));
    expect(ids.size).toBeGreaterThan(1);
  });
});

/** A datagram that is sent again, as by a machine that stalls, is the same update. */
const distinct = <T extends { readonly message: { readonly id: number } }>(all: readonly T[]) => [
  ...new Map(all.map((one) => [one.message.id, one])).values(),
];

describe.each(["tcp", "udp"] as const)("over %s", (transport) => {
  test("all edits of a zone are one signed update", async () => {
    const server = await start();
    const edits = Array.from({ length: 5 }, (_, i) => ({ owner: childOf(`n${i}`, zone), add: ["v"], remove: [] }));
    expect(await updateTxt(request(server, edits, { transport }))).toEqual([true, true, true, true, true]);
    expect(distinct(server.updates())).toMatchObject([{ via: transport, verdict: { status: "ok" } }]);
    expect(server.records.size).toBe(5);
  });

  test("what is there already or gone already is no change, and is sent all the same", async () => {
    const server = await start();
    const change = (edit: TxtEdit) => updateTxt(request(server, [edit], { transport }));
    expect(await change(add("a"))).toEqual([true]);
    expect(await change(add("a"))).toEqual([false]);
    expect(await change(add("a", "b"))).toEqual([true]);
    expect(await change(remove("a"))).toEqual([true]);
    expect(await change(remove("a"))).toEqual([false]);
    expect(valuesAt(server)).toEqual(["b"]);
    expect(distinct(server.updates())).toHaveLength(5);
  });

  test.each<[string, TsigKey | undefined, UpdateFailure]>([
    ["a wrong secret", wrong, "bad-signature"],
    ["an unknown key", unknown, "bad-key"],
    ["another algorithm", { ...key, algorithm: "hmac-sha512" }, "bad-key"],
    ["no key", undefined, "refused"],
  ])("%s is told by name", async (_, tsig, expected) => {
    const server = await start();
    const error = await failure(sendUpdate(request(server, [add("a")], { transport, tsig })));
    expect(error.failure).toBe(expected);
    // None of these is signed, and a datagram may be anybody's.
    expect(error.nothingDone).toBe(transport === "tcp");
    expect(valuesAt(server)).toEqual([]);
  });

  test.each([
    [1000, /about 17 minutes behind the server's/],
    [-400, /about 7 minutes ahead of the server's/],
  ])("a clock that is wrong by %i s is told with the difference", async (skew, text) => {
    const server = await start({ keys: [key], now: () => 1_000_000 + skew });
    const error = await failure(sendUpdate(request(server, [add("a")], { transport, now: () => 1_000_000 })));
    expect(error).toMatchObject({ failure: "bad-time", skewSeconds: skew, nothingDone: true });
    expect(error.message).toMatch(text);
  });

  test("NOTAUTH without a signature may mean the key, as Knot says it", async () => {
    const server = await start({ script: ({ message }) => [bare(message.id, "NOTAUTH")] });
    const error = await failure(sendUpdate(request(server, [add("a")], { transport })));
    expect(error).toMatchObject({ failure: "not-auth", keyMayBeMeant: true });
    expect(error.message).toContain('"acme"');
  });

  test("a success without a signature, or with a forged one, is not believed", async () => {
    const unsigned = await start({ script: ({ message }) => [bare(message.id, "NOERROR")] });
    const doubtful = { nothingDone: false };
    const first = await distrusted(unsigned, transport);
    expect(first).toMatchObject({ failure: "unsigned", ...doubtful });
    const forged = await start({ keys: [wrong], script: signedWith(wrong) });
    const second = await distrusted(forged, transport);
    expect(second).toMatchObject({ failure: "forged", ...doubtful });
  });

  test("a signature over another request is a forgery", async () => {
    const script: UpdateServerOptions["script"] = ({ message }) => [
      signTsig(bare(message.id, "NOERROR"), key, {
        now: Date.now() / 1000 - ((Date.now() / 1000) % 1),
        requestMac: new Uint8Array(32),
      }).octets,
    ];
    const server = await start({ keys: [key], script });
    expect((await distrusted(server, transport)).failure).toBe("forged");
  });
});

describe("over UDP", () => {
  test("a lost datagram is sent again octet for octet", async () => {
    let count = 0;
    const server = await start({ keys: [key], script: () => (++count < 3 ? [] : undefined) });
    const clock = createVirtualClock();
    const sent = sendUpdate(request(server, [add("a")], { transport: "udp", clock }));
    for (const [arrived, ms] of [
      [1, 1000],
      [2, 2000],
    ] as const) {
      await server.arrivals.reach({ message: arrived });
      await clock.advance(ms - 1);
      expect(server.received).toHaveLength(arrived);
      await clock.advance(1);
    }
    await sent;
    expect(server.updates()).toHaveLength(3);
    const distinct = new Set(server.updates().map(({ octets }) => Buffer.from(octets).toString("hex")));
    expect(distinct.size).toBe(1);
  });

  test("a forged success before the real one changes nothing", async () => {
    const server = await start({ keys: [key], script: ({ message }, usual) => [bare(message.id, "NOERROR"), usual()] });
    await sendUpdate(request(server, [add("a")], { transport: "udp" }));
    expect(valuesAt(server)).toEqual(["a"]);
  });

  test("an update too large for a datagram goes over TCP, whole", async () => {
    const server = await start();
    const edits = Array.from({ length: 20 }, (_, i) => ({
      owner: childOf(`n${i}`, zone),
      add: ["v".repeat(43)],
      remove: [],
    }));
    await sendUpdate(request(server, edits, { transport: "udp" }));
    expect(server.updates().map(({ via }) => via)).toEqual(["tcp"]);
    expect(server.records.size).toBe(20);
  });

  test("a query that a server lost over TCP is asked again beside the first", async () => {
    const clock = createVirtualClock();
    let lost = 1;
    const server = await start({ keys: [key], script: () => (lost-- > 0 ? [] : undefined) });
    const held = holdsZone(request(server, [], { clock }).primary, zone, AbortSignal.timeout(50_000));
    await server.arrivals.reach({ message: 1 });
    await clock.advance(2_500);
    expect(await held).toBe(true);
    expect(server.received).toHaveLength(2);
  });

  test("an update over TCP is sent once", async () => {
    const clock = createVirtualClock();
    const server = await start({ keys: [key], script: () => [] });
    const failed = expect(sendUpdate(request(server, [add("a")], { clock }))).rejects.toThrow(/no answer within 10 s$/);
    await server.arrivals.reach({ message: 1 });
    await clock.advance(10_000);
    await failed;
    expect(server.received).toHaveLength(1);
  });

  test("silence ends with a time-out", async () => {
    const server = await start({ script: () => [] });
    const clock = createVirtualClock();
    const work = expect(sendUpdate(request(server, [add("a")], { transport: "udp", clock }))).rejects;
    const timedOut = work.toMatchObject({ name: "RoundTripError", failure: "timeout" });
    await server.arrivals.reach({ message: 1 });
    await clock.advance(10_000);
    await timedOut;
    expect(clock.now()).toBe(10_000);
  });
});

describe("an answer", () => {
  test.each<[string, UpdateFailure, boolean]>([
    ["NOTZONE", "not-zone", true],
    ["REFUSED", "refused", true],
    ["SERVFAIL", "server-failure", false],
    ["NOTIMP", "not-implemented", true],
    ["FORMERR", "format", true],
    ["NXRRSET", "other", false],
    ["RCODE11", "other", false],
  ])("%s is %s; nothing was carried out for certain: %s", async (rcode, expected, nothingDone) => {
    const script: UpdateServerOptions["script"] = ({ message, verdict }) => [
      answerTsig(bare(message.id, rcode as "REFUSED"), verdict, Math.floor(Date.now() / 1000)),
    ];
    const server = await start({ keys: [key], script });
    const error = await failure(sendUpdate(request(server, [add("a")])));
    expect(error).toMatchObject({ failure: expected, nothingDone });
    expect(error.rcode).toBe(rcode);
    expect(error.message).toContain(rcode);
  });

  test("NOTAUTH that is signed means the zone", async () => {
    const script: UpdateServerOptions["script"] = ({ message, verdict }) => [
      answerTsig(bare(message.id, "NOTAUTH"), verdict, Math.floor(Date.now() / 1000)),
    ];
    const server = await start({ keys: [key], script });
    expect(await failure(sendUpdate(request(server, [add("a")])))).toMatchObject({
      failure: "not-auth",
      keyMayBeMeant: false,
    });
  });

  test("that refuses the second of two messages says nothing of the first", async () => {
    let count = 0;
    const script: UpdateServerOptions["script"] = ({ message, verdict }) =>
      ++count === 1 ? undefined : [answerTsig(bare(message.id, "REFUSED"), verdict, Math.floor(Date.now() / 1000))];
    const server = await start({ keys: [key], script });
    const edits = Array.from({ length: 2 }, (_, i) => ({
      ...{ owner: childOf(`n${i}`, zone), remove: [] },
      add: Array.from({ length: 120 }, (__, j) => `${j}`.padEnd(255, "v")),
    }));
    expect(await failure(sendUpdate(request(server, edits)))).toMatchObject({ failure: "refused", nothingDone: false });
    expect(server.updates()).toHaveLength(2);
    expect(server.records.size).toBe(1);
  });

  test("never comes where a connection is refused, or closed early", async () => {
    const server = await start();
    await server.close();
    servers.length = 0;
    await expect(sendUpdate(request(server, [add("a")]))).rejects.toBeInstanceOf(RoundTripError);
  });
});

describe("an alias at the owner", () => {
  test("stops the whole update, and the error says which owner and where it leads", async () => {
    const server = await start();
    const other = childOf("_acme-challenge.www", zone);
    server.records.set(owner, [cname(owner)]);
    const error = await failure(updateTxt(request(server, [{ ...add("a"), owner: other }, add("a")])));
    expect(error).toMatchObject({ failure: "alias", nothingDone: true });
    expect(error.message).toContain(`${owner} is an alias (CNAME) of ${elsewhere}`);
    expect(server.records.get(other)).toBeUndefined();
  });

  test("is noticed at a server that ignores prerequisites", async () => {
    const script: UpdateServerOptions["script"] = ({ message, verdict }) =>
      message.opcode === "UPDATE"
        ? [answerTsig(bare(message.id, "NOERROR"), verdict, Math.floor(Date.now() / 1000))]
        : undefined;
    const server = await start({ keys: [key], script });
    server.records.set(owner, [cname(owner)]);
    const error = await failure(updateTxt(request(server, [add("a")])));
    // The rest of the update has been carried out.
    expect(error).toMatchObject({ failure: "alias", nothingDone: false });
  });

  test("is noticed at a server that does not know prerequisites", async () => {
    const script: UpdateServerOptions["script"] = ({ message, verdict }) =>
      message.answers.length > 0
        ? [answerTsig(bare(message.id, "NOTIMP"), verdict, Math.floor(Date.now() / 1000))]
        : undefined;
    const server = await start({ keys: [key], script });
    await updateTxt(request(server, [add("a")]));
    expect(valuesAt(server)).toEqual(["a"]);
    server.records.set(owner, [cname(owner)]);
    expect((await failure(updateTxt(request(server, [add("a")])))).failure).toBe("alias");
  });

  test("that a wildcard made is hidden by the new TXT and no error", async () => {
    let written = false;
    const script: UpdateServerOptions["script"] = ({ message, verdict }) => {
      if (message.opcode === "UPDATE") written = true;
      if (message.opcode === "UPDATE" || written) return undefined;
      const answer = {
        ...emptyMessage,
        id: message.id,
        response: true,
        authoritative: true,
        questions: message.questions,
      };
      return [
        answerTsig(encodeMessage({ ...answer, answers: [cname(owner)] }), verdict, Math.floor(Date.now() / 1000)),
      ];
    };
    const server = await start({ keys: [key], script });
    expect(await updateTxt(request(server, [add("a")]))).toEqual([true]);
    expect(valuesAt(server)).toEqual(["a"]);
  });

  test("does not stand in the way of removing", async () => {
    const server = await start();
    server.records.set(owner, [cname(owner)]);
    expect(await updateTxt(request(server, [remove("a")]))).toEqual([false]);
  });
});

describe("a server that will not be asked", () => {
  test("is written to without a look, and every edit counts as a change", async () => {
    const script: UpdateServerOptions["script"] = ({ message }) =>
      message.opcode === "QUERY" ? [bare(message.id, "REFUSED", "QUERY")] : undefined;
    const server = await start({ keys: [key], script });
    for (let i = 0; i < 2; i++) expect(await updateTxt(request(server, [add("a")]))).toEqual([true]);
  });

  test("and stays silent costs one short wait", async () => {
    const script: UpdateServerOptions["script"] = ({ message }) => (message.opcode === "QUERY" ? [] : undefined);
    const server = await start({ keys: [key], script });
    const edits = Array.from({ length: 30 }, (_, i) => ({ owner: childOf(`n${i}`, zone), add: ["v"], remove: [] }));
    const clock = createVirtualClock();
    const done = updateTxt(request(server, edits, { clock }));
    await server.arrivals.reach({ message: 8 });
    await clock.advance(2000);
    await done;
    const questions = server.received.length - server.updates().length;
    expect(questions).toBeGreaterThan(0);
    expect(questions).toBeLessThanOrEqual(8);
    expect(server.records.size).toBe(30);
  });
});

describe("whether the server holds a zone", () => {
  const holds = (server: UpdateServer, name = zone, change: Partial<Primary> = {}) =>
    holdsZone(request(server, [], change).primary, name, AbortSignal.timeout(10_000));

  test("is what its SOA says: for the apex yes, for names below and beside it no", async () => {
    const server = await start();
    expect(await holds(server)).toBe(true);
    expect(await holds(server, owner)).toBe(false);
    expect(server.updates()).toHaveLength(0);
    expect(await holds(server, nameFromLabels(["other", "test"]))).toBe(false);
  });

  test("is found out with an update that changes nothing where it answers no questions", async () => {
    const script: UpdateServerOptions["script"] = ({ message }) =>
      message.opcode === "QUERY" ? [bare(message.id, "REFUSED", "QUERY")] : undefined;
    const server = await start({ keys: [key], script });
    expect(await holds(server)).toBe(true);
    expect(await holds(server, nameFromLabels(["other", "test"]))).toBe(false);
    expect(server.updates().every(({ message }) => message.authorities.length === 0)).toBe(true);
    expect((await failure(holds(server, zone, { tsig: undefined }))).failure).toBe("refused");
  });

  test("is no question of the key: a wrong one is told", async () => {
    const server = await start();
    expect((await failure(holds(server, zone, { tsig: wrong }))).failure).toBe("bad-signature");
    expect((await failure(holds(server, zone, { tsig: unknown }))).failure).toBe("bad-key");
  });

  test("a server that answers signed questions with NOTAUTH, but serves the zone, refuses the key", async () => {
    const script: UpdateServerOptions["script"] = ({ message, verdict }) =>
      verdict.status === "unsigned" ? undefined : [bare(message.id, "NOTAUTH", message.opcode)];
    const server = await start({ keys: [key], script });
    expect(await failure(holds(server))).toMatchObject({ failure: "not-auth", keyMayBeMeant: true });
    expect(await holds(server, owner)).toBe(false);
  });

  test("an unsigned answer to a signed question will do, as Knot gives it", async () => {
    const server = await start({ keys: [key], script: ({ octets }, usual) => [unsignedOf(octets, usual())] });
    expect(await holds(server)).toBe(true);
  });
});

describe("abort", () => {
  test.each(["tcp", "udp"] as const)("ends an update over %s at once", async (transport) => {
    const stop = new AbortController();
    const reason = new Error("enough");
    const script: UpdateServerOptions["script"] = ({ message }) => {
      if (message.opcode === "UPDATE") stop.abort(reason);
      return message.opcode === "UPDATE" ? [] : undefined;
    };
    const server = await start({ keys: [key], script });
    const work = updateTxt({ ...request(server, [add("a")], { transport }), signal: stop.signal });
    await expect(work).rejects.toBe(reason);
  });
});

describe("more than one message holds", () => {
  test("goes out as several, each owner whole", async () => {
    const server = await start();
    const edits = Array.from({ length: 300 }, (_, i) => ({
      owner: childOf(`n${i}`, zone),
      add: ["v".repeat(255)],
      remove: [],
    }));
    await sendUpdate(request(server, edits));
    expect(server.updates().length).toBeGreaterThan(1);
    expect(server.updates().every(({ octets }) => octets.length <= 65_535)).toBe(true);
    expect(server.records.size).toBe(300);
  });
});

function bare(
  id: number,
  rcode: "NOERROR" | "NOTAUTH" | "REFUSED" | "NOTIMP",
  opcode: "UPDATE" | "QUERY" | `OPCODE${number}` | "NOTIFY" = "UPDATE",
): Uint8Array {
  return encodeMessage({ ...emptyMessage, id, opcode, response: true, rcode });
}

/** Signs each success with this key, whatever the request was signed with. */
function signedWith(own: TsigKey): UpdateServerOptions["script"] {
  return ({ message, verdict }) => {
    const mac = verdict.status === "badsig" || verdict.status === "ok" ? verdict.tsig.mac : undefined;
    return [signTsig(bare(message.id, "NOERROR"), own, { now: Math.floor(Date.now() / 1000), requestMac: mac }).octets];
  };
}

/** The same answer without its signature. */
function unsignedOf(requestOctets: Uint8Array, octets: Uint8Array): Uint8Array {
  const verdict = verifyTsig(requestOctets, [key], { now: Math.floor(Date.now() / 1000) });
  if (verdict.status !== "ok") return octets;
  const size = 6 + 10 + 13 + 16 + 32;
  const bareOctets = octets.slice(0, octets.length - size);
  bareOctets[11] = (bareOctets[11] ?? 0) - 1;
  return bareOctets;
}
