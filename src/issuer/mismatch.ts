import { isForRequest } from "../acme/certificate.ts";
import type { Kept } from "./kept.ts";
import { sameSet } from "./order.ts";
import type { KnownCertificate } from "./ports.ts";

/** What a stored certificate must be like, besides its names and its CA. */
export interface Wanted {
  readonly keyType: string;
  /** By directory, where not all CAs are asked for the same. */
  readonly keyTypes?: Readonly<Record<string, string>> | undefined;
  readonly profile: string | undefined;
  /** DER; the key is ours where there is none. */
  readonly csr?: Uint8Array | undefined;
}

/** Returns why the stored certificate is not the one that is wanted, for people; undefined when it is. */
export async function mismatchOf(
  { meta, cert }: KnownCertificate,
  { names, cas, wanted }: Pick<Kept, "names" | "cas"> & { readonly wanted?: Wanted | undefined },
): Promise<string | undefined> {
  if (wanted === undefined) return undefined;
  if (!sameSet(meta.domains, names)) return "its names have changed";
  if (meta.keyType !== (wanted.keyTypes?.[meta.ca] ?? wanted.keyType)) return "its key type has changed";
  const { csr } = wanted;
  if ((csr !== undefined) !== (meta.csr === true)) return "whose key it is has changed";
  if (csr !== undefined && !(await isForRequest(cert, csr))) return "its CSR is for another key now";
  const isFromFirst = meta.ca === cas[0] || meta.insteadOf === cas[0];
  if (!isFromFirst) return "its CA has changed";
  if (meta.ca === cas[0] && (meta.profile ?? "") !== (wanted.profile ?? "")) return "its profile has changed";
  return undefined;
}
