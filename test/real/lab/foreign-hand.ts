import { createHmac, randomInt } from "node:crypto";
import { connect } from "node:net";
import type { At } from "./dig.ts";
import type { LabKey } from "./keys.ts";

/** One change of one record: what somebody other than dns01 does to the zone meanwhile. */
export interface ForeignChange {
  readonly does: "add" | "remove";
  readonly name: string;
  readonly type: "TXT" | "A" | "CNAME";
  readonly data: string;
}

const types = { A: 1, CNAME: 5, SOA: 6, TXT: 16 } as const;
const classes = { IN: 1, NONE: 254, ANY: 255 } as const;

/**
 * RFC 2136 UPDATE with TSIG (RFC 8945) over TCP, built here from the RFCs so that no code under test is needed to
 * disturb it. Returns the RCODE; the reply's signature is not looked at.
 */
export function changeZone(to: At, zone: string, key: LabKey, changes: readonly ForeignChange[]): Promise<number> {
  const id = randomInt(0x10000);
  const head = Buffer.alloc(12);
  head.writeUInt16BE(id, 0);
  head.writeUInt16BE(5 << 11, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(changes.length, 8);
  const question = Buffer.concat([wireName(zone), u16(types.SOA, classes.IN)]);
  const unsigned = Buffer.concat([head, question, ...changes.map(record)]);
  const message = Buffer.concat([unsigned, tsig(unsigned, id, key)]);
  message.writeUInt16BE(1, 10);
  return new Promise((resolve, reject) => {
    const socket = connect(to.port, to.address, () => socket.write(Buffer.concat([u16(message.length), message])));
    let received = Buffer.alloc(0);
    socket.setTimeout(3000, () => socket.destroy(new Error(`${to.address} does not answer an UPDATE`)));
    socket.on("error", reject);
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 6) return;
      socket.destroy();
      resolve(received.readUInt16BE(4) & 0xf);
    });
  });
}

/** RFC 2136 §2.5.1 (add) and §2.5.4 (delete one record). */
function record(change: ForeignChange): Buffer {
  const add = change.does === "add";
  const rdata = data(change);
  const head = u16(types[change.type], add ? classes.IN : classes.NONE, 0, add ? 60 : 0, rdata.length);
  return Buffer.concat([wireName(change.name), head, rdata]);
}

function data({ type, data: text }: ForeignChange): Buffer {
  if (type === "A") return Buffer.from(text.split(".").map(Number));
  if (type === "CNAME") return wireName(text);
  return Buffer.concat([Buffer.from([Buffer.byteLength(text)]), Buffer.from(text)]);
}

/** RFC 8945 §4.3.3: the MAC covers the message and the TSIG variables. */
function tsig(message: Buffer, id: number, key: LabKey): Buffer {
  const algorithm = wireName(key.algorithm);
  const time = u16(0, 0, 0);
  time.writeUIntBE(Math.floor(Date.now() / 1000), 0, 6);
  const fudge = u16(300);
  const variables = [wireName(key.name), u16(classes.ANY, 0, 0), algorithm, time, fudge, u16(0, 0)];
  const hash = key.algorithm.slice("hmac-".length);
  const mac = createHmac(hash, Buffer.from(key.secret, "base64"))
    .update(Buffer.concat([message, ...variables]))
    .digest();
  const rdata = Buffer.concat([algorithm, time, fudge, u16(mac.length), mac, u16(id, 0, 0)]);
  return Buffer.concat([wireName(key.name), u16(250, classes.ANY, 0, 0, rdata.length), rdata]);
}

function wireName(name: string): Buffer {
  const labels = name.replace(/\.$/, "").toLowerCase().split(".");
  return Buffer.concat([
    ...labels.flatMap((label) => [Buffer.from([label.length]), Buffer.from(label)]),
    Buffer.from([0]),
  ]);
}

function u16(...values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(values.length * 2);
  for (const [i, value] of values.entries()) buffer.writeUInt16BE(value, i * 2);
  return buffer;
}
