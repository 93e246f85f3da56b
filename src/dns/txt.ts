import type { ResourceRecord } from "./message.ts";

/**
 * The content of a TXT record as one text: its strings joined without separator, as every validator does. `undefined`
 * for other records. Octets that are no UTF-8 become U+FFFD, which no challenge value contains.
 */
export function txtValue(record: ResourceRecord): string | undefined {
  return "strings" in record ? Buffer.concat(record.strings).toString("utf8") : undefined;
}

/** A value cut into strings of at most 255 octets; an empty value is one empty string. */
export function txtStrings(value: string): readonly Uint8Array[] {
  const octets = new TextEncoder().encode(value);
  if (octets.length === 0) return [octets];
  const strings: Uint8Array[] = [];
  for (let at = 0; at < octets.length; at += 255) strings.push(octets.slice(at, at + 255));
  return strings;
}
