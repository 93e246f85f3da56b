import type { Message } from "./message.ts";
import { WireReader } from "./wire.ts";
import { readName } from "./wire-name.ts";

export { decodeMessage } from "./decode.ts";
export { encodeMessage } from "./encode.ts";
export { txtStrings, txtValue } from "./txt.ts";
export { CodecError } from "./wire.ts";

const headerOctets = 12;
const nsidOption = 3;

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
