/** Another client's cut, so that a service's texts differ from those that the program writes. */
const stringOctets = 200;

/**
 * A TXT value in presentation format (RFC 1035 §5.1), for fakes of services that show values so: in quotes, in strings
 * of at most 200 octets, with escapes for quotes, backslashes and octets outside of ASCII.
 *
 * @example encodeTxt('say "hi"') // "say \"hi\"", its quotes included
 */
export function encodeTxt(value: string): string {
  const octets = new TextEncoder().encode(value);
  const strings: string[] = [];
  for (let at = 0; at === 0 || at < octets.length; at += stringOctets) {
    strings.push(`"${Array.from(octets.subarray(at, at + stringOctets), escaped).join("")}"`);
  }
  return strings.join(" ");
}

/**
 * The value of a text in presentation format. Returns undefined where a service refuses the text: without quotes, with
 * a quote that is not escaped, or with a string of more than 255 octets.
 */
export function decodeTxt(text: string): string | undefined {
  if (!/^"(?:[^"\\]|\\\d{3}|\\\D)*"(?:\s+"(?:[^"\\]|\\\d{3}|\\\D)*")*$/su.test(text)) return undefined;
  const strings = [...text.matchAll(/"((?:[^"\\]|\\.)*)"/gsu)].map(([, inside = ""]) => octetsIn(inside));
  if (strings.some((octets) => octets.length > 255)) return undefined;
  return new TextDecoder().decode(new Uint8Array(strings.flat()));
}

function escaped(octet: number): string {
  if (octet < 0x20 || octet > 0x7e) return `\\${String(octet).padStart(3, "0")}`;
  const character = String.fromCharCode(octet);
  return character === '"' || character === "\\" ? `\\${character}` : character;
}

function octetsIn(inside: string): number[] {
  return [...inside.matchAll(/\\(\d{3})|\\?(.)/gsu)].flatMap(([, decimal, character = ""]) =>
    decimal === undefined ? [...new TextEncoder().encode(character)] : [Number(decimal) & 0xff],
  );
}
