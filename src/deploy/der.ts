/** The little of DER (X.690) that a PKCS #12 file is made of. */
export type Der = Buffer;

export function sequence(...parts: readonly Der[]): Der {
  return tagged(0x30, ...parts);
}

export function set(...parts: readonly Der[]): Der {
  return tagged(0x31, ...parts);
}

export function octets(bytes: Der): Der {
  return tagged(0x04, bytes);
}

/** Context-specific and constructed: [0] EXPLICIT. */
export function explicit0(part: Der): Der {
  return tagged(0xa0, part);
}

/** Context-specific and primitive: [0] IMPLICIT OCTET STRING. */
export function implicit0(bytes: Der): Der {
  return tagged(0x80, bytes);
}

export function nothing(): Der {
  return Buffer.from([0x05, 0]);
}

/** Not negative. */
export function integer(n: number): Der {
  const hex = n.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
  return tagged(0x02, (bytes[0] ?? 0) > 0x7f ? Buffer.from([0, ...bytes]) : bytes);
}

/** Of dotted text. */
export function oid(text: string): Der {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  return tagged(0x06, Buffer.from([first * 40 + second, ...rest].flatMap(base128)));
}

export function bmpString(text: string): Der {
  return tagged(0x1e, utf16be(text));
}

/** As PKCS #12 spells passwords and names. */
export function utf16be(text: string): Buffer {
  return Buffer.from(text, "utf16le").swap16();
}

function base128(n: number): readonly number[] {
  const digits = [n & 0x7f];
  for (let rest = Math.floor(n / 128); rest > 0; rest = Math.floor(rest / 128)) digits.unshift((rest & 0x7f) | 0x80);
  return digits;
}

function tagged(tag: number, ...parts: readonly Der[]): Der {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), lengthOf(body.length), body]);
}

function lengthOf(n: number): Der {
  if (n < 0x80) return Buffer.from([n]);
  const hex = n.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
  return Buffer.from([0x80 | bytes.length, ...bytes]);
}
