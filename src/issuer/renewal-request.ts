import type { KeyType } from "../acme/key-types.ts";
import { ConfigError } from "../core/errors.ts";
import { parseIdentifier } from "../core/name.ts";
import type { CertificateMeta } from "./ports.ts";
import type { IssueRequest } from "./request.ts";

/** The order that renews a certificate as its record says. Throws ConfigError when the record does not say enough. */
export function renewalRequest(
  meta: CertificateMeta,
  how: Pick<IssueRequest, "ca" | "propagation" | "dryRun">,
): IssueRequest {
  if (meta.csr === true && meta.request === undefined) {
    const message = `${meta.name} was made with a CSR of yours, which an earlier version did not keep`;
    throw new ConfigError([{ path: "--csr", message }], {
      hint: "Renew it once with dns01 issue --csr FILE --force; after that it is renewed with that request.",
    });
  }
  return {
    ...how,
    name: meta.name,
    identifiers: meta.domains.map((domain) => parseIdentifier(domain, `meta.json of ${meta.name}`)),
    keyType: meta.keyType as KeyType,
    profile: meta.profile,
    profileOptional: true,
    preferredChain: meta.preferredChain,
    reuseKey: meta.reuseKey ?? false,
    csr: meta.request === undefined ? undefined : Buffer.from(meta.request, "base64url"),
    force: false,
    provider: meta.provider,
  };
}

/** The CAs of a record, as directories: the one that was wanted first, and the one that served in its place. */
export function casOf({ ca, insteadOf }: CertificateMeta): readonly string[] {
  return insteadOf === undefined ? [ca] : [insteadOf, ca];
}
