import type { Opcode, Rcode, RecordClass, RecordType } from "./message.ts";
import { CodecError } from "./wire.ts";

/** Bits of the header's second word (RFC 1035 §4.1.1, RFC 4035 §3). */
export const flag = {
  response: 0x8000,
  aa: 0x0400,
  tc: 0x0200,
  rd: 0x0100,
  ra: 0x0080,
  ad: 0x0020,
  cd: 0x0010,
} as const;

const types = new Map<RecordType, number>([
  ["A", 1],
  ["NS", 2],
  ["CNAME", 5],
  ["SOA", 6],
  ["PTR", 12],
  ["MX", 15],
  ["TXT", 16],
  ["AAAA", 28],
  ["SRV", 33],
  ["DNAME", 39],
  ["OPT", 41],
  ["DS", 43],
  ["RRSIG", 46],
  ["DNSKEY", 48],
  ["TSIG", 250],
  ["IXFR", 251],
  ["AXFR", 252],
  ["ANY", 255],
  ["CAA", 257],
]);

const classes = new Map<RecordClass, number>([
  ["IN", 1],
  ["CH", 3],
  ["NONE", 254],
  ["ANY", 255],
]);

const opcodes = new Map<Opcode, number>([
  ["QUERY", 0],
  ["NOTIFY", 4],
  ["UPDATE", 5],
]);

const rcodes = new Map<Rcode, number>([
  ["NOERROR", 0],
  ["FORMERR", 1],
  ["SERVFAIL", 2],
  ["NXDOMAIN", 3],
  ["NOTIMP", 4],
  ["REFUSED", 5],
  ["YXDOMAIN", 6],
  ["YXRRSET", 7],
  ["NXRRSET", 8],
  ["NOTAUTH", 9],
  ["NOTZONE", 10],
  ["BADVERS", 16],
]);

const typeNames = reversed(types);
const classNames = reversed(classes);
const opcodeNames = reversed(opcodes);
const rcodeNames = reversed(rcodes);

export function typeNumber(type: RecordType): number {
  return types.get(type) ?? generic(type, "TYPE", 0xffff);
}

export function typeName(value: number): RecordType {
  return typeNames.get(value) ?? `TYPE${value}`;
}

export function classNumber(name: RecordClass): number {
  return classes.get(name) ?? generic(name, "CLASS", 0xffff);
}

export function className(value: number): RecordClass {
  return classNames.get(value) ?? `CLASS${value}`;
}

export function opcodeNumber(name: Opcode): number {
  return opcodes.get(name) ?? generic(name, "OPCODE", 15);
}

export function opcodeName(value: number): Opcode {
  return opcodeNames.get(value) ?? `OPCODE${value}`;
}

/** Up to 4095: the high eight bits travel in OPT (RFC 6891 §6.1.3). */
export function rcodeNumber(name: Rcode): number {
  return rcodes.get(name) ?? generic(name, "RCODE", 0xfff);
}

export function rcodeName(value: number): Rcode {
  return rcodeNames.get(value) ?? `RCODE${value}`;
}

/** "TYPE65280" and the like (RFC 3597 §5). */
function generic(text: string, prefix: string, max: number): number {
  const digits = text.startsWith(prefix) ? text.slice(prefix.length) : "";
  const value = /^\d{1,5}$/.test(digits) ? Number(digits) : -1;
  if (value < 0 || value > max) throw new CodecError(`"${text}" has no number`);
  return value;
}

function reversed<K>(map: ReadonlyMap<K, number>): ReadonlyMap<number, K> {
  return new Map([...map].map(([name, value]) => [value, name]));
}
