import * as x509 from "@peculiar/x509";
import type { DomainName } from "../core/name.ts";
import { AcmeProblem, malformed, notFound, unauthorized } from "./ca-problem.ts";
import type { AcmeReply, CaAccount, CaCertificate, CaState } from "./ca-state.ts";

const hour = 3_600_000;
const shortLifeMs = 10 * 24 * hour;
const retrySeconds = 6 * 3600;

/** RFC 9773 §4.1: key identifier of the issuer, and the serial's DER content with its sign octet. */
export function renewalIdOf(certificate: x509.X509Certificate): string {
  const keyId = certificate.getExtension(x509.AuthorityKeyIdentifierExtension)?.keyId ?? "";
  const serial = certificate.serialNumber.replace(/^(00)+(?=.)/, "");
  const even = serial.length % 2 === 0 ? serial : `0${serial}`;
  const content = Number.parseInt(even.slice(0, 2), 16) > 0x7f ? `00${even}` : even;
  return `${Buffer.from(keyId, "hex").toString("base64url")}.${Buffer.from(content, "hex").toString("base64url")}`;
}

/** GET renewalInfo/<certID>, RFC 9773 §4.2. */
export function renewalInfo(state: CaState, renewalId: string): AcmeReply {
  const found = [...state.certificates.values()].find((c) => c.renewalId === renewalId);
  const { ari, ariRetryAfterSeconds: seconds = retrySeconds } = state.behaviour;
  if (found === undefined || ari === "none") throw notFound("certificate");
  const { start, end } = windowOf(state, found);
  const explanationURL = found.window?.explanationURL;
  return {
    status: 200,
    headers: { "retry-after": String(seconds) },
    body: {
      suggestedWindow: { start: start.toISOString(), end: end.toISOString() },
      ...(explanationURL === undefined ? {} : { explanationURL }),
    },
  };
}

/** As boulder computes it: around two thirds of the lifetime (half below ten days); in the past once revoked. */
function windowOf(state: CaState, found: CaCertificate): { readonly start: Date; readonly end: Date } {
  if (found.window !== undefined) return found.window;
  const now = state.now().getTime();
  const { ari } = state.behaviour;
  if (found.revokedAt !== undefined || ari === "past") {
    return { start: new Date(now - 2 * hour), end: new Date(now - hour) };
  }
  const { notBefore, notAfter } = found.certificate;
  const life = notAfter.getTime() - notBefore.getTime();
  if (typeof ari === "object") {
    const at = (share: number) => new Date(notBefore.getTime() + life * share);
    return { start: at(ari.from), end: at(ari.to) };
  }
  const shift = ari === "moving" ? (state.random.next() - 0.5) * 0.1 * life : 0;
  const centre = shift + notBefore.getTime() + life * (life < shortLifeMs ? 1 / 2 : 2 / 3);
  return { start: new Date(centre - life * 0.01), end: new Date(centre + life * 0.01) };
}

/** The certificate a new order says it replaces (RFC 9773 §5). */
export function checkReplaced(
  state: CaState,
  account: CaAccount,
  names: readonly DomainName[],
  value: unknown,
): CaCertificate | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "string" || !/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/.test(value)) {
    throw malformed('"replaces" is no certificate identifier');
  }
  const found = [...state.certificates.values()].find((c) => c.renewalId === value);
  if (found === undefined) throw notFound("certificate to replace");
  if (found.account !== account) throw unauthorized("the certificate to replace belongs to another account");
  if (!found.names.some((n) => names.includes(n))) {
    throw malformed("the order has no name in common with the certificate it replaces");
  }
  // An order that came to nothing does not count.
  if (found.replacedBy !== undefined && found.replacedBy.status !== "invalid") {
    throw new AcmeProblem("alreadyReplaced", 409, "another order replaces this certificate already");
  }
  return found;
}
