import { isIPv4, isIPv6 } from "node:net";
import { CodecError } from "./wire.ts";

export function ipv4Octets(address: string): Uint8Array {
  if (!isIPv4(address)) throw new CodecError(`"${address}" is not an IPv4 address`);
  return Uint8Array.from(address.split(".").map(Number));
}

export function ipv6Octets(address: string): Uint8Array {
  if (!isIPv6(address) || address.includes("%")) throw new CodecError(`"${address}" is not an IPv6 address`);
  const [head = "", tail] = address.split("::");
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const zeros = new Array<number>(8 - before.length - after.length).fill(0);
  return Uint8Array.from([...before, ...zeros, ...after].flatMap((g) => [g >> 8, g & 0xff]));
}

function groups(text: string): readonly number[] {
  if (text === "") return [];
  return text.split(":").flatMap((part) => {
    if (!part.includes(".")) return [Number.parseInt(part, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = ipv4Octets(part);
    return [(a << 8) | b, (c << 8) | d];
  });
}

export function ipv4Text(octets: Uint8Array): string {
  return octets.join(".");
}

/** RFC 5952: lower case, no leading zeros, the first of the longest runs of zeros shortened. */
export function ipv6Text(octets: Uint8Array): string {
  const parts: number[] = [];
  for (let i = 0; i < 16; i += 2) parts.push(((octets[i] ?? 0) << 8) | (octets[i + 1] ?? 0));
  let best = { start: 0, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && parts[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  const hex = parts.map((p) => p.toString(16));
  if (best.length < 2) return hex.join(":");
  return `${hex.slice(0, best.start).join(":")}::${hex.slice(best.start + best.length).join(":")}`;
}
