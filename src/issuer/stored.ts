import { sameSet } from "./order.ts";
import type { StoredCertificate } from "./ports.ts";
import type { IssueRequest } from "./request.ts";

/** Whether the stored certificate is what is asked for and not yet due. */
export function isCovered(stored: StoredCertificate, request: IssueRequest, now: Date): boolean {
  const { meta } = stored;
  return (
    sameSet(
      meta.domains,
      request.identifiers.map((i) => i.text),
    ) &&
    meta.ca === request.ca.directoryUrl &&
    meta.keyType === request.keyType &&
    (meta.profile ?? "") === (request.profile ?? "") &&
    (meta.csr === true) === (request.csr !== undefined) &&
    now < new Date(meta.renewAfter) &&
    now < new Date(meta.notAfter)
  );
}

/** The stored key, where `--reuse-key` asks for it and it is of the wanted type. */
export function keyToReuse(stored: StoredCertificate | undefined, request: IssueRequest): string | undefined {
  return request.reuseKey && stored?.meta.keyType === request.keyType ? stored.pem.privkey : undefined;
}
