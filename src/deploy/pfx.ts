import { createCipheriv, createHash, createHmac, createPrivateKey, pbkdf2Sync, randomBytes } from "node:crypto";
import { createSecureContext } from "node:tls";
import {
  bmpString,
  type Der,
  explicit0,
  implicit0,
  integer,
  nothing,
  octets,
  oid,
  sequence,
  set,
  utf16be,
} from "./der.ts";

export interface PfxOptions {
  readonly password: string;
  /** 3DES and SHA-1, for what reads nothing newer: Windows Server 2016, old appliances. Else AES-256 and SHA-256. */
  readonly legacy: boolean;
}

const iterations = 2_048;

const data = "1.2.840.113549.1.7.1";
const encryptedData = "1.2.840.113549.1.7.6";
const shroudedKeyBag = "1.2.840.113549.1.12.10.1.2";
const certBag = "1.2.840.113549.1.12.10.1.3";
const x509Certificate = "1.2.840.113549.1.9.22.1";
const friendlyName = "1.2.840.113549.1.9.20";
const localKeyId = "1.2.840.113549.1.9.21";
const pbes2 = "1.2.840.113549.1.5.13";
const pbkdf2 = "1.2.840.113549.1.5.12";
const hmacSha256 = "1.2.840.113549.2.9";
const aes256Cbc = "2.16.840.1.101.3.4.1.42";
const pbeSha1TripleDes = "1.2.840.113549.1.12.1.3";
const sha1 = "1.3.14.3.2.26";
const sha256 = "2.16.840.1.101.3.4.2.1";

/** Purposes of key derivation, RFC 7292 §B.3. */
const forKey = 1;
const forIv = 2;
const forMac = 3;

/**
 * Key, certificate and chain as one PKCS #12 file (RFC 7292), made with Node's own cryptography: node-forge, which comes
 * with acme-client, takes no elliptic-curve key.
 */
export function makePfx(
  pem: { readonly privkey: string; readonly cert: string; readonly chain: string },
  name: string,
  options: PfxOptions,
): Buffer {
  const [leaf, ...issuers] = certificatesOf(pem.cert + pem.chain);
  if (leaf === undefined) throw new Error("a PKCS #12 file needs a certificate");
  const id = createHash("sha1").update(leaf).digest();
  const marks = set(sequence(oid(friendlyName), set(bmpString(name))), sequence(oid(localKeyId), set(octets(id))));
  const key = createPrivateKey(pem.privkey).export({ type: "pkcs8", format: "der" });
  const shrouded = encrypt(key, options);
  const keys = sequence(
    sequence(oid(shroudedKeyBag), explicit0(sequence(shrouded.algorithm, octets(shrouded.bytes))), marks),
  );
  const bagOf = (certificate: Der, ...attributes: readonly Der[]) =>
    sequence(oid(certBag), explicit0(sequence(oid(x509Certificate), explicit0(octets(certificate)))), ...attributes);
  const certificates = sequence(bagOf(leaf, marks), ...issuers.map((issuer) => bagOf(issuer)));
  const hidden = encrypt(certificates, options);
  const safes = sequence(
    sequence(
      oid(encryptedData),
      explicit0(sequence(integer(0), sequence(oid(data), hidden.algorithm, implicit0(hidden.bytes)))),
    ),
    sequence(oid(data), explicit0(octets(keys))),
  );
  return sequence(integer(3), sequence(oid(data), explicit0(octets(safes))), mac(safes, options));
}

/** Whether these are the bytes of a file with this password, of this kind. */
export async function opens(bytes: Buffer | undefined, { password, legacy }: PfxOptions): Promise<boolean> {
  if (bytes === undefined || bytes.includes(oid(pbeSha1TripleDes)) !== legacy) return false;
  try {
    createSecureContext({ pfx: bytes, passphrase: password });
    return true;
  } catch {
    return false;
  }
}

interface Encrypted {
  readonly algorithm: Der;
  readonly bytes: Buffer;
}

function encrypt(plain: Der, { password, legacy }: PfxOptions): Encrypted {
  const salt = randomBytes(16);
  if (legacy) {
    const key = derive("sha1", password, salt, forKey, 24);
    const iv = derive("sha1", password, salt, forIv, 8);
    return {
      algorithm: sequence(oid(pbeSha1TripleDes), sequence(octets(salt), integer(iterations))),
      bytes: run("des-ede3-cbc", key, iv, plain),
    };
  }
  const iv = randomBytes(16);
  const kdf = sequence(
    oid(pbkdf2),
    sequence(octets(salt), integer(iterations), integer(32), sequence(oid(hmacSha256), nothing())),
  );
  return {
    algorithm: sequence(oid(pbes2), sequence(kdf, sequence(oid(aes256Cbc), octets(iv)))),
    bytes: run("aes-256-cbc", pbkdf2Sync(password, salt, iterations, 32, "sha256"), iv, plain),
  };
}

function run(cipher: string, key: Buffer, iv: Buffer, plain: Der): Buffer {
  const encryption = createCipheriv(cipher, key, iv);
  return Buffer.concat([encryption.update(plain), encryption.final()]);
}

/** MacData over the safes, RFC 7292 §5.1. */
function mac(safes: Der, { password, legacy }: PfxOptions): Der {
  const [hash, id, size] = legacy ? (["sha1", sha1, 20] as const) : (["sha256", sha256, 32] as const);
  const salt = randomBytes(16);
  const key = derive(hash, password, salt, forMac, size);
  const digest = createHmac(hash, key).update(safes).digest();
  return sequence(sequence(sequence(oid(id), nothing()), octets(digest)), octets(salt), integer(iterations));
}

/** The key derivation of RFC 7292 §B.2; both hashes have blocks of 64 octets. */
function derive(hash: string, password: string, salt: Buffer, purpose: number, size: number): Buffer {
  const block = 64;
  const fill = (bytes: Buffer) => {
    const length = Math.ceil(bytes.length / block) * block;
    return Buffer.alloc(length, bytes);
  };
  const diversifier = Buffer.alloc(block, purpose);
  const input = Buffer.concat([fill(salt), fill(utf16be(`${password}\0`))]);
  const out: Buffer[] = [];
  for (let length = 0; length < size; ) {
    let digest = createHash(hash).update(diversifier).update(input).digest();
    for (let i = 1; i < iterations; i++) digest = createHash(hash).update(digest).digest();
    out.push(digest);
    length += digest.length;
    const step = Buffer.alloc(block, digest);
    for (let at = 0; at < input.length; at += block) addOne(input.subarray(at, at + block), step);
  }
  return Buffer.concat(out).subarray(0, size);
}

/** block = block + step + 1, as big-endian numbers without the last carry. */
function addOne(block: Buffer, step: Buffer): void {
  let carry = 1;
  for (let i = block.length - 1; i >= 0; i--) {
    carry += (block[i] ?? 0) + (step[i] ?? 0);
    block[i] = carry & 0xff;
    carry >>= 8;
  }
}

function certificatesOf(pem: string): readonly Buffer[] {
  return [...pem.matchAll(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----/g)].map((match) =>
    Buffer.from(match[1] ?? "", "base64"),
  );
}
