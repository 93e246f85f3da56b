import { generateKeyPairSync } from "node:crypto";
import * as x509 from "@peculiar/x509";
import type { CertificateMeta } from "../../src/issuer/ports.ts";

/** A certificate with its key, and another key to be wrong with. */
export interface Pair {
  readonly cert: string;
  readonly privkey: string;
  readonly serial: string;
}

export async function makePair(serial: string, name = "example.test"): Promise<Pair> {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pkcs8 = privateKey.export({ type: "pkcs8", format: "der" });
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const { subtle } = globalThis.crypto;
  const signing = await subtle.importKey("pkcs8", pkcs8, algorithm, true, ["sign"]);
  const { d: _, key_ops: __, ...jwk } = await subtle.exportKey("jwk", signing);
  const publicKey = await subtle.importKey("jwk", jwk, algorithm, true, ["verify"]);
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial,
    name: `CN=${name}`,
    notBefore: new Date("2026-01-01T00:00:00Z"),
    notAfter: new Date("2036-01-01T00:00:00Z"),
    signingAlgorithm: algorithm,
    keys: { privateKey: signing, publicKey },
  });
  return { cert: cert.toString("pem"), privkey: String(privateKey.export({ type: "pkcs8", format: "pem" })), serial };
}

export function metaOf(name: string, serial: string): CertificateMeta {
  return {
    schema: 1,
    name,
    domains: [name],
    ca: "https://ca.test/directory",
    provider: "memory",
    keyType: "ec256",
    serial,
    issuer: "CN=Test",
    notBefore: "2026-01-01T00:00:00Z",
    notAfter: "2026-04-01T00:00:00Z",
    renewAfter: "2026-03-01T00:00:00Z",
    issuedAt: "2026-01-01T00:00:00Z",
    history: [],
  };
}
