import { X509Certificate } from "node:crypto";
import type { DetailedPeerCertificate, TLSSocket } from "node:tls";

const clientAuth = "1.3.6.1.5.5.7.3.2";
const anyUsage = "2.5.29.37.0";
/** Longer chains than leaf, three intermediates and root are nobody's front proxy. */
const MAX_CHAIN = 5;

/** What a client has shown in the handshake. */
export interface ClientCertificate {
  readonly leaf: X509Certificate;
  readonly commonName: string | undefined;
  readonly intermediates: readonly X509Certificate[];
}

/**
 * The certificate that the client has proven to own; undefined when there is none. `socket.authorized` is not asked: on a
 * resumed TLS 1.3 session without any certificate it is true.
 */
export function clientCertificate(socket: TLSSocket): ClientCertificate | undefined {
  const peer = socket.getPeerCertificate(true);
  if (peer === null || peer === undefined || peer.raw === undefined || peer.raw.length === 0) return undefined;
  const seen = new Set<DetailedPeerCertificate>([peer]);
  const intermediates: X509Certificate[] = [];
  for (let next = peer.issuerCertificate; next?.raw !== undefined && !seen.has(next); next = next.issuerCertificate) {
    seen.add(next);
    if (seen.size > MAX_CHAIN) break;
    intermediates.push(new X509Certificate(next.raw));
  }
  const name: unknown = peer.subject?.CN;
  return {
    leaf: new X509Certificate(peer.raw),
    commonName: typeof name === "string" ? name : undefined,
    intermediates,
  };
}

/** Why a certificate does not come from one of these authorities for this use; undefined when it does. */
export function certificateFault(
  { leaf, intermediates }: ClientCertificate,
  authorities: readonly X509Certificate[],
  now: number,
): string | undefined {
  if (!inDate(leaf, now)) return "its client certificate is not valid at this time";
  // Without the extension a certificate is for any use (RFC 5280 §4.2.1.12).
  const usages: readonly string[] | undefined = leaf.keyUsage;
  if (usages !== undefined && usages.length > 0 && !usages.includes(clientAuth) && !usages.includes(anyUsage)) {
    return "its client certificate is not for client authentication";
  }
  if (!chains(leaf, intermediates, authorities, now, MAX_CHAIN)) {
    return `its client certificate is not by a CA of the front proxy: ${issuerFault(leaf, authorities)}`;
  }
  return undefined;
}

/** Which CA it names and which there are; what a stranger wrote is quoted and cut. */
function issuerFault({ issuer }: X509Certificate, authorities: readonly X509Certificate[]): string {
  const known = authorities.map(({ subject }) => subject);
  if (known.includes(issuer)) return `${shown(issuer)} signed with another key, or is not valid at this time`;
  return `it is by ${shown(issuer)}, known ${known.length === 1 ? "is" : "are"} ${known.slice(0, 5).map(shown).join(", ")}`;
}

function shown(name: string | undefined): string {
  return JSON.stringify((name ?? "").replaceAll("\n", ", ").slice(0, 64));
}

/** For a name that is none of the allowed ones. */
export function nameFault({ commonName }: ClientCertificate, allowed: readonly string[]): string | undefined {
  if (allowed.length === 0 || (commonName !== undefined && allowed.includes(commonName))) return undefined;
  const names = allowed.slice(0, 5).map(shown).join(", ");
  return `the common name of its client certificate is ${shown(commonName)}; allowed ${allowed.length === 1 ? "is" : "are"} ${names}`;
}

function chains(
  certificate: X509Certificate,
  intermediates: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
  now: number,
  steps: number,
): boolean {
  if (authorities.some((authority) => issued(authority, certificate) && inDate(authority, now))) return true;
  if (steps <= 1) return false;
  return intermediates.some(
    (issuer) =>
      issued(issuer, certificate) &&
      inDate(issuer, now) &&
      chains(
        issuer,
        intermediates.filter((other) => other !== issuer),
        authorities,
        now,
        steps - 1,
      ),
  );
}

function issued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/** Milliseconds since 1970 of both ends. */
export function validity(certificate: X509Certificate): { readonly from: number; readonly to: number } {
  return { from: Date.parse(certificate.validFrom), to: Date.parse(certificate.validTo) };
}

function inDate(certificate: X509Certificate, now: number): boolean {
  const { from, to } = validity(certificate);
  return from <= now && now <= to;
}
