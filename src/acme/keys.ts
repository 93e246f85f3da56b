import { createHash, createPublicKey, generateKeyPair, type KeyObject } from "node:crypto";
import { promisify } from "node:util";
import { type KeyType, keyTypes } from "./key-types.ts";

const curves: Readonly<Record<string, KeyType>> = { prime256v1: "ec256", secp384r1: "ec384" };
const generate = promisify(generateKeyPair);

/** A new private key, PKCS #8 PEM. Made off the main thread. */
export async function generateKey(type: KeyType): Promise<string> {
  const { privateKey } = type.startsWith("ec")
    ? await generate("ec", { namedCurve: type === "ec256" ? "prime256v1" : "secp384r1" })
    : await generate("rsa", { modulusLength: Number(type.slice(3)) });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/** The type of a key, private or public; undefined for kinds that CAs do not take, such as P-521 or Ed25519. */
export function keyTypeOf(key: KeyObject): KeyType | undefined {
  if (key.asymmetricKeyType === "ec") return curves[key.asymmetricKeyDetails?.namedCurve ?? ""];
  if (key.asymmetricKeyType !== "rsa") return undefined;
  return keyTypes.find((type) => type === `rsa${key.asymmetricKeyDetails?.modulusLength}`);
}

/** SubjectPublicKeyInfo, DER: what two forms of one key have in common. `pem` private or public. */
export function publicKeyDer(pem: string): Buffer {
  return createPublicKey(pem).export({ type: "spki", format: "der" });
}

/** What may be told of a key: its type, and its thumbprint as ACME uses it (RFC 7638). `pem` private or public. */
export function keyFacts(pem: string): { readonly keyType: KeyType | undefined; readonly thumbprint: string } {
  const key = createPublicKey(pem);
  const { crv, e, kty, n, x, y } = key.export({ format: "jwk" });
  // Members in lexical order, and no others; those that are undefined are left out.
  const thumbprint = createHash("sha256").update(JSON.stringify({ crv, e, kty, n, x, y })).digest("base64url");
  return { keyType: keyTypeOf(key), thumbprint };
}
