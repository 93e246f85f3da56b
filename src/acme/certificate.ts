import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { AcmeError, type ErrorFacts } from "../core/errors.ts";
import { timeText } from "../core/time-text.ts";
import { csrPublicKey } from "./csr.ts";
import type { KeyType } from "./key-types.ts";
import { keyTypeOf } from "./keys.ts";
import { loadX509 } from "./x509.ts";

export interface CertificateInfo {
  /** Hexadecimal, upper case, two digits an octet, as openssl prints it. */
  readonly serial: string;
  /** Common name of the issuer, or its whole name. */
  readonly issuer: string;
  /** Common name of the subject, or its whole name; "" where a profile leaves it out. */
  readonly subject: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** DNS names of the SAN, in its order. */
  readonly names: readonly string[];
  readonly keyType: KeyType | undefined;
}

const tenDaysMs = 10 * 24 * 3_600_000;
/** In one error message. */
const mostListed = 10;
/** A chain has three or four; each is compared with all others, which takes minutes for as many as an answer holds. */
const longestChain = 32;

/** What the first certificate of `pem` says. Throws AcmeError when it cannot be read. */
export function certificateInfo(pem: string): CertificateInfo {
  const certificate = parse(pem);
  return {
    serial: certificate.serialNumber.toUpperCase(),
    issuer: nameOf(certificate.issuer),
    subject: nameOf(certificate.subject),
    notBefore: new Date(certificate.validFrom),
    notAfter: new Date(certificate.validTo),
    names: dnsNames(certificate.subjectAltName),
    keyType: keyTypeOf(certificate.publicKey),
  };
}

/** When to renew: a third of the lifetime left, half of it when it is under ten days. All in milliseconds. */
export function renewAfter(notBefore: number, notAfter: number): number {
  const lifetime = notAfter - notBefore;
  return Math.trunc(notAfter - lifetime / (lifetime < tenDaysMs ? 2 : 3));
}

/** The certificates of a PEM text, each with a final line end, in their order. */
export function certificatesOf(pem: string): readonly string[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]*-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => `${block.replace(/[\r\n]+/g, "\n")}\n`);
}

/** Leaf and the rest of a chain. Throws AcmeError when there is no certificate. */
export function splitChain(pem: string): { readonly cert: string; readonly chain: string } {
  const [cert, ...chain] = certificatesOf(pem);
  if (cert === undefined) throw unusable("it holds no certificate");
  return { cert, chain: chain.join("") };
}

/**
 * The chain from the leaf upwards. That each certificate certifies the one before it is a SHOULD for CAs (RFC 8555 §9.1)
 * and what servers of TLS need: others are put in order, and what has no part in it is left out. As it came when nothing
 * in it certifies the leaf. Throws AcmeError when a certificate cannot be read.
 */
export function inOrder(pem: string): string {
  const texts = new Set(certificatesOf(pem));
  if (texts.size > longestChain) throw unusable(`its chain has ${texts.size} certificates`);
  const others = new Map([...texts].map((text) => [text, parse(text)]));
  const path: string[] = [];
  for (let next = others.entries().next().value; next !== undefined; ) {
    const [text, certificate] = next;
    path.push(text);
    others.delete(text);
    next = [...others].find(([, issuer]) => certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey));
  }
  return path.length > 1 ? path.join("") : pem;
}

/**
 * Throws AcmeError unless this is the certificate that was ordered: first in the chain, for the CSR's key, with exactly
 * these names, valid at `now`, each certificate signed by the next.
 */
export async function verifyIssued(
  pem: string,
  ordered: { readonly domains: readonly string[]; readonly csr: Uint8Array; readonly now: Date },
): Promise<void> {
  const chain = certificatesOf(pem).map(parse);
  const [leaf, ...rest] = chain;
  if (leaf === undefined) throw unusable("it holds no certificate");
  if (!spki(leaf.publicKey).equals(await csrPublicKey(ordered.csr)))
    throw unusable("its key is not the one of the request");
  checkNames(leaf, ordered.domains);
  checkDates(leaf, ordered.now);
  for (const [i, issuer] of rest.entries()) {
    const certificate = chain[i];
    if (certificate !== undefined && !certificate.verify(issuer.publicKey)) {
      // Many profiles leave a leaf's subject empty.
      const subject = nameOf(certificate.subject);
      const which = `certificate ${i + 1} of the chain${subject === "" ? "" : ` (${subject})`}`;
      throw unusable(`${which} is not signed by the next one`);
    }
  }
}

function checkNames({ subjectAltName }: X509Certificate, domains: readonly string[]): void {
  const wanted = new Set(domains.map((domain) => `DNS:${domain.toLowerCase()}`));
  const names = (subjectAltName ?? "").split(", ").filter((name) => name !== "");
  const present = new Set(names.map((name) => name.replace(/^DNS:.*/, (dns) => `DNS:${dns.slice(4).toLowerCase()}`)));
  const missing = plain([...wanted].filter((name) => !present.has(name)));
  const extra = plain([...present].filter((name) => !wanted.has(name)));
  if (missing.length + extra.length === 0) return;
  const faults = [
    ...(missing.length === 0 ? [] : [`it lacks ${listed(missing)}`]),
    ...(extra.length === 0 ? [] : [`it names ${listed(extra)}, which was not ordered`]),
  ];
  throw unusable(faults.join("; "), { details: { missing, extra } });
}

function plain(names: readonly string[]): readonly string[] {
  return names.map((name) => name.replace(/^DNS:/, ""));
}

/** A certificate may carry thousands of names. */
function listed(names: readonly string[]): string {
  const more = names.length - mostListed;
  return more <= 0 ? names.join(", ") : `${names.slice(0, mostListed).join(", ")} and ${more} more`;
}

/**
 * A machine's clock may be this far behind the CA's: Let's Encrypt dates its certificates back by the same time. The end
 * needs no allowance, since a new certificate has its whole lifetime before it.
 */
const clockSkewMs = 3_600_000;

function checkDates({ validFrom, validTo }: X509Certificate, now: Date): void {
  const [notBefore, notAfter] = [new Date(validFrom), new Date(validTo)];
  const isEarly = notBefore.getTime() - clockSkewMs > now.getTime();
  const isLate = notAfter.getTime() <= now.getTime();
  if (!isEarly && !isLate) return;
  const what = isEarly ? `it is not valid before ${timeText(notBefore)}` : `it expired at ${timeText(notAfter)}`;
  throw unusable(`${what}, and this machine's clock says ${timeText(now)}`, {
    hint: "Check this machine's clock. If it is right, report the certificate to the CA.",
    details: {
      validity: isEarly ? "early" : "expired",
      notBefore: notBefore.toISOString(),
      notAfter: notAfter.toISOString(),
    },
  });
}

/** Returns true for an error of verifyIssued about a certificate that will be valid later, by this machine's clock. */
export function isNotYetValid(error: unknown): boolean {
  return error instanceof AcmeError && error.details?.["validity"] === "early";
}

/** Whether the first certificate of `pem` is for the key of this CSR, DER. */
export async function isForRequest(pem: string, csr: Uint8Array): Promise<boolean> {
  return spki(parse(pem).publicKey).equals(await csrPublicKey(csr));
}

/** Whether the first certificate of `pem` belongs to this private key. */
export function matchesKey(pem: string, privateKey: string): boolean {
  return parse(pem).checkPrivateKey(createPrivateKey(privateKey));
}

/** keyIdentifier of the authority key identifier (RFC 5280 §4.2.1.1), hexadecimal; Node does not show it. */
export async function authorityKeyId(pem: string): Promise<string | undefined> {
  const x509 = await loadX509();
  const { extensions } = new x509.X509Certificate(splitChain(pem).cert);
  return extensions.find((extension) => extension instanceof x509.AuthorityKeyIdentifierExtension)?.keyId;
}

/** Whether a certificate of the chain has this common name as its issuer's or its own. */
export function chainMentions(pem: string, commonName: string): boolean {
  return certificatesOf(pem)
    .map(parse)
    .some(({ issuer, subject }) => commonNameOf(issuer) === commonName || commonNameOf(subject) === commonName);
}

/** Whether the chain ends at this common name: the root itself, or the last certificate's issuer. */
export function chainEndsAt(pem: string, commonName: string): boolean {
  const top = certificatesOf(pem).at(-1);
  return top !== undefined && commonNameOf(parse(top).issuer) === commonName;
}

function parse(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw unusable("it cannot be read", { cause });
  }
}

function unusable(why: string, more: ErrorFacts = {}): AcmeError {
  const detail = `the certificate from the CA is not usable: ${why}`;
  const facts = { operation: "certificate", hint: "Order again. If it happens twice, report it to the CA.", ...more };
  return new AcmeError(detail, { type: "about:blank", detail }, facts);
}

function spki(key: KeyObject): Buffer {
  return key.export({ type: "spki", format: "der" });
}

/** Node prints one attribute a line: "C=US\nO=Let's Encrypt\nCN=YE1". */
function commonNameOf(name: string | undefined): string | undefined {
  const line = (name ?? "").split("\n").find((attribute) => attribute.startsWith("CN="));
  return line?.slice(3).replace(/\\([ #"+,;<=>\\])/g, "$1");
}

function nameOf(name: string | undefined): string {
  return commonNameOf(name) ?? (name ?? "").split("\n").join(", ");
}

/** Node prints "DNS:example.com, DNS:*.example.com"; odd values are in quotes and never are host names. */
function dnsNames(subjectAltName: string | undefined): readonly string[] {
  return (subjectAltName ?? "")
    .split(", ")
    .filter((part) => part.startsWith("DNS:"))
    .map((part) => part.slice(4));
}
