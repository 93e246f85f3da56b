import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import { parseName } from "../../src/core/name.ts";
import { decodeMessage, emptyMessage, encodeMessage, txtStrings } from "../../src/dns/codec.ts";
import type { Endpoint } from "../../src/dns/exchange.ts";
import type { Message, RecordType, ResourceRecord } from "../../src/dns/message.ts";

export const query = (name: string, type: RecordType, more: Partial<Message> = {}): Message => ({
  ...emptyMessage,
  id: 4711,
  questions: [{ name: parseName(name), type, class: "IN" }],
  ...more,
});

export const update = (
  zone: string,
  updates: readonly ResourceRecord[],
  prerequisites: readonly ResourceRecord[] = [],
): Message => ({
  ...emptyMessage,
  id: 815,
  opcode: "UPDATE",
  questions: [{ name: parseName(zone), type: "SOA", class: "IN" }],
  answers: prerequisites,
  authorities: updates,
});

/** Records of an update: class IN adds, NONE takes a value away, ANY a whole set. */
export const txt = (
  name: string,
  value: string,
  klass: "IN" | "NONE" = "IN",
  ttl = klass === "IN" ? 60 : 0,
): ResourceRecord => ({
  name: parseName(name),
  class: klass,
  ttl,
  type: "TXT",
  strings: txtStrings(value),
});

export const empty = (name: string, type: RecordType, klass: "ANY" | "NONE" = "ANY"): ResourceRecord => ({
  name: parseName(name),
  class: klass,
  ttl: 0,
  type,
  empty: true,
});

/** Sends octets over UDP; undefined when nothing comes back within the time. */
export async function overUdp(to: Endpoint, octets: Uint8Array, waitMs = 2000): Promise<Uint8Array | undefined> {
  const socket = createSocket(to.address.includes(":") ? "udp6" : "udp4");
  try {
    socket.connect(to.port, to.address);
    await once(socket, "connect");
    socket.send(octets);
    const [reply] = (await once(socket, "message", { signal: AbortSignal.timeout(waitMs) })) as [Uint8Array];
    return reply;
  } catch (error) {
    if (error instanceof Error && error.name === "AbortError") return undefined;
    throw error;
  } finally {
    socket.close();
  }
}

/** Sends messages over one TCP connection, in pieces of the given size, and reads as many answers. */
export async function overTcp(
  to: Endpoint,
  messages: readonly Uint8Array[],
  pieces = 65_535,
): Promise<readonly Uint8Array[]> {
  const socket = connect(to.port, to.address);
  await once(socket, "connect");
  const out = Buffer.concat(messages.flatMap((m) => [Uint8Array.of(m.length >> 8, m.length & 0xff), m]));
  for (let at = 0; at < out.length; at += pieces) {
    socket.write(out.subarray(at, at + pieces));
    await new Promise((resolve) => setImmediate(resolve));
  }
  const replies: Uint8Array[] = [];
  let pending = Buffer.alloc(0);
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
      const length = pending.readUInt16BE(0);
      replies.push(pending.subarray(2, 2 + length));
      pending = pending.subarray(2 + length);
    }
    if (replies.length >= messages.length) break;
  }
  socket.destroy();
  return replies;
}

/** One question over UDP, decoded. Fails when nothing comes. */
export async function ask(to: Endpoint, message: Message): Promise<Message> {
  const reply = await overUdp(to, encodeMessage(message));
  if (reply === undefined) throw new Error(`${to.address} did not answer`);
  return decodeMessage(reply);
}
