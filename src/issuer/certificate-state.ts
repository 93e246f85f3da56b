import type { CertificateMeta, DeployedVersion, DeployFailure } from "./ports.ts";
import { decideRenewal, type RenewalFault, type RenewalState, stateOf, subjectOf } from "./renewal.ts";

/** What a certificate needs, as `list`, `show` and the metrics say it. */
export const certificateStates = [
  "valid",
  "due",
  "expired",
  "failing",
  "not issued",
  "not deployed",
  "revoked",
] as const;
export type CertificateState = (typeof certificateStates)[number];

/** States that need a person; a certificate that is only due is renewed by the next run. */
export const findings: ReadonlySet<CertificateState> = new Set(["expired", "failing", "not issued", "not deployed"]);

/** For what was never issued: the state of its renewal is about no serial. */
export const neverIssued = { serial: "", notBefore: 0, notAfter: 0 } as const;

/** What is known of one certificate. */
export interface CertificateFacts {
  /** Undefined when it was never issued. */
  readonly stored: { readonly version: string; readonly meta: CertificateMeta } | undefined;
  readonly renewal: RenewalState | undefined;
  readonly deployed: DeployedVersion | undefined;
  /** What dns01.yaml says of its deployment; undefined when it declares no such certificate. */
  readonly declared: { readonly hasHook: boolean; readonly isDeployed: boolean } | undefined;
}

export interface KnownState {
  readonly state: CertificateState;
  /** The last try to issue or renew it, when it failed. */
  readonly lastError?: RenewalFault;
  /** The last try to deploy the current version, when it failed. */
  readonly deployError?: DeployFailure;
}

/** Returns the state; of several that hold, the one that is most urgent. */
export function certificateState(facts: CertificateFacts, now: number): KnownState {
  const { stored, renewal, deployed, declared } = facts;
  if (stored === undefined) {
    const { lastError } = stateOf(neverIssued, renewal);
    return lastError === undefined ? { state: "not issued" } : { state: "failing", lastError };
  }
  const subject = subjectOf(stored.meta);
  const { lastError } = stateOf(subject, renewal);
  // What the file no longer wants deployed is not missing.
  const isWanted = declared === undefined || declared.isDeployed;
  const failure = deployed?.failure;
  const deployError = isWanted && failure?.version === stored.version ? failure : undefined;
  const isUndeployed =
    deployError !== undefined || (declared?.hasHook === true && deployed?.version !== stored.version);
  const state = (): CertificateState => {
    if (stored.meta.revoked !== undefined) return "revoked";
    if (subject.notAfter <= now) return "expired";
    if (lastError !== undefined) return "failing";
    if (isUndeployed) return "not deployed";
    return decideRenewal(subject, renewal, now).isDue ? "due" : "valid";
  };
  return {
    state: state(),
    ...(lastError === undefined ? {} : { lastError }),
    ...(deployError === undefined ? {} : { deployError }),
  };
}
