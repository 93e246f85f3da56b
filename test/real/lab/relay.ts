import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { connect, createServer, type Socket } from "node:net";
import type { At } from "./dig.ts";

/** Shares in [0, 1] of what goes wrong between the world and a server that is in order. */
export interface DnsFaults {
  /** Datagrams lost on the way there. */
  readonly drop: number;
  /** Answers over UDP cut to the header and question, with TC set. */
  readonly truncate: number;
  /** Answers over UDP turned into SERVFAIL. */
  readonly servfail: number;
  /** TCP connections closed at once. */
  readonly refuseTcp: number;
}

export interface Relay {
  faults: DnsFaults;
  close(): Promise<void>;
}

export const noDnsFaults: DnsFaults = { drop: 0, truncate: 0, servfail: 0, refuseTcp: 0 };

/** Passes datagrams and connections on between `front` and `back`, with the weather of `faults`. */
export async function startRelay(front: At, back: At, random: () => number): Promise<Relay> {
  const relay = { faults: noDnsFaults };
  const sockets = new Set<UdpSocket>();
  const connections = new Set<Socket>();
  const udp = createSocket("udp4");
  udp.on("message", (question, from) => {
    if (random() < relay.faults.drop) return;
    const onward = createSocket("udp4");
    sockets.add(onward);
    const end = () => {
      clearTimeout(timer);
      sockets.delete(onward);
      onward.close();
    };
    const timer = setTimeout(end, 3000);
    onward.on("error", end);
    onward.on("message", (answer) => {
      udp.send(spoil(answer, question, relay.faults, random), from.port, from.address);
      end();
    });
    onward.send(question, back.port, back.address);
  });
  const tcp = createServer((socket) => {
    if (random() < relay.faults.refuseTcp) return void socket.destroy();
    const onward = connect(back.port, back.address);
    for (const [one, other] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      connections.add(one);
      const end = () => {
        connections.delete(one);
        other.destroy();
      };
      one.on("error", end).on("close", end);
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve, reject) => udp.once("error", reject).bind(front.port, front.address, resolve));
  await new Promise<void>((resolve, reject) => tcp.once("error", reject).listen(front.port, front.address, resolve));
  return {
    get faults() {
      return relay.faults;
    },
    set faults(faults) {
      relay.faults = faults;
    },
    async close() {
      for (const socket of connections) socket.destroy();
      for (const socket of sockets) socket.close();
      sockets.clear();
      await new Promise<void>((resolve) => udp.close(resolve));
      await new Promise((resolve) => tcp.close(resolve));
    },
  };
}

/** The answer, or the header and question of it with TC or SERVFAIL. Both keep id and question. */
function spoil(answer: Buffer, question: Buffer, faults: DnsFaults, random: () => number): Buffer {
  const truncate = random() < faults.truncate;
  const servfail = random() < faults.servfail;
  if (!truncate && !servfail) return answer;
  const short = Buffer.from(answer.subarray(0, endOfQuestion(question)));
  const flags = answer.readUInt16BE(2);
  short.writeUInt16BE(truncate ? flags | 0x0200 : (flags & 0xfbf0) | 2, 2);
  for (const count of [6, 8, 10]) short.writeUInt16BE(0, count);
  return short;
}

/** Offset behind the one question: its name has no pointers. */
function endOfQuestion(message: Buffer): number {
  let offset = 12;
  while (offset < message.length && message[offset] !== 0) offset += (message[offset] ?? 0) + 1;
  return Math.min(offset + 5, message.length);
}
