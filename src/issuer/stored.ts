import { isForRequest } from "../acme/certificate.ts";
import { sameSet } from "./order.ts";
import type { StoredCertificate } from "./ports.ts";
import type { IssueRequest } from "./request.ts";

/** Whether the stored certificate is what is asked for and not yet due. */
export async function isCovered(stored: StoredCertificate, request: IssueRequest, now: Date): Promise<boolean> {
  const { meta } = stored;
  const isMeant =
    meta.revoked === undefined &&
    sameSet(
      meta.domains,
      request.identifiers.map((i) => i.text),
    ) &&
    // What another CA issued while this one could not serve is as good until it is due.
    (meta.ca === request.ca.directoryUrl || meta.insteadOf === request.ca.directoryUrl) &&
    meta.serial !== request.dueSerial &&
    meta.keyType === request.keyType &&
    (meta.profile ?? "") === (request.profile ?? "") &&
    (meta.csr === true) === (request.csr !== undefined) &&
    now < new Date(meta.renewAfter) &&
    now < new Date(meta.notAfter);
  // By its key: the same one signs another request each time.
  return isMeant && (request.csr === undefined || (await isForRequest(stored.pem.cert, request.csr)));
}
