import type { JWK } from "jose";
import { base64url, thumbprint } from "./ca-jws.ts";
import { AcmeProblem, malformed, notFound, unauthorized } from "./ca-problem.ts";
import { calculateSpkiThumbprint } from "./ca-spki.ts";
import type { AcmeReply, CaAccount, CaCertificate, CaState } from "./ca-state.ts";

/** RFC 5280 §5.3.1 reasons that a subscriber may give. */
const reasons: readonly unknown[] = [0, 1, 3, 4, 5];

/** Who signed the request: an account, or the certificate's own key (RFC 8555 §7.6). */
export type Revoker = { readonly account: CaAccount } | { readonly jwk: JWK };

export async function revoke(
  state: CaState,
  revoker: Revoker,
  payload: Readonly<Record<string, unknown>> | undefined,
): Promise<AcmeReply> {
  const given = payload?.["certificate"];
  if (typeof given !== "string") throw malformed('revocation needs "certificate"');
  const der = base64url(given, "certificate");
  const found = [...state.certificates.values()].find((c) => Buffer.from(c.certificate.rawData).equals(der));
  if (found === undefined) throw notFound("certificate");
  if (!(await mayRevoke(state, revoker, found))) throw unauthorized("neither this account nor this key may revoke it");
  const reason = payload?.["reason"];
  if (reason !== undefined && !reasons.includes(reason)) {
    throw new AcmeProblem("badRevocationReason", 400, `reason ${String(reason)} is not accepted`);
  }
  if (found.revokedAt !== undefined) throw new AcmeProblem("alreadyRevoked", 400, "the certificate is revoked already");
  found.revokedAt = state.now();
  return { status: 200 };
}

async function mayRevoke(state: CaState, revoker: Revoker, found: CaCertificate): Promise<boolean> {
  if ("jwk" in revoker)
    return (await thumbprint(revoker.jwk)) === (await calculateSpkiThumbprint(found.certificate.publicKey));
  if (revoker.account === found.account) return true;
  const now = state.now();
  return found.names.every((name) =>
    [...state.authorizations.values()].some(
      (a) =>
        a.account === revoker.account &&
        a.status === "valid" &&
        a.expires > now &&
        (a.wildcard ? `*.${a.base}` : a.base) === name,
    ),
  );
}
