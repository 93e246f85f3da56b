import type { Edns, Message, Question, ResourceRecord, Tsig } from "./message.ts";
import { classNumber, flag, opcodeNumber, rcodeNumber, typeNumber } from "./numbers.ts";
import { writeRdata } from "./rdata.ts";
import { CodecError, WireReader, WireWriter } from "./wire.ts";
import { type Compression, readName, writeName } from "./wire-name.ts";

const headerOctets = 12;

export interface EncodeOptions {
  /**
   * The question section of a request, octet for octet (see questionOctets), written instead of `questions`: a server
   * must give back the letter case it was asked in.
   */
  readonly question?: Uint8Array | undefined;
  /** Largest result. Beyond it all records but OPT are left out and TC is set (RFC 2181 §9). Default 65,535. */
  readonly maxOctets?: number | undefined;
}

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

/** The TSIG record; its owner and algorithm are never compressed (RFC 8945 §4.2). */
export function writeTsig(writer: WireWriter, tsig: Tsig): void {
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
