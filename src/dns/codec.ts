import { rootName } from "../core/name.ts";
import type { Edns, Message, Question, ResourceRecord, Tsig } from "./message.ts";
import {
  className,
  classNumber,
  opcodeName,
  opcodeNumber,
  rcodeName,
  rcodeNumber,
  typeName,
  typeNumber,
} from "./numbers.ts";
import { readRdata, writeRdata } from "./rdata.ts";
import { CodecError, WireReader, WireWriter } from "./wire.ts";
import { type Compression, readName, writeName } from "./wire-name.ts";

export { txtStrings, txtValue } from "./txt.ts";
export { CodecError } from "./wire.ts";

const headerOctets = 12;
const nsidOption = 3;

const flag = { response: 0x8000, aa: 0x0400, tc: 0x0200, rd: 0x0100, ra: 0x0080, ad: 0x0020, cd: 0x0010 };

export interface EncodeOptions {
  /**
   * The question section of a request, octet for octet (see questionOctets), written instead of `questions`: a server
   * must give back the letter case it was asked in.
   */
  readonly question?: Uint8Array | undefined;
  /** Largest result. Beyond it all records but OPT are left out and TC is set (RFC 2181 §9). Default 65,535. */
  readonly maxOctets?: number | undefined;
}

/** A message with nothing in it, to be spread over. */
export const emptyMessage: Message = {
  id: 0,
  response: false,
  opcode: "QUERY",
  authoritative: false,
  truncated: false,
  recursionDesired: false,
  recursionAvailable: false,
  authenticData: false,
  checkingDisabled: false,
  rcode: "NOERROR",
  questions: [],
  answers: [],
  authorities: [],
  additionals: [],
};

/**
 * The octets of a message. Owner names are compressed; names in RDATA too, except in an UPDATE. OPT goes behind the
 * other additional records, TSIG last. Throws CodecError for what DNS cannot express.
 */
export function encodeMessage(message: Message, options: EncodeOptions = {}): Uint8Array {
  const octets = encodeWhole(message, options.question);
  if (options.maxOctets === undefined || octets.length <= options.maxOctets) return octets;
  const cut = { ...message, truncated: true, answers: [], authorities: [], additionals: [] };
  return encodeWhole(cut, options.question);
}

function encodeWhole(message: Message, question: Uint8Array | undefined): Uint8Array {
  const writer = new WireWriter();
  const compression: Compression = new Map();
  const inRdata = message.opcode === "UPDATE" ? undefined : compression;
  const rcode = rcodeNumber(message.rcode);
  if (rcode > 15 && message.edns === undefined) throw new CodecError(`${message.rcode} needs EDNS`);
  writer.u16(message.id);
  writer.u16(flagsOf(message) | (rcode & 15));
  writer.u16(question === undefined ? message.questions.length : 1);
  writer.u16(message.answers.length);
  writer.u16(message.authorities.length);
  writer.u16(message.additionals.length + (message.edns ? 1 : 0) + (message.tsig ? 1 : 0));
  if (question === undefined) {
    for (const q of message.questions) writeQuestion(writer, q, compression);
  } else {
    writeRawQuestion(writer, question, compression);
  }
  for (const section of [message.answers, message.authorities, message.additionals]) {
    for (const record of section) writeRecord(writer, record, compression, inRdata);
  }
  if (message.edns) writeEdns(writer, message.edns, rcode);
  if (message.tsig) writeTsig(writer, message.tsig);
  return writer.finish();
}

function flagsOf(message: Message): number {
  return (
    (message.response ? flag.response : 0) |
    (opcodeNumber(message.opcode) << 11) |
    (message.authoritative ? flag.aa : 0) |
    (message.truncated ? flag.tc : 0) |
    (message.recursionDesired ? flag.rd : 0) |
    (message.recursionAvailable ? flag.ra : 0) |
    (message.authenticData ? flag.ad : 0) |
    (message.checkingDisabled ? flag.cd : 0)
  );
}

function writeQuestion(writer: WireWriter, question: Question, compression: Compression): void {
  writeName(writer, question.name, compression);
  writer.u16(typeNumber(question.type));
  writer.u16(classNumber(question.class));
}

function writeRawQuestion(writer: WireWriter, octets: Uint8Array, compression: Compression): void {
  const reader = new WireReader(octets);
  // Written once through the codec so that the records that follow can point at its labels.
  const shape = new WireWriter();
  shape.bytes(new Uint8Array(headerOctets));
  writeName(shape, readName(reader), compression);
  if (reader.remaining !== 4) throw new CodecError("the raw question is not one question");
  writer.bytes(octets);
}

function writeRecord(
  writer: WireWriter,
  record: ResourceRecord,
  owners: Compression,
  inRdata: Compression | undefined,
): void {
  if (record.type === "OPT" || record.type === "TSIG") {
    throw new CodecError(`${record.type} is a field of the message, not a record`);
  }
  writeName(writer, record.name, owners);
  writer.u16(typeNumber(record.type));
  writer.u16(classNumber(record.class));
  writer.u32(record.ttl);
  writeSized(writer, () => writeRdata(writer, record, inRdata));
}

function writeSized(writer: WireWriter, content: () => void): void {
  const at = writer.length;
  writer.u16(0);
  content();
  writer.setU16(at, writer.length - at - 2);
}

function writeEdns(writer: WireWriter, edns: Edns, rcode: number): void {
  writer.u8(0);
  writer.u16(typeNumber("OPT"));
  writer.u16(edns.udpSize);
  writer.u8(rcode >> 4);
  writer.u8(edns.version);
  writer.u16(edns.dnssecOk ? 0x8000 : 0);
  writeSized(writer, () => {
    for (const option of edns.options) {
      writer.u16(option.code);
      writer.u16(option.data.length);
      writer.bytes(option.data);
    }
  });
}

function writeTsig(writer: WireWriter, tsig: Tsig): void {
  writeName(writer, tsig.keyName);
  writer.u16(typeNumber("TSIG"));
  writer.u16(classNumber("ANY"));
  writer.u32(0);
  writeSized(writer, () => {
    writeName(writer, tsig.algorithm);
    writer.u48(tsig.timeSigned);
    writer.u16(tsig.fudge);
    writer.u16(tsig.mac.length);
    writer.bytes(tsig.mac);
    writer.u16(tsig.originalId);
    writer.u16(tsig.error);
    writer.u16(tsig.other.length);
    writer.bytes(tsig.other);
  });
}

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

/**
 * The first question of a message as it stands on the wire (name in its own letter case, type, class), or `undefined` if
 * there is none. Throws CodecError.
 */
export function questionOctets(octets: Uint8Array): Uint8Array | undefined {
  const reader = new WireReader(octets);
  reader.skip(4);
  if (reader.u16() === 0) return undefined;
  reader.skip(6);
  readName(reader);
  reader.skip(4);
  return new Uint8Array(octets.subarray(headerOctets, reader.offset));
}

/** The server's identity (RFC 5001): as text if it is printable ASCII, else in hexadecimal. */
export function nsidOf(message: Message): string | undefined {
  const data = message.edns?.options.find((o) => o.code === nsidOption)?.data;
  if (data === undefined || data.length === 0) return undefined;
  const text = Buffer.from(data).toString("latin1");
  return /^[\x20-\x7e]+$/.test(text) ? text : Buffer.from(data).toString("hex");
}
