import { rootName } from "../core/name.ts";
import type { Edns, Message, Question, ResourceRecord, Tsig } from "./message.ts";
import { className, flag, opcodeName, rcodeName, typeName } from "./numbers.ts";
import { readRdata } from "./rdata.ts";
import { CodecError, WireReader } from "./wire.ts";
import { readName } from "./wire-name.ts";

/**
 * Reads one whole message. Throws CodecError, and nothing else, for octets that are not exactly that: cut off, with
 * octets behind the end, with bad pointers or lengths, with a second OPT or a TSIG that is not last.
 */
export function decodeMessage(octets: Uint8Array): Message {
  const reader = new WireReader(octets);
  const id = reader.u16();
  const flags = reader.u16();
  const counts = [reader.u16(), reader.u16(), reader.u16(), reader.u16()] as const;
  const questions: Question[] = [];
  for (let i = 0; i < counts[0]; i++) {
    questions.push({ name: readName(reader), type: typeName(reader.u16()), class: className(reader.u16()) });
  }
  const answers = readRecords(reader, counts[1]);
  const authorities = readRecords(reader, counts[2]);
  const additional = readAdditional(reader, counts[3]);
  if (reader.remaining !== 0) throw new CodecError(`${reader.remaining} octets behind the end of the message`);
  return {
    id,
    response: (flags & flag.response) !== 0,
    opcode: opcodeName((flags >> 11) & 15),
    authoritative: (flags & flag.aa) !== 0,
    truncated: (flags & flag.tc) !== 0,
    recursionDesired: (flags & flag.rd) !== 0,
    recursionAvailable: (flags & flag.ra) !== 0,
    authenticData: (flags & flag.ad) !== 0,
    checkingDisabled: (flags & flag.cd) !== 0,
    rcode: rcodeName((additional.rcodeHigh << 4) | (flags & 15)),
    questions,
    answers,
    authorities,
    additionals: additional.records,
    edns: additional.edns,
    tsig: additional.tsig,
  };
}

function readRecords(reader: WireReader, count: number): readonly ResourceRecord[] {
  const records: ResourceRecord[] = [];
  for (let i = 0; i < count; i++) {
    const head = readHead(reader);
    if (head.type === "OPT" || head.type === "TSIG")
      throw new CodecError(`${head.type} outside the additional section`);
    records.push(readRecord(head, reader));
  }
  return records;
}

interface Additional {
  readonly records: readonly ResourceRecord[];
  readonly edns: Edns | undefined;
  readonly tsig: Tsig | undefined;
  readonly rcodeHigh: number;
}

function readAdditional(reader: WireReader, count: number): Additional {
  const records: ResourceRecord[] = [];
  let edns: Edns | undefined;
  let tsig: Tsig | undefined;
  let rcodeHigh = 0;
  for (let i = 0; i < count; i++) {
    const head = readHead(reader);
    if (head.type === "OPT") {
      if (edns !== undefined) throw new CodecError("more than one OPT record");
      if (head.name !== rootName) throw new CodecError("the owner of OPT is not the root");
      rcodeHigh = head.ttl >>> 24;
      edns = readEdns(head, reader);
    } else if (head.type === "TSIG") {
      // RFC 8945 §5.1: TSIG anywhere but at the end is a format error.
      if (i !== count - 1) throw new CodecError("TSIG is not the last record");
      tsig = readTsig(head, reader);
    } else {
      records.push(readRecord(head, reader));
    }
  }
  return { records, edns, tsig, rcodeHigh };
}

type Head = ReturnType<typeof readHead>;

function readHead(reader: WireReader) {
  const name = readName(reader);
  return { name, type: typeName(reader.u16()), classValue: reader.u16(), ttl: reader.u32() };
}

function readRecord(head: Head, reader: WireReader): ResourceRecord {
  const common = { name: head.name, class: className(head.classValue), ttl: head.ttl };
  return readRdata(common, head.type, reader.window(reader.u16()));
}

function readEdns(head: Head, outer: WireReader): Edns {
  const reader = outer.window(outer.u16());
  const options: { code: number; data: Uint8Array }[] = [];
  while (reader.remaining > 0) {
    const code = reader.u16();
    options.push({ code, data: reader.bytes(reader.u16()) });
  }
  return {
    udpSize: head.classValue,
    version: (head.ttl >>> 16) & 0xff,
    dnssecOk: (head.ttl & 0x8000) !== 0,
    options,
  };
}

function readTsig(head: Head, outer: WireReader): Tsig {
  if (className(head.classValue) !== "ANY") throw new CodecError("the class of TSIG is not ANY");
  if (head.ttl !== 0) throw new CodecError("the TTL of TSIG is not 0");
  const reader = outer.window(outer.u16());
  const algorithm = readName(reader);
  const timeSigned = reader.u48();
  const fudge = reader.u16();
  const mac = reader.bytes(reader.u16());
  const originalId = reader.u16();
  const error = reader.u16();
  const other = reader.bytes(reader.u16());
  if (reader.remaining !== 0) throw new CodecError("RDATA of TSIG is longer than its content");
  return { keyName: head.name, algorithm, timeSigned, fudge, mac, originalId, error, other };
}
