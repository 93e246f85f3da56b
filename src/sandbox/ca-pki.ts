import { randomBytes, type webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";
import type { Random } from "./random.ts";

type KeyPair = webcrypto.CryptoKeyPair;

interface Authority {
  readonly keys: KeyPair;
  readonly certificate: x509.X509Certificate;
}

/** An intermediate and the chains it can be shown with. */
interface Issuer extends Authority {
  /** The same key certified by the second root: the alternate chain (RFC 8555 §7.4.2). */
  readonly crossSigned: x509.X509Certificate;
}

export interface LeafRequest {
  readonly names: readonly string[];
  readonly publicKey: x509.PublicKey;
  readonly commonName: string | undefined;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

export interface IssuedLeaf {
  readonly certificate: x509.X509Certificate;
  /** Upper-case hexadecimal as in the certificate, the sign octet included. */
  readonly serial: string;
  /** PEM chains, leaf first, roots left out; the default one first. */
  readonly chains: readonly string[];
}

export interface Pki {
  /** What clients trust: the root of the default chain and of the API's certificate. */
  readonly rootPem: string;
  readonly alternateRootPem: string;
  /** For the API's HTTPS server: PEM certificate chain and key. */
  readonly tls: { readonly cert: string; readonly key: string };
  issue(request: LeafRequest): Promise<IssuedLeaf>;
}

const curve = { name: "ECDSA", namedCurve: "P-256" };
const signature = { name: "ECDSA", hash: "SHA-256" };
const day = 86_400_000;
const usage = x509.KeyUsageFlags;
const serverAuth = "1.3.6.1.5.5.7.3.1";
/** CA/Browser Forum, domain validated. */
const domainValidated = "2.23.140.1.2.1";

/** A whole PKI in memory: two roots, two intermediates picked at random, new with every sandbox. */
export async function makePki(now: Date, random: Random): Promise<Pki> {
  const keyPairs = await Promise.all(Array.from({ length: 5 }, newKeys));
  const [rootKeys, otherRootKeys, firstKeys, secondKeys, tlsKeys] = keyPairs;
  if (!rootKeys || !otherRootKeys || !firstKeys || !secondKeys || !tlsKeys) throw new Error("no keys were made");
  const [root, otherRoot] = await Promise.all([
    makeRoot("Sandbox Root X1", rootKeys, now),
    makeRoot("Sandbox Root X2", otherRootKeys, now),
  ]);
  const issuers = await Promise.all([
    makeIntermediate("Sandbox E1", firstKeys, root, otherRoot, now),
    makeIntermediate("Sandbox E2", secondKeys, root, otherRoot, now),
  ]);
  const tls = await makeTls(tlsKeys, root, now);
  return {
    rootPem: pem(root.certificate),
    alternateRootPem: pem(otherRoot.certificate),
    tls,
    issue: (request) => issueLeaf(request, random.pick(issuers) ?? issuers[0]),
  };
}

async function issueLeaf(request: LeafRequest, issuer: Issuer): Promise<IssuedLeaf> {
  const subject = request.commonName === undefined ? "" : `CN=${request.commonName}`;
  const isRsa = request.publicKey.algorithm.name?.startsWith("RSA") ?? false;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject,
    issuer: issuer.certificate.subject,
    notBefore: request.notBefore,
    notAfter: request.notAfter,
    publicKey: request.publicKey,
    signingKey: issuer.keys.privateKey,
    signingAlgorithm: signature,
    extensions: [
      new x509.KeyUsagesExtension(
        isRsa ? usage.digitalSignature | usage.keyEncipherment : usage.digitalSignature,
        true,
      ),
      new x509.ExtendedKeyUsageExtension([serverAuth]),
      new x509.BasicConstraintsExtension(false, undefined, true),
      await x509.SubjectKeyIdentifierExtension.create(request.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.keys.publicKey),
      // RFC 5280 §4.2.1.6: critical when the subject is empty.
      new x509.SubjectAlternativeNameExtension(
        request.names.map((value) => ({ type: "dns", value })),
        subject === "",
      ),
      new x509.CertificatePolicyExtension([domainValidated]),
    ],
  });
  const leaf = pem(certificate);
  return {
    certificate,
    serial: certificate.serialNumber.toUpperCase(),
    chains: [leaf + pem(issuer.certificate), leaf + pem(issuer.crossSigned)],
  };
}

async function makeRoot(name: string, keys: KeyPair, now: Date): Promise<Authority> {
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: `C=XX, O=dns01 sandbox, CN=${name}`,
    notBefore: new Date(now.getTime() - day),
    notAfter: new Date(now.getTime() + 3650 * day),
    keys,
    signingAlgorithm: signature,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(usage.keyCertSign | usage.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { keys, certificate };
}

async function makeIntermediate(
  name: string,
  keys: KeyPair,
  root: Authority,
  otherRoot: Authority,
  now: Date,
): Promise<Issuer> {
  const certify = async (by: Authority) =>
    x509.X509CertificateGenerator.create({
      serialNumber: newSerial(),
      subject: `C=XX, O=dns01 sandbox, CN=${name}`,
      issuer: by.certificate.subject,
      notBefore: new Date(now.getTime() - day),
      notAfter: new Date(now.getTime() + 1095 * day),
      publicKey: keys.publicKey,
      signingKey: by.keys.privateKey,
      signingAlgorithm: signature,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(usage.digitalSignature | usage.keyCertSign | usage.cRLSign, true),
        new x509.ExtendedKeyUsageExtension([serverAuth]),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
        await x509.AuthorityKeyIdentifierExtension.create(by.keys.publicKey),
      ],
    });
  const [certificate, crossSigned] = await Promise.all([certify(root), certify(otherRoot)]);
  return { keys, certificate, crossSigned };
}

async function makeTls(keys: KeyPair, root: Authority, now: Date): Promise<Pki["tls"]> {
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: "CN=localhost",
    issuer: root.certificate.subject,
    notBefore: new Date(now.getTime() - day),
    // Apple's systems refuse server certificates that live longer than 825 days.
    notAfter: new Date(now.getTime() + 397 * day),
    publicKey: keys.publicKey,
    signingKey: root.keys.privateKey,
    signingAlgorithm: signature,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(usage.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([serverAuth]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(root.keys.publicKey),
      new x509.SubjectAlternativeNameExtension([
        { type: "dns", value: "localhost" },
        { type: "ip", value: "127.0.0.1" },
        { type: "ip", value: "::1" },
      ]),
    ],
  });
  const der = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { cert: pem(certificate), key: `${x509.PemConverter.encode(der, "PRIVATE KEY")}\n` };
}

async function newKeys(): Promise<KeyPair> {
  return crypto.subtle.generateKey(curve, true, ["sign", "verify"]);
}

/**
 * 16 random octets, taken as an unsigned number: half of them need a leading zero octet in DER, and one in eight is
 * shorter, which is where clients' arithmetic on serials goes wrong.
 */
function newSerial(): string {
  const octets = randomBytes(16);
  if ((octets[15] ?? 0) < 32) octets[0] = 0;
  if (octets.every((o) => o === 0)) octets[15] = 1;
  return octets.toString("hex");
}

function pem(certificate: x509.X509Certificate): string {
  return `${certificate.toString("pem")}\n`;
}
