const maxString = 255;

/**
 * A TXT value as zone files and most APIs write it (RFC 1035 §5.1): in quotes, one string per 255 octets; quotes and
 * backslashes escaped, octets outside of printable ASCII as `\DDD`.
 */
export function quoteTxt(value: string): string {
  const octets = new TextEncoder().encode(value);
  const strings: string[] = [];
  for (let at = 0; at === 0 || at < octets.length; at += maxString) {
    strings.push(`"${Array.from(octets.subarray(at, at + maxString), escaped).join("")}"`);
  }
  return strings.join(" ");
}

/** The value of such a text, its strings joined. A text that does not begin with a quote is the value itself. */
export function unquoteTxt(text: string): string {
  if (!/^\s*"/.test(text)) return text;
  const octets: number[] = [];
  for (const [, inside = ""] of text.matchAll(/"((?:[^"\\]|\\.)*)"/gs)) {
    for (const [, decimal, character = ""] of inside.matchAll(/\\(\d{3})|\\?(.)/gsu)) {
      if (decimal === undefined) octets.push(...new TextEncoder().encode(character));
      else octets.push(Number(decimal) & 0xff);
    }
  }
  return new TextDecoder().decode(new Uint8Array(octets));
}

/**
 * The texts that make a set hold exactly `values`: what stands there as it is written there, its strings cut and its
 * octets escaped by whoever wrote it, and new values quoted. Of several texts of one value all stay.
 */
export function rewriteTxt(written: readonly string[], values: readonly string[]): readonly string[] {
  const kept = written.filter((text) => values.includes(unquoteTxt(text)));
  const there = new Set(kept.map(unquoteTxt));
  return [...kept, ...values.filter((value) => !there.has(value)).map(quoteTxt)];
}

function escaped(octet: number): string {
  const character = String.fromCharCode(octet);
  if (character === '"' || character === "\\") return `\\${character}`;
  return octet >= 0x20 && octet < 0x7f ? character : `\\${String(octet).padStart(3, "0")}`;
}
