import { createSocket, type RemoteInfo, type Socket as UdpSocket } from "node:dgram";
import { createServer, isIPv6, type Server, type Socket } from "node:net";
import { decodeMessage, encodeMessage, questionOctets } from "../../src/dns/codec.ts";
import type { Endpoint } from "../../src/dns/exchange.ts";
import type { Message, Question } from "../../src/dns/message.ts";
import { authoritativeAnswer, type ScriptedZone } from "./scripted-zones.ts";
import { type Fault, recursiveAnswer } from "./virtual-network.ts";

/** What one server does wrong on the wire; everything is optional, and it may change while the server runs. */
export interface Weather {
  /** Answers nothing: over UDP, over TCP (it accepts and stays silent), or over both. */
  readonly drop?: "udp" | "tcp" | "both";
  readonly delayMs?: number;
  /** Empty answers with TC over UDP. */
  readonly truncate?: boolean;
  /** Replies carry another id, come from another port, or repeat another question. */
  readonly wrong?: "id" | "port" | "question";
  /** Each reply is sent twice. */
  readonly duplicate?: boolean;
  /** The question comes back in small letters. */
  readonly foldCase?: boolean;
  /** FORMERR to a query with OPT; or OPT is passed over in silence. */
  readonly edns?: "formerr" | "ignored";
  /** What it says instead of the truth; `silent` and the like as in the virtual network. */
  readonly fault?: Fault | undefined;
}

export interface ScriptedServer {
  readonly address: string;
  readonly zones?: readonly ScriptedZone[];
  /** Recursive: answers from the zones of all servers. */
  readonly recursive?: boolean;
  readonly weather?: Weather;
}

export interface WireQuestion {
  readonly to: string;
  readonly transport: "udp" | "tcp";
  readonly question: Question;
  readonly recursionDesired: boolean;
}

/** Real nameservers on loopback, one port for all of them. */
export interface ScriptedNameservers {
  readonly port: number;
  readonly log: readonly WireQuestion[];
  at(address: string): Endpoint;
  /** Replaces what the server at that address holds and does. */
  change(server: ScriptedServer): void;
  close(): Promise<void>;
}

interface Listening {
  script: ScriptedServer;
  readonly udp: UdpSocket;
  /** From where replies come that come from the wrong port. */
  readonly stray: UdpSocket;
  readonly tcp: Server;
  readonly connections: Set<Socket>;
}

/** Starts them on a port that the system picks and that is free at each of the addresses (127.0.0.x, ::1). */
export async function startNameservers(scripts: readonly ScriptedServer[]): Promise<ScriptedNameservers> {
  const log: WireQuestion[] = [];
  const listening = await listenAll(scripts, log);
  const port = listening[0]?.udp.address().port ?? 0;
  return {
    port,
    log,
    at: (address) => ({ address, port }),
    change(script) {
      const one = listening.find((l) => l.script.address === script.address);
      if (one === undefined) throw new Error(`no server at ${script.address}`);
      one.script = script;
    },
    close: async () => {
      await Promise.all(listening.map(close));
    },
  };
}

async function listenAll(scripts: readonly ScriptedServer[], log: WireQuestion[]): Promise<readonly Listening[]> {
  for (let attempt = 0; ; attempt++) {
    const listening: Listening[] = [];
    try {
      for (const script of scripts) {
        listening.push(
          await listen(script, listening[0]?.udp.address().port ?? 0, log, () => listening.map((l) => l.script)),
        );
      }
      return listening;
    } catch (error) {
      await Promise.all(listening.map(close));
      const taken = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
      if (!taken || attempt >= 20) throw error;
    }
  }
}

async function listen(
  script: ScriptedServer,
  port: number,
  log: WireQuestion[],
  all: () => readonly ScriptedServer[],
): Promise<Listening> {
  const { address } = script;
  const family = isIPv6(address) ? "udp6" : "udp4";
  const connections = new Set<Socket>();
  const tcp = createServer((socket) => {
    connections.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => connections.delete(socket));
    let buffered = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      buffered = Buffer.concat([buffered, chunk]);
      for (let size = 0; buffered.length >= 2; buffered = buffered.subarray(2 + size)) {
        size = buffered.readUInt16BE(0);
        if (buffered.length < 2 + size) return;
        react(one, all(), log, "tcp", buffered.subarray(2, 2 + size), (reply) => {
          const head = Buffer.alloc(2);
          head.writeUInt16BE(reply.length);
          socket.write(Buffer.concat([head, reply]));
        });
      }
    });
  });
  const udp = createSocket(family);
  const stray = createSocket(family);
  udp.on("message", (octets: Buffer, from: RemoteInfo) => {
    react(one, all(), log, "udp", octets, (reply, wrongPort) => {
      (wrongPort ? stray : udp).send(reply, from.port, from.address);
    });
  });
  const one: Listening = { script, udp, stray, tcp, connections };
  try {
    await bound(tcp, () => tcp.listen(port, address));
    const place = tcp.address();
    if (place === null || typeof place === "string") throw new Error("no port");
    await bound(udp, () => udp.bind({ port: place.port, address, exclusive: true }));
    await bound(stray, () => stray.bind({ port: 0, address, exclusive: true }));
    return one;
  } catch (error) {
    await close(one);
    throw error;
  }
}

function bound(socket: Server | UdpSocket, start: () => unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("listening", () => {
      socket.off("error", reject);
      resolve();
    });
    socket.once("error", reject);
    start();
  });
}

async function close(one: Listening): Promise<void> {
  for (const socket of one.connections) socket.destroy();
  await Promise.all([
    ...[one.udp, one.stray].map(
      (s) => new Promise<void>((resolve) => closeQuietly(() => s.close(() => resolve()), resolve)),
    ),
    new Promise<void>((resolve) => one.tcp.close(() => resolve())),
  ]);
}

/** A socket that was never bound throws when it is closed twice; then it is closed. */
function closeQuietly(attempt: () => void, done: () => void): void {
  try {
    attempt();
  } catch {
    done();
  }
}

function react(
  { script }: Listening,
  all: readonly ScriptedServer[],
  log: WireQuestion[],
  transport: "udp" | "tcp",
  octets: Uint8Array,
  send: (reply: Uint8Array, wrongPort: boolean) => void,
): void {
  const query = decodeMessage(octets);
  const question = query.questions[0];
  if (question === undefined) return;
  const { weather = {} } = script;
  log.push({ to: script.address, transport, question, recursionDesired: query.recursionDesired });
  if (weather.drop === "both" || weather.drop === transport) return;
  const truth = script.recursive
    ? recursiveAnswer(
        all.flatMap((s) => s.zones ?? []),
        question,
        query.recursionDesired,
      )
    : authoritativeAnswer(script.zones ?? [], question);
  const said = weather.fault?.(question, truth) ?? truth;
  if (typeof said === "string") {
    if (said === "broken") send(new Uint8Array(7), false);
    return;
  }
  const reply = onWire(said, query, octets, weather, transport);
  const wrongPort = weather.wrong === "port" && transport === "udp";
  const go = () => {
    for (let n = weather.duplicate ? 2 : 1; n > 0; n--) send(reply, wrongPort);
  };
  if (weather.delayMs === undefined) go();
  else setTimeout(go, weather.delayMs).unref();
}

function onWire(
  said: Message,
  query: Message,
  octets: Uint8Array,
  weather: Weather,
  transport: "udp" | "tcp",
): Uint8Array {
  const edns = query.edns === undefined || weather.edns === "ignored" ? undefined : { ...query.edns, options: [] };
  let reply: Message = { ...said, id: query.id, recursionDesired: query.recursionDesired, edns };
  if (weather.edns === "formerr" && query.edns !== undefined) {
    reply = {
      ...reply,
      rcode: "FORMERR",
      authoritative: false,
      answers: [],
      authorities: [],
      additionals: [],
      edns: undefined,
    };
  }
  const truncated = { ...reply, truncated: true, answers: [], authorities: [], additionals: [] };
  let encoded = encodeMessage(reply);
  const room = query.edns?.udpSize ?? 512;
  if (transport === "udp" && (weather.truncate || encoded.length > room)) encoded = encodeMessage(truncated);
  const out = Uint8Array.from(encoded);
  // The codec writes names in small letters: put the question back as it was asked.
  const asked = questionOctets(octets);
  if (asked !== undefined && !weather.foldCase) out.set(asked, 12);
  if (weather.wrong === "id") out[0] = (out[0] ?? 0) ^ 0x55;
  if (weather.wrong === "question") out[13] = (out[13] ?? 0) ^ 0x01;
  return out;
}
