import { createSocket } from "node:dgram";
import { createServer, type Socket } from "node:net";
import { decodeMessage, emptyMessage, encodeMessage, txtValue } from "../../src/dns/codec.ts";
import type { Endpoint } from "../../src/dns/exchange.ts";
import type { Message, Rcode, ResourceRecord } from "../../src/dns/message.ts";
import { createDeframer, framed } from "../../src/dns/sockets.ts";
import { answerTsig, type TsigVerdict, verifyTsig } from "../../src/dns/tsig.ts";
import type { TsigKey } from "../../src/dns/tsig-key.ts";
import { type Arrivals, countArrivals } from "./arrivals.ts";

export interface Received {
  readonly message: Message;
  readonly octets: Uint8Array;
  readonly via: "udp" | "tcp";
  readonly verdict: TsigVerdict;
}

export interface UpdateServerOptions {
  readonly keys?: readonly TsigKey[];
  /** Apexes; default example.test. */
  readonly zones?: readonly string[];
  /** Seconds since 1970 by the server's clock. */
  readonly now?: () => number;
  /** Instead of the usual reply; `undefined` for the usual one, an empty list for silence, "cut" to end a connection. */
  readonly script?:
    | ((received: Received, usual: () => Uint8Array) => readonly Uint8Array[] | "cut" | undefined)
    | undefined;
}

export interface UpdateServer {
  readonly to: Endpoint;
  readonly received: Received[];
  /** Records by owner name, by zone. */
  readonly zones: ReadonlyMap<string, Records>;
  /** Those of the first zone. */
  readonly records: Records;
  readonly arrivals: Arrivals<"message">;
  /** Connections over TCP that are open. */
  readonly connections: number;
  updates(): readonly Received[];
  close(): Promise<void>;
}

type Records = Map<string, ResourceRecord[]>;

/**
 * A primary, as small as RFC 2136 allows: TXT and CNAME, the prerequisite "no such RRset", adds and
 * removals of single values, TSIG checked and given.
 */
export async function startUpdateServer(options: UpdateServerOptions = {}): Promise<UpdateServer> {
  const now = options.now ?? (() => Math.floor(Date.now() / 1000));
  const received: Received[] = [];
  const arrivals = countArrivals<"message">();
  const zones = new Map<string, Records>((options.zones ?? ["example.test"]).map((apex) => [apex, new Map()]));
  const [records] = zones.values();
  if (records === undefined) throw new Error("a primary holds a zone");

  const handle = (octets: Uint8Array, via: "udp" | "tcp"): readonly Uint8Array[] | "cut" => {
    const message = decodeMessage(octets);
    const verdict = verifyTsig(octets, options.keys ?? [], { now: now() });
    const one: Received = { message, octets, via, verdict };
    received.push(one);
    arrivals.note("message");
    const usual = () =>
      answerTsig(encodeMessage(respond(message, verdict, zones, options.keys !== undefined)), verdict, now());
    return options.script?.(one, usual) ?? [usual()];
  };

  const sockets = new Set<Socket>();
  const listener = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    const frames = createDeframer();
    socket.on("data", (chunk) => {
      for (const frame of frames(chunk)) {
        const replies = handle(frame, "tcp");
        if (replies === "cut") socket.resetAndDestroy();
        else for (const reply of replies) socket.write(framed(reply));
      }
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const udp = createSocket("udp4");
  await new Promise<void>((resolve) => udp.bind(address.port, "127.0.0.1", resolve));
  udp.on("message", (octets, from) => {
    const replies = handle(octets, "udp");
    if (replies !== "cut") for (const reply of replies) udp.send(reply, from.port, from.address);
  });
  return {
    to: { address: "127.0.0.1", port: address.port },
    received,
    arrivals,
    zones,
    records,
    get connections() {
      return sockets.size;
    },
    updates: () => received.filter(({ message }) => message.opcode === "UPDATE"),
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => udp.close(() => resolve()));
      await new Promise<void>((resolve) => listener.close(() => resolve()));
    },
  };
}

function respond(message: Message, verdict: TsigVerdict, zones: ReadonlyMap<string, Records>, keyed: boolean): Message {
  const { id, opcode, questions } = message;
  const reply = { ...emptyMessage, id, opcode, questions, response: true };
  if (verdict.status !== "ok" && verdict.status !== "unsigned") return { ...reply, rcode: "NOTAUTH" };
  if (opcode === "UPDATE") {
    if (keyed && verdict.status === "unsigned") return { ...reply, rcode: "REFUSED" };
    return { ...reply, rcode: update(message, zones) };
  }
  const [question] = questions;
  const apexes = [...zones.keys()].filter((zone) => question !== undefined && isBelow(question.name, zone));
  const apex = apexes.sort((a, b) => b.length - a.length)[0];
  if (question === undefined || apex === undefined) return { ...reply, rcode: "REFUSED" };
  const here = zones.get(apex)?.get(question.name) ?? [];
  const soa: ResourceRecord = {
    name: apex as ResourceRecord["name"],
    class: "IN",
    ttl: 60,
    type: "SOA",
    mname: apex as ResourceRecord["name"],
    rname: apex as ResourceRecord["name"],
    serial: 1,
    refresh: 1,
    retry: 1,
    expire: 1,
    minimum: 1,
  };
  if (question.type === "SOA" && question.name === apex) return { ...reply, authoritative: true, answers: [soa] };
  const answers = here.filter((r) => r.type === question.type || r.type === "CNAME");
  return { ...reply, authoritative: true, answers, authorities: answers.length > 0 ? [] : [soa] };
}

function update(message: Message, zones: ReadonlyMap<string, Records>): Rcode {
  const apex = message.questions[0]?.name ?? "";
  const records = zones.get(apex);
  if (records === undefined) return "NOTAUTH";
  if ([...message.answers, ...message.authorities].some((r) => !isBelow(r.name, apex))) return "NOTZONE";
  const unmet = message.answers.some((p) => (records.get(p.name) ?? []).some((r) => r.type === p.type));
  if (unmet) return "YXRRSET";
  for (const record of message.authorities) {
    const here = records.get(record.name) ?? [];
    // RFC 2136 §3.4.2.2: beside an alias nothing is added, and nobody is told.
    if (record.class === "IN" && here.some((r) => r.type === "CNAME")) continue;
    const others = here.filter((r) => txtValue(r) !== txtValue(record));
    // One TTL for a set (RFC 2181 §5.2): that of the latest addition, as real servers have it.
    const set = others.map((r) => (r.type === record.type ? { ...r, ttl: record.ttl } : r));
    records.set(record.name, record.class === "IN" ? [...set, record] : others);
  }
  return "NOERROR";
}

function isBelow(name: string, apex: string): boolean {
  return name === apex || name.endsWith(`.${apex}`);
}
