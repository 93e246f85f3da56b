import { ipv4Octets, ipv4Text, ipv6Octets, ipv6Text } from "./ip.ts";
import type { RecordClass, RecordType, ResourceRecord } from "./message.ts";
import { CodecError, type WireReader, type WireWriter } from "./wire.ts";
import { type Compression, readName, readNameOctets, writeName } from "./wire-name.ts";

type Head = Pick<ResourceRecord, "name" | "ttl"> & { readonly class: RecordClass };

/** Reads RDATA; `reader` covers exactly its RDLENGTH. */
export function readRdata(head: Head, type: RecordType, reader: WireReader): ResourceRecord {
  // RFC 2136 §2.4: in an UPDATE a record may have no RDATA.
  if (reader.remaining === 0) return { ...head, type, empty: true };
  const record = readKnown(head, type, reader);
  if (reader.remaining !== 0) throw new CodecError(`RDATA of ${type} at ${head.name} is longer than its content`);
  return record;
}

function readKnown(head: Head, type: RecordType, reader: WireReader): ResourceRecord {
  switch (type) {
    case "A":
    case "AAAA":
      // In class CH the type number of A means something else (RFC 1035 §3.4.1 is for IN only).
      if (head.class !== "IN" && head.class !== "NONE" && head.class !== "ANY") break;
      return { ...head, type, address: type === "A" ? ipv4Text(reader.bytes(4)) : ipv6Text(reader.bytes(16)) };
    case "NS":
    case "CNAME":
    case "DNAME":
    case "PTR":
      return { ...head, type, target: readName(reader) };
    case "SOA":
      return {
        ...head,
        type,
        mname: readName(reader),
        rname: readName(reader),
        serial: reader.u32(),
        refresh: reader.u32(),
        retry: reader.u32(),
        expire: reader.u32(),
        minimum: reader.u32(),
      };
    case "TXT": {
      const strings: Uint8Array[] = [];
      while (reader.remaining > 0) strings.push(reader.bytes(reader.u8()));
      return { ...head, type, strings };
    }
    case "CAA": {
      const flags = reader.u8();
      const tag = Buffer.from(reader.bytes(reader.u8())).toString("latin1");
      return { ...head, type, flags, tag, value: reader.bytes(reader.remaining) };
    }
    case "MX":
      return { ...head, type, rdata: withName(reader, 2) };
    case "SRV":
      return { ...head, type, rdata: withName(reader, 6) };
  }
  return { ...head, type, rdata: reader.bytes(reader.remaining) };
}

/** Opaque RDATA must make sense outside its message, so a compressed name in it is written out (RFC 3597 §4). */
function withName(reader: WireReader, fixed: number): Uint8Array {
  return Uint8Array.from([...reader.bytes(fixed), ...readNameOctets(reader)]);
}

/** Writes RDATA without its length. Names are compressed only in the types of RFC 1035 (RFC 3597 §4). */
export function writeRdata(writer: WireWriter, record: ResourceRecord, compression: Compression | undefined): void {
  if ("empty" in record) return;
  if ("rdata" in record) {
    writer.bytes(record.rdata);
    return;
  }
  switch (record.type) {
    case "A":
      writer.bytes(ipv4Octets(record.address));
      return;
    case "AAAA":
      writer.bytes(ipv6Octets(record.address));
      return;
    case "NS":
    case "CNAME":
    case "PTR":
      writeName(writer, record.target, compression);
      return;
    case "DNAME":
      writeName(writer, record.target);
      return;
    case "SOA":
      writeName(writer, record.mname, compression);
      writeName(writer, record.rname, compression);
      for (const value of [record.serial, record.refresh, record.retry, record.expire, record.minimum])
        writer.u32(value);
      return;
    case "TXT":
      if (record.strings.length === 0) throw new CodecError(`TXT at ${record.name} has no string`);
      for (const octets of record.strings) writeString(writer, octets);
      return;
    case "CAA":
      writer.u8(record.flags);
      writeString(writer, Buffer.from(record.tag, "latin1"));
      writer.bytes(record.value);
      return;
  }
}

/** A character-string (RFC 1035 §3.3). */
function writeString(writer: WireWriter, octets: Uint8Array): void {
  if (octets.length > 255) throw new CodecError("a character-string is longer than 255 octets");
  writer.u8(octets.length);
  writer.bytes(octets);
}
