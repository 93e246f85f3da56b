/** Parameters of IDNA's Punycode, RFC 3492 §5. */
const base = 36;
const tMin = 1;
const tMax = 26;
const skew = 38;
const damp = 700;
const initialBias = 72;
const initialCode = 128;

/** The text behind "xn--", decoded as RFC 3492 §6.2 says; undefined when it is no Punycode. */
export function decodePunycode(encoded: string): string | undefined {
  const cut = encoded.lastIndexOf("-");
  const output = [...encoded.slice(0, Math.max(0, cut))].map((c) => c.charCodeAt(0));
  if (output.some((code) => code >= initialCode)) return undefined;
  let code = initialCode;
  let bias = initialBias;
  let index = 0;
  for (let at = cut + 1; at < encoded.length; ) {
    const before = index;
    for (let weight = 1, k = base; ; k += base) {
      const digit = digitOf(encoded.charCodeAt(at++));
      if (digit === undefined) return undefined;
      index += digit * weight;
      const threshold = k <= bias ? tMin : Math.min(tMax, k - bias);
      if (digit < threshold) break;
      weight *= base - threshold;
    }
    const length = output.length + 1;
    bias = adapt(index - before, length, before === 0);
    code += Math.floor(index / length);
    index %= length;
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return undefined;
    output.splice(index++, 0, code);
  }
  return String.fromCodePoint(...output);
}

function digitOf(char: number): number | undefined {
  if (char >= 0x61 && char <= 0x7a) return char - 0x61;
  if (char >= 0x30 && char <= 0x39) return char - 0x30 + 26;
  return undefined;
}

/** RFC 3492 §6.1. */
function adapt(delta: number, points: number, first: boolean): number {
  let d = Math.floor(delta / (first ? damp : 2));
  d += Math.floor(d / points);
  let k = 0;
  for (; d > ((base - tMin) * tMax) / 2; k += base) d = Math.floor(d / (base - tMin));
  return k + Math.floor(((base - tMin + 1) * d) / (d + skew));
}
