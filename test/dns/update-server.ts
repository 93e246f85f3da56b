import { createSocket } from "node:dgram";
import { createServer, type Socket } from "node:net";
import { decodeMessage, emptyMessage, encodeMessage, txtValue } from "../../src/dns/codec.ts";
import type { Endpoint } from "../../src/dns/exchange.ts";
import type { Message, Rcode, ResourceRecord } from "../../src/dns/message.ts";
import { createDeframer, framed } from "../../src/dns/sockets.ts";
import { answerTsig, type TsigVerdict, verifyTsig } from "../../src/dns/tsig.ts";
import type { TsigKey } from "../../src/dns/tsig-key.ts";

export interface Received {
  readonly message: Message;
  readonly octets: Uint8Array;
  readonly via: "udp" | "tcp";
  readonly verdict: TsigVerdict;
}

export interface UpdateServerOptions {
  readonly keys?: readonly TsigKey[];
  /** Seconds since 1970 by the server's clock. */
  readonly now?: () => number;
  /** Instead of the usual reply; `undefined` for the usual one, an empty list for silence. */
  readonly script?: ((received: Received, usual: () => Uint8Array) => readonly Uint8Array[] | undefined) | undefined;
}

export interface UpdateServer {
  readonly to: Endpoint;
  readonly received: Received[];
  /** Records by owner name; the server's whole data. */
  readonly records: Map<string, ResourceRecord[]>;
  updates(): readonly Received[];
  close(): Promise<void>;
}

const apex = "example.test";

/**
 * A primary for example.test, as small as RFC 2136 allows: TXT and CNAME, the prerequisite "no such RRset", adds and
 * removals of single values, TSIG checked and given.
 */
export async function startUpdateServer(options: UpdateServerOptions = {}): Promise<UpdateServer> {
  const now = options.now ?? (() => Math.floor(Date.now() / 1000));
  const received: Received[] = [];
  const records = new Map<string, ResourceRecord[]>();

  const handle = (octets: Uint8Array, via: "udp" | "tcp"): readonly Uint8Array[] => {
    const message = decodeMessage(octets);
    const verdict = verifyTsig(octets, options.keys ?? [], { now: now() });
    const one: Received = { message, octets, via, verdict };
    received.push(one);
    const usual = () =>
      answerTsig(encodeMessage(respond(message, verdict, records, options.keys !== undefined)), verdict, now());
    return options.script?.(one, usual) ?? [usual()];
  };

  const sockets = new Set<Socket>();
  const listener = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    const frames = createDeframer();
    socket.on("data", (chunk) => {
      for (const frame of frames(chunk)) for (const reply of handle(frame, "tcp")) socket.write(framed(reply));
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const udp = createSocket("udp4");
  await new Promise<void>((resolve) => udp.bind(address.port, "127.0.0.1", resolve));
  udp.on("message", (octets, from) => {
    for (const reply of handle(octets, "udp")) udp.send(reply, from.port, from.address);
  });
  return {
    to: { address: "127.0.0.1", port: address.port },
    received,
    records,
    updates: () => received.filter(({ message }) => message.opcode === "UPDATE"),
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => udp.close(() => resolve()));
      await new Promise<void>((resolve) => listener.close(() => resolve()));
    },
  };
}

function respond(
  message: Message,
  verdict: TsigVerdict,
  records: Map<string, ResourceRecord[]>,
  keyed: boolean,
): Message {
  const { id, opcode, questions } = message;
  const reply = { ...emptyMessage, id, opcode, questions, response: true };
  if (verdict.status !== "ok" && verdict.status !== "unsigned") return { ...reply, rcode: "NOTAUTH" };
  if (opcode === "UPDATE") {
    if (keyed && verdict.status === "unsigned") return { ...reply, rcode: "REFUSED" };
    return { ...reply, rcode: update(message, records) };
  }
  const [question] = questions;
  if (question === undefined || !isBelow(question.name)) return { ...reply, rcode: "REFUSED" };
  const here = records.get(question.name) ?? [];
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

function update(message: Message, records: Map<string, ResourceRecord[]>): Rcode {
  if (message.questions[0]?.name !== apex) return "NOTAUTH";
  if ([...message.answers, ...message.authorities].some((r) => !isBelow(r.name))) return "NOTZONE";
  const unmet = message.answers.some((p) => (records.get(p.name) ?? []).some((r) => r.type === p.type));
  if (unmet) return "YXRRSET";
  for (const record of message.authorities) {
    const here = records.get(record.name) ?? [];
    // RFC 2136 §3.4.2.2: beside an alias nothing is added, and nobody is told.
    if (record.class === "IN" && here.some((r) => r.type === "CNAME")) continue;
    const others = here.filter((r) => txtValue(r) !== txtValue(record));
    records.set(record.name, record.class === "IN" ? [...others, record] : others);
  }
  return "NOERROR";
}

function isBelow(name: string): boolean {
  return name === apex || name.endsWith(`.${apex}`);
}
