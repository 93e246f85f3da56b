import { type DomainName, labelsOf, nameFromLabels } from "../core/name.ts";
import { CodecError, WireReader, type WireWriter } from "./wire.ts";

const maxPointers = 64;
const headerOctets = 12;

/** Offsets of names already written, by their text. */
export type Compression = Map<string, number>;

/** The name as it goes on the wire without compression; also the canonical form that TSIG digests (RFC 8945 §4.3.3). */
export function nameOctets(name: DomainName): Uint8Array {
  const parts: number[] = [];
  for (const label of labelsOf(name)) {
    const octets = labelOctets(label, name);
    parts.push(octets.length, ...octets);
  }
  parts.push(0);
  if (parts.length > 255) throw new CodecError(`"${name}" is longer than 255 octets`);
  return Uint8Array.from(parts);
}

/** Writes a name, ending in a pointer to an earlier one where `compression` has one (RFC 1035 §4.1.4). */
export function writeName(writer: WireWriter, name: DomainName, compression?: Compression): void {
  const octets = nameOctets(name);
  if (compression === undefined) {
    writer.bytes(octets);
    return;
  }
  const labels = labelsOf(name);
  let from = 0;
  for (const [index, label] of labels.entries()) {
    const suffix = labels.slice(index).join(".");
    const known = compression.get(suffix);
    if (known !== undefined) {
      writer.u16(0xc000 | known);
      return;
    }
    // A pointer has 14 bits.
    if (writer.length < 0x4000) compression.set(suffix, writer.length);
    const size = 1 + labelOctets(label, name).length;
    writer.bytes(octets.subarray(from, from + size));
    from += size;
  }
  writer.u8(0);
}

/**
 * Reads a name in lower case. Pointers must lead backwards, every one further than the last, and at most 64 are followed,
 * so that no packet makes this loop.
 */
export function readName(reader: WireReader): DomainName {
  return nameFromLabels(readLabels(reader).map(labelText));
}

/** Reads a name and returns it without compression, its case kept; for RDATA that is handed on as octets. */
export function readNameOctets(reader: WireReader): Uint8Array {
  const parts: number[] = [];
  for (const label of readLabels(reader)) parts.push(label.length, ...label);
  parts.push(0);
  return Uint8Array.from(parts);
}

function readLabels(reader: WireReader): readonly Uint8Array[] {
  const labels: Uint8Array[] = [];
  let source = reader;
  let lowest = reader.offset;
  let pointers = 0;
  let total = 1;
  for (;;) {
    const length = source.u8();
    if (length === 0) return labels;
    if (length < 64) {
      total += 1 + length;
      if (total > 255) throw new CodecError("a name is longer than 255 octets");
      labels.push(source.bytes(length));
      continue;
    }
    if (length < 0xc0) throw new CodecError(`label type ${length >> 6} does not exist`);
    const target = ((length & 0x3f) << 8) | source.u8();
    pointers += 1;
    if (pointers > maxPointers) throw new CodecError(`a name has more than ${maxPointers} pointers`);
    if (target >= lowest) throw new CodecError("a compression pointer does not lead backwards");
    if (target < headerOctets) throw new CodecError("a compression pointer leads into the header");
    lowest = target;
    source = new WireReader(reader.octets, target);
  }
}

/**
 * Everything but letters, digits, "-", "_" and "*" becomes `\DDD`, the dot too: so a "." in a DomainName always parts
 * two labels, and comparing text compares names.
 */
function labelText(label: Uint8Array): string {
  let text = "";
  for (const octet of label) {
    if (octet >= 0x41 && octet <= 0x5a) text += String.fromCharCode(octet + 0x20);
    else if (isPlain(octet)) text += String.fromCharCode(octet);
    else text += `\\${String(octet).padStart(3, "0")}`;
  }
  return text;
}

function isPlain(octet: number): boolean {
  return (
    (octet >= 0x61 && octet <= 0x7a) ||
    (octet >= 0x30 && octet <= 0x39) ||
    octet === 0x2d ||
    octet === 0x5f ||
    octet === 0x2a
  );
}

/** RFC 1035 §5.1 escapes: `\DDD` is an octet, `\X` is X. */
function labelOctets(label: string, name: DomainName): readonly number[] {
  const octets: number[] = [];
  for (const [, decimal, escaped, plain] of label.matchAll(/\\(\d{3})|\\(.)|(.)/gsu)) {
    const octet = decimal === undefined ? (escaped ?? plain ?? "").codePointAt(0) : Number(decimal);
    if (octet === undefined || octet > (decimal === undefined ? 127 : 255)) {
      throw new CodecError(`"${name}" has a character that DNS cannot carry`);
    }
    octets.push(octet);
  }
  if (octets.length === 0) throw new CodecError(`"${name}" has an empty label`);
  if (octets.length > 63) throw new CodecError(`"${name}" has a label of more than 63 octets`);
  return octets;
}
