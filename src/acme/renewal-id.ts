import { X509Certificate } from "node:crypto";

const sequence = 0x30;
const extensionsTag = 0xa3;
const versionTag = 0xa0;
const keyIdentifierTag = 0x80;
/** 2.5.29.35, the authority key identifier. */
const authorityKeyId = Buffer.from("551d23", "hex");

interface Element {
  readonly tag: number;
  readonly content: Buffer;
}

/**
 * The certificate's identifier of RFC 9773 §4.1: base64url of the issuer's key identifier, a dot, base64url of the
 * serial's octets exactly as they stand in DER, so with the 00 before a high bit. Undefined when the certificate has no
 * authority key identifier, or cannot be read: then it has no renewal information. `pem`: the first certificate counts.
 */
export function renewalId(pem: string): string | undefined {
  try {
    const [certificate] = elements(new X509Certificate(pem).raw);
    const [tbs] = elements(certificate?.content ?? Buffer.alloc(0));
    const members = elements(tbs?.content ?? Buffer.alloc(0));
    const serial = members[members[0]?.tag === versionTag ? 1 : 0]?.content;
    const keyId = keyIdentifier(members);
    if (serial === undefined || serial.length === 0 || keyId === undefined || keyId.length === 0) return undefined;
    return `${keyId.toString("base64url")}.${serial.toString("base64url")}`;
  } catch {
    return undefined;
  }
}

function keyIdentifier(members: readonly Element[]): Buffer | undefined {
  const wrapped = members.find(({ tag }) => tag === extensionsTag);
  const [list] = elements(wrapped?.content ?? Buffer.alloc(0));
  for (const extension of elements(list?.content ?? Buffer.alloc(0))) {
    const parts = elements(extension.content);
    if (parts[0]?.content.equals(authorityKeyId) !== true) continue;
    // The value is an OCTET STRING around the sequence; "critical" may stand between.
    const [value] = elements(parts.at(-1)?.content ?? Buffer.alloc(0));
    return elements(value?.tag === sequence ? value.content : Buffer.alloc(0)).find((e) => e.tag === keyIdentifierTag)
      ?.content;
  }
  return undefined;
}

/** The DER elements that follow each other in `der`. Throws RangeError where it is cut off. */
function elements(der: Buffer): readonly Element[] {
  const found: Element[] = [];
  for (let at = 0; at < der.length; ) {
    const tag = der.readUInt8(at);
    const first = der.readUInt8(at + 1);
    const octets = first < 0x80 ? 0 : first & 0x7f;
    const length = octets === 0 ? first : der.readUIntBE(at + 2, octets);
    const start = at + 2 + octets;
    if (start + length > der.length) throw new RangeError("cut off");
    found.push({ tag, content: der.subarray(start, start + length) });
    at = start + length;
  }
  return found;
}
