import type { CertificateMeta } from "../issuer/ports.ts";
import { decideRenewal, type RenewalState, stateOf, subjectOf } from "../issuer/renewal.ts";

/** When a stored certificate is renewed next, and why then: for `list` and `show`. */
export interface NextRenewal {
  /** RFC 3339; undefined when it will not be renewed by itself. */
  readonly at: string | undefined;
  readonly rule: "ari" | "lifetime" | "revoked";
  readonly reason: string;
  readonly isDue: boolean;
  /** When the CA is asked for its window again. */
  readonly checkAt?: string;
  /** Why there is no window. */
  readonly checkFault?: string;
  readonly lastError?: RenewalState["lastError"];
}

export function nextRenewal(meta: CertificateMeta, kept: RenewalState | undefined, now: Date): NextRenewal {
  const subject = subjectOf(meta);
  const { checkAt, checkFault, lastError } = stateOf(subject, kept);
  const more = {
    ...(checkAt === undefined ? {} : { checkAt: new Date(checkAt).toISOString() }),
    ...(checkFault === undefined ? {} : { checkFault }),
    ...(lastError === undefined ? {} : { lastError }),
  };
  if (meta.revoked !== undefined) {
    return { at: undefined, rule: "revoked", reason: "it was revoked; only --force renews it", isDue: false, ...more };
  }
  const { at, rule, reason, isDue } = decideRenewal(subject, kept, now.getTime());
  return { at: new Date(at).toISOString(), rule, reason, isDue, ...more };
}
