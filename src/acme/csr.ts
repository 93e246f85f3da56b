import { createPublicKey, type KeyObject, webcrypto } from "node:crypto";
import { ConfigError } from "../core/errors.ts";
import { type DomainName, parseName } from "../core/name.ts";
import type { KeyType } from "./key-types.ts";
import { keyTypeOf, publicKeyDer } from "./keys.ts";
import { loadX509 } from "./x509.ts";

export interface Csr {
  readonly der: Uint8Array;
  /** The names of the SAN, and the common name if it is not one of them; unique, in that order. */
  readonly domains: readonly DomainName[];
  readonly keyType: KeyType;
}

/**
 * PKCS #10 with an empty subject and the names in the SAN only: a common name has 64 characters at most, and some
 * profiles refuse one (RFC 8555 §7.4). `privateKey` is PKCS #8 PEM. Returns DER.
 */
export async function buildCsr(privateKey: string, domains: readonly string[]): Promise<Uint8Array> {
  const x509 = await loadX509();
  const { algorithm, hash } = algorithmOf(createPublicKey(privateKey));
  const parameters = { ...algorithm, hash };
  const pkcs8 = Buffer.from(privateKey.replace(/-----[^-]+-----|\s/g, ""), "base64");
  const keys = {
    privateKey: await webcrypto.subtle.importKey("pkcs8", pkcs8, parameters, false, ["sign"]),
    publicKey: await webcrypto.subtle.importKey("spki", publicKeyDer(privateKey), parameters, true, ["verify"]),
  };
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    keys,
    signingAlgorithm: parameters,
    extensions: [new x509.SubjectAlternativeNameExtension(domains.map((value) => ({ type: "dns", value })))],
  });
  return new Uint8Array(request.rawData);
}

/** Reads a user's CSR, PEM or DER. Throws ConfigError at `path` with every fault. */
export async function readCsr(bytes: Uint8Array, path = "--csr"): Promise<Csr> {
  const fault = (...messages: readonly string[]) => new ConfigError(messages.map((message) => ({ path, message })));
  const x509 = await loadX509();
  const der = derOf(bytes);
  if (der === undefined) throw fault("holds no certificate request, PEM or DER");
  if (requestsIn(bytes) > 1) throw fault(`holds ${requestsIn(bytes)} certificate requests; give a file with one`);
  let request: InstanceType<typeof x509.Pkcs10CertificateRequest>;
  let key: KeyObject;
  try {
    request = new x509.Pkcs10CertificateRequest(der);
    key = createPublicKey({ key: Buffer.from(request.publicKey.rawData), format: "der", type: "spki" });
  } catch {
    throw fault("is no certificate request that can be read");
  }
  const faults: string[] = [];
  const keyType = keyTypeOf(key);
  if (keyType === undefined) {
    faults.push("has a key that public CAs do not take; use P-256, P-384 or RSA of 2048, 3072 or 4096 bits");
  } else if (!(await request.verify().catch(() => false))) {
    faults.push("has a signature that does not fit its key");
  }
  const san = request.extensions.find((extension) => extension instanceof x509.SubjectAlternativeNameExtension);
  const names = san?.names.items ?? [];
  for (const { type, value } of names.filter((name) => name.type !== "dns")) {
    faults.push(`names ${value} (${type}); only DNS names can be proven by DNS-01`);
  }
  const domains = new Set<DomainName>();
  for (const text of [
    ...names.filter((name) => name.type === "dns").map((name) => name.value),
    ...request.subjectName.getField("CN"),
  ]) {
    try {
      domains.add(parseName(text, path));
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      faults.push(...error.issues.map((issue) => issue.message));
    }
  }
  if (domains.size === 0 && faults.length === 0) faults.push("holds no DNS name");
  if (faults.length > 0 || keyType === undefined) throw fault(...faults);
  return { der, domains: [...domains], keyType };
}

/** Whether the CSR is for this private key. */
export async function csrMatchesKey(der: Uint8Array, privateKey: string): Promise<boolean> {
  return (await csrPublicKey(der)).equals(publicKeyDer(privateKey));
}

/** SubjectPublicKeyInfo of a CSR, DER. */
export async function csrPublicKey(der: Uint8Array): Promise<Buffer> {
  const { Pkcs10CertificateRequest } = await loadX509();
  return Buffer.from(new Pkcs10CertificateRequest(new Uint8Array(der)).publicKey.rawData);
}

function algorithmOf(key: KeyObject): {
  readonly algorithm: webcrypto.EcKeyImportParams | { name: string };
  readonly hash: string;
} {
  if (key.asymmetricKeyType === "rsa") return { algorithm: { name: "RSASSA-PKCS1-v1_5" }, hash: "SHA-256" };
  return keyTypeOf(key) === "ec384"
    ? { algorithm: { name: "ECDSA", namedCurve: "P-384" }, hash: "SHA-384" }
    : { algorithm: { name: "ECDSA", namedCurve: "P-256" }, hash: "SHA-256" };
}

/** DER starts with a SEQUENCE; PEM may have text around it and the older label. */
function requestsIn(bytes: Uint8Array): number {
  return (
    Buffer.from(bytes)
      .toString("latin1")
      .match(/-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----/g)?.length ?? 0
  );
}

function derOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  if (bytes[0] === 0x30) return new Uint8Array(bytes);
  const text = Buffer.from(bytes).toString("latin1");
  const body =
    /-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]*)-----END (?:NEW )?CERTIFICATE REQUEST-----/;
  const base64 = body.exec(text)?.[1];
  return base64 === undefined ? undefined : new Uint8Array(Buffer.from(base64, "base64"));
}
