import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

const curve = { name: "ECDSA", namedCurve: "P-256" };
const signature = { name: "ECDSA", hash: "SHA-256" };
const hour = 3_600_000;
let serial = 1;

/** A certificate with its key, both in PEM. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

interface CertificateOptions {
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** Object identifiers; none: no such extension. */
  readonly usages?: readonly string[];
  readonly names?: readonly string[];
  /** An intermediate CA. */
  readonly ca?: boolean;
}

export interface TestCa extends Pair {
  issue(commonName: string, options?: CertificateOptions): Promise<TestCa>;
}

export const serverAuth = "1.3.6.1.5.5.7.3.1";
export const clientAuth = "1.3.6.1.5.5.7.3.2";

interface Issuer {
  readonly subject: string;
  readonly key: webcrypto.CryptoKey;
}

/** A CA of its own; what it issues can issue too, whether it is allowed to or not. */
export async function makeCa(name: string, options: CertificateOptions = {}): Promise<TestCa> {
  return make(name, { ca: true, ...options }, undefined);
}

async function make(commonName: string, options: CertificateOptions, issuer: Issuer | undefined): Promise<TestCa> {
  const keys = await webcrypto.subtle.generateKey(curve, true, ["sign", "verify"]);
  const subject = `CN=${commonName}`;
  const { notBefore = new Date(Date.now() - hour), notAfter = new Date(Date.now() + 24 * hour) } = options;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: (serial++).toString(16).padStart(4, "0"),
    subject,
    issuer: issuer?.subject ?? subject,
    notBefore,
    notAfter,
    signingAlgorithm: signature,
    publicKey: keys.publicKey,
    signingKey: issuer?.key ?? keys.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(options.ca === true, undefined, true),
      ...(options.usages === undefined ? [] : [new x509.ExtendedKeyUsageExtension([...options.usages])]),
      ...(options.names === undefined
        ? []
        : [new x509.SubjectAlternativeNameExtension(options.names.map((value) => ({ type: "dns" as const, value })))]),
    ],
  });
  const der = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  const base64 = Buffer.from(der)
    .toString("base64")
    .replace(/(.{64})(?=.)/g, "$1\n");
  return {
    cert: `${certificate.toString("pem")}\n`,
    key: `-----BEGIN PRIVATE KEY-----\n${base64}\n-----END PRIVATE KEY-----\n`,
    issue: (name, more = {}) => make(name, more, { subject, key: keys.privateKey }),
  };
}

/** What a cluster has: CAs for the serving side and for the front proxy, and a certificate of each. */
export async function makeClusterPki() {
  const [servingCa, frontProxyCa] = await Promise.all([makeCa("serving-ca"), makeCa("front-proxy-ca")]);
  const [serving, frontProxy] = await Promise.all([
    servingCa.issue("dns01", { usages: [serverAuth], names: [serviceName] }),
    frontProxyCa.issue("front-proxy-client", { usages: [clientAuth] }),
  ]);
  return { servingCa, frontProxyCa, serving, frontProxy };
}

export type ClusterPki = Awaited<ReturnType<typeof makeClusterPki>>;

export const serviceName = "dns01.dns01.svc";
