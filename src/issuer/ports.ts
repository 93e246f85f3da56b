import type { RenewalState } from "./renewal.ts";

export type { RenewalState } from "./renewal.ts";

/** What the issuer needs kept; src/store keeps it in files, the controller elsewhere. All writes are durable on return. */

/** A value that is about to be in DNS, written down before the provider is called (R39). */
export interface JournalEntry {
  readonly id: string;
  /** Certificate name whose lock the writer held; "" for a value put there on request (`dns01 present`). */
  readonly certificate: string;
  readonly provider: string;
  readonly zone: string;
  readonly owner: string;
  /** The challenge name, where the owner is the end of its aliases, and of no other name's. */
  readonly fqdn?: string;
  readonly value: string;
  /** RFC 3339. */
  readonly createdAt: string;
}

/** How long ago the writing of the youngest of these began; a clock that was set back makes it now. */
export function writtenMsAgo(entries: readonly Pick<JournalEntry, "createdAt">[], now: Date): number | undefined {
  const ages = entries.map(({ createdAt }) => now.getTime() - Date.parse(createdAt));
  return ages.length === 0 ? undefined : Math.max(0, Math.min(...ages));
}

export interface Journal {
  /** Atomic and durable; returns the entries with their ids. */
  add(entries: readonly Omit<JournalEntry, "id" | "createdAt">[]): Promise<readonly JournalEntry[]>;
  remove(ids: readonly string[]): Promise<void>;
  /** Entries that cannot be read are left alone and reported to the observer. */
  list(): Promise<readonly JournalEntry[]>;
}

/** How to renew, and what happened. Never a credential. Unknown members are kept. */
export interface CertificateMeta {
  readonly schema: 1;
  readonly name: string;
  readonly domains: readonly string[];
  readonly ca: string;
  readonly provider: string;
  readonly keyType: string;
  readonly profile?: string;
  /** True when the CA no longer offered the profile, and issued without. */
  readonly withoutProfile?: boolean;
  readonly preferredChain?: string;
  readonly reuseKey?: boolean;
  /** The directory of the CA that was wanted, when another one had to serve. */
  readonly insteadOf?: string;
  /** True when the key came with a CSR and is not ours. */
  readonly csr?: boolean;
  /** The CSR, to renew with: DER, base64url. */
  readonly request?: string;
  readonly serial: string;
  readonly issuer: string;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly renewAfter: string;
  readonly issuedAt: string;
  /** Revoked at the CA: `renew` and `run` leave it alone unless they are forced, and it counts as no certificate. */
  readonly revoked?: { readonly at: string; readonly reason?: string };
  readonly history: readonly { readonly at: string; readonly event: string; readonly detail?: string }[];
}

export interface CertificateFiles {
  readonly cert: string;
  readonly chain: string;
  readonly fullchain: string;
  /** Absent when the key came with a CSR. */
  readonly privkey?: string;
  /** PKCS #12, where one was asked for. */
  readonly pfx?: string;
}

export interface StoredCertificate {
  /** Which of the versions kept is the current one. */
  readonly version: string;
  readonly meta: CertificateMeta;
  /** Absolute paths below certificates/<name>/current. */
  readonly files: CertificateFiles;
  readonly pem: { readonly cert: string; readonly chain: string; readonly privkey?: string };
}

/** What a decision needs of a stored certificate. */
export interface KnownCertificate {
  readonly meta: CertificateMeta;
  /** PEM. */
  readonly cert: string;
}

/** An order that was begun: enough to go on with it after a crash. */
export interface PendingOrder {
  readonly ca: string;
  readonly accountUrl: string;
  readonly orderUrl: string;
  readonly domains: readonly string[];
  readonly keyType: string;
  /** PKCS #8 PEM; absent with a CSR. */
  readonly privkey?: string;
  /** DER, base64url. */
  readonly csr: string;
  /** What it was ordered under. */
  readonly profile?: string;
  readonly createdAt: string;
}

/** The version that the deploy hook has last run for; both texts are empty when it has run for none. */
export interface DeployedVersion {
  readonly version: string;
  readonly at: string;
  /** The last try to deploy, when it failed. */
  readonly failure?: DeployFailure;
}

export interface DeployFailure {
  readonly version: string;
  /** RFC 3339. */
  readonly at: string;
  readonly code: string;
  readonly message: string;
  /** Failed tries in a row. */
  readonly count: number;
}

export type Release = () => Promise<void>;

export interface LockOptions {
  readonly signal: AbortSignal;
  /** Called once when somebody else holds it. */
  readonly onWait?: (holder: string) => void;
  /** Give up after this long with LockedError; 0 tries once. */
  readonly timeoutMs?: number;
}

export interface CertificateStore {
  /** One process at a time per name. A lock whose process is gone is taken over at once. */
  lock(name: string, options: LockOptions): Promise<Release>;
  names(): Promise<readonly string[]>;
  load(name: string): Promise<StoredCertificate | undefined>;
  /** Writes a new version and switches to it with one rename: readers never see a certificate with another key. */
  save(
    name: string,
    pem: { readonly cert: string; readonly chain: string; readonly privkey?: string },
    meta: CertificateMeta,
  ): Promise<CertificateFiles>;
  /** Replaces what is known of the current version. Under the lock only. */
  saveMeta(name: string, meta: CertificateMeta): Promise<void>;
  /** Puts one more file beside those of a version. Under the lock only. */
  addFile(name: string, version: string, file: string, bytes: Uint8Array): Promise<void>;
  /** Takes the certificate away with all its versions. Under the lock only. */
  remove(name: string): Promise<void>;
  loadDeployed(name: string): Promise<DeployedVersion | undefined>;
  saveDeployed(name: string, deployed: DeployedVersion): Promise<void>;
  loadPending(name: string): Promise<PendingOrder | undefined>;
  savePending(name: string, pending: PendingOrder): Promise<void>;
  clearPending(name: string): Promise<void>;
}

/** What is known of each certificate's next renewal. May be lost: then the CA is asked again. */
export interface RenewalStore {
  load(name: string): Promise<RenewalState | undefined>;
  save(name: string, state: RenewalState): Promise<void>;
}

export interface StoredAccount {
  readonly ca: string;
  /** PKCS #8 PEM. */
  readonly privkey: string;
  /** PKCS #8 PEM of a key change that has begun: the CA may know the account by this one already. */
  readonly nextKey?: string;
  /** Absent until the CA confirmed the registration. */
  readonly url?: string;
  readonly contact: readonly string[];
  /** The EAB key id it was bound with; the HMAC key is never kept. */
  readonly eabKid?: string;
}

export interface AccountStore {
  /** One process at a time per CA, so that two first runs do not register two accounts. */
  lock(ca: string, options: LockOptions): Promise<Release>;
  load(ca: string): Promise<StoredAccount | undefined>;
  save(account: StoredAccount): Promise<void>;
  /** Directory addresses of the CAs with an account here, sorted. */
  list(): Promise<readonly string[]>;
  /** Puts an account out of use; its files stay. Answers where they are now. */
  retire(ca: string): Promise<string>;
}

/**
 * What the failure budget remembers, one JSON value per folder and key; any text may be either. A value that cannot be
 * read counts as absent: it is told, and costs one try too many at worst.
 */
export interface BudgetStore {
  load(folder: string, key: string): Promise<unknown>;
  save(folder: string, key: string, value: unknown): Promise<void>;
  remove(folder: string, key: string): Promise<void>;
}
