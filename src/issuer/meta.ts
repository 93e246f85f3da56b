import { type CertificateInfo, renewAfter } from "../acme/certificate.ts";
import type { OpenOrder } from "./order.ts";
import type { CertificateMeta, StoredCertificate } from "./ports.ts";
import type { IssueRequest } from "./request.ts";

/** Entries of the history that are kept. */
const historyLength = 50;

/** What is noted of a new certificate: how to renew it, and what happened. */
export function metaOf(
  request: IssueRequest,
  open: OpenOrder,
  info: CertificateInfo,
  stored: StoredCertificate | undefined,
  now: Date,
): CertificateMeta {
  const { profile, preferredChain, insteadOf } = request;
  const at = now.toISOString();
  const withoutProfile = profile !== undefined && open.profile === undefined;
  const detail = [
    `serial ${info.serial}`,
    ...(stored === undefined ? [] : [`after ${stored.meta.serial}`]),
    ...(withoutProfile ? [`without the profile ${profile}, which the CA did not offer`] : []),
    ...(insteadOf === undefined ? [] : [`from ${request.ca.directoryUrl}, because ${insteadOf} could not serve`]),
  ].join(", ");
  const entry = { at, event: request.dueSerial === undefined ? "issued" : "renewed", detail };
  return {
    schema: 1,
    name: request.name,
    domains: request.identifiers.map((i) => i.text),
    ca: request.ca.directoryUrl,
    ...(insteadOf === undefined ? {} : { insteadOf }),
    provider: request.provider,
    keyType: request.keyType,
    ...(profile === undefined ? {} : { profile }),
    ...(withoutProfile ? { withoutProfile } : {}),
    ...(preferredChain === undefined ? {} : { preferredChain }),
    reuseKey: request.reuseKey,
    ...(request.csr === undefined ? {} : { csr: true, request: Buffer.from(request.csr).toString("base64url") }),
    serial: info.serial,
    issuer: info.issuer,
    notBefore: info.notBefore.toISOString(),
    notAfter: info.notAfter.toISOString(),
    renewAfter: new Date(renewAfter(info.notBefore.getTime(), info.notAfter.getTime())).toISOString(),
    issuedAt: at,
    history: [...(stored?.meta.history ?? []).slice(1 - historyLength), entry],
  };
}
