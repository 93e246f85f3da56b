import { type DomainName, nameFromLabels } from "../core/name.ts";
import { CodecError } from "./wire.ts";

export type TsigAlgorithm = "hmac-md5" | "hmac-sha1" | "hmac-sha224" | "hmac-sha256" | "hmac-sha384" | "hmac-sha512";

export interface TsigKey {
  readonly name: DomainName;
  readonly algorithm: TsigAlgorithm;
  readonly secret: Uint8Array;
}

interface Hash {
  /** As node:crypto calls it. */
  readonly name: string;
  readonly octets: number;
}

const hashes: Readonly<Record<TsigAlgorithm, Hash>> = {
  "hmac-sha256": { name: "sha256", octets: 32 },
  "hmac-sha384": { name: "sha384", octets: 48 },
  "hmac-sha512": { name: "sha512", octets: 64 },
  "hmac-sha224": { name: "sha224", octets: 28 },
  "hmac-sha1": { name: "sha1", octets: 20 },
  // RFC 8945 §6: not for new keys. Old configurations still have it.
  "hmac-md5": { name: "md5", octets: 16 },
};

export const tsigAlgorithms = Object.keys(hashes) as readonly TsigAlgorithm[];

export function hashOf(algorithm: TsigAlgorithm): Hash {
  return hashes[algorithm];
}

/** The name that stands for it on the wire (RFC 8945 §6). */
export function algorithmName(algorithm: TsigAlgorithm): DomainName {
  return nameFromLabels(algorithm === "hmac-md5" ? ["hmac-md5", "sig-alg", "reg", "int"] : [algorithm]);
}

/**
 * An algorithm as people write it: "hmac-sha256", "hmac-sha256.", "HMACSHA256" (cert-manager), "HMAC-SHA512" (certbot),
 * "hmac-md5.sig-alg.reg.int.". `undefined` for what is none.
 */
export function parseTsigAlgorithm(text: string): TsigAlgorithm | undefined {
  const bare = text
    .trim()
    .toLowerCase()
    .replace(/\.$/, "")
    .replace(/\.sig-alg\.reg\.int$/, "");
  const dashed = bare.replace(/^hmac[-_]?/, "hmac-").replace(/^hmac-sha-/, "hmac-sha");
  return tsigAlgorithms.find((algorithm) => algorithm === dashed);
}

/**
 * A key as BIND's tools write it: `key "name" { algorithm hmac-sha256; secret "…"; };`. Throws CodecError, whose text
 * never has the content.
 */
export function parseKeyFile(text: string): {
  readonly name: string;
  readonly algorithm: string;
  readonly secret: string;
} {
  const plain = text.replace(/\/\*[\s\S]*?\*\/|(?:\/\/|#).*$/gm, "");
  const [, name, body] = /\bkey\s+"?([^\s"{]+)"?\s*\{([^}]*)\}/.exec(plain) ?? [];
  const algorithm = /\balgorithm\s+"?([^\s";]+)"?\s*;/.exec(body ?? "")?.[1];
  const secret = /\bsecret\s+"?([A-Za-z0-9+/=\s]+?)"?\s*;/.exec(body ?? "")?.[1]?.replace(/\s/g, "");
  if (name === undefined || algorithm === undefined || secret === undefined) {
    throw new CodecError('no TSIG key of the form key "name" { algorithm …; secret "…"; };');
  }
  return { name, algorithm, secret };
}
