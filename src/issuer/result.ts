import type { ServerVerdict, Warning } from "../dns/types.ts";
import type { ChallengeOutcome } from "./challenges.ts";
import type { CertificateMeta, StoredCertificate } from "./ports.ts";
import type { IssueRequest, IssueResult, Timings } from "./request.ts";

export type Measured = Timings;

const nothingSpent: Timings = {
  totalMs: 0,
  orderMs: 0,
  presentMs: 0,
  propagationMs: 0,
  validationMs: 0,
  finalizeMs: 0,
  cleanupMs: 0,
};

/** The stored certificate as a result: nothing was ordered. */
export function reusedResult(stored: StoredCertificate, warnings: readonly Warning[], totalMs: number): IssueResult {
  return {
    ...facts(stored.meta),
    reused: true,
    files: stored.files,
    challenges: [],
    propagation: { queries: 0, servers: [] },
    timings: { ...nothingSpent, totalMs: Math.round(totalMs) },
    acme: { requests: 0 },
    warnings,
  };
}

export function resultOf(
  request: IssueRequest,
  proof: ChallengeOutcome,
  issued: { readonly meta: CertificateMeta; readonly files: StoredCertificate["files"] } | undefined,
  measured: Measured,
  requests: number,
  warnings: readonly Warning[],
): IssueResult {
  const servers = proof.verdicts.flatMap((v) => v.servers);
  const queries = proof.verdicts.reduce((n, v) => n + v.queries.udp + v.queries.tcp + v.queries.doh, 0);
  const head =
    issued === undefined
      ? {
          name: request.name,
          domains: request.identifiers.map((i) => i.text),
          ca: request.ca.directoryUrl,
          keyType: request.keyType,
          dryRun: true,
        }
      : { ...facts(issued.meta), files: issued.files };
  return {
    ...head,
    reused: false,
    challenges: proof.challenges,
    propagation: { queries, servers: servers.map(serverResult) },
    timings: rounded(measured),
    acme: { requests },
    warnings,
  };
}

function serverResult(s: ServerVerdict): IssueResult["propagation"]["servers"][number] {
  return {
    name: s.name,
    address: s.address,
    zone: s.zone,
    ...(s.agreedAfterMs === undefined ? { state: s.class } : { confirmedAfterMs: Math.round(s.agreedAfterMs) }),
  };
}

function facts(meta: CertificateMeta) {
  return {
    name: meta.name,
    domains: meta.domains,
    ca: meta.ca,
    serial: meta.serial,
    issuer: meta.issuer,
    keyType: meta.keyType,
    notBefore: meta.notBefore,
    notAfter: meta.notAfter,
    renewAfter: meta.renewAfter,
  };
}

function rounded(t: Timings): Timings {
  return {
    totalMs: Math.round(t.totalMs),
    orderMs: Math.round(t.orderMs),
    presentMs: Math.round(t.presentMs),
    propagationMs: Math.round(t.propagationMs),
    validationMs: Math.round(t.validationMs),
    finalizeMs: Math.round(t.finalizeMs),
    cleanupMs: Math.round(t.cleanupMs),
  };
}
