import type { Problem } from "../core/errors.ts";

/** RFC 8555 §7.1.1; unknown members are kept. */
export interface Directory {
  readonly newNonce: string;
  readonly newAccount: string;
  readonly newOrder: string;
  readonly revokeCert?: string;
  readonly keyChange?: string;
  readonly renewalInfo?: string;
  readonly meta?: {
    readonly termsOfService?: string;
    readonly website?: string;
    readonly caaIdentities?: readonly string[];
    readonly externalAccountRequired?: boolean;
    readonly profiles?: Readonly<Record<string, string>>;
  };
}

export interface AcmeIdentifier {
  readonly type: string;
  readonly value: string;
}

/** RFC 8555 §7.1.3. */
export interface Order {
  readonly url: string;
  readonly status: "pending" | "ready" | "processing" | "valid" | "invalid";
  readonly expires?: string;
  readonly identifiers: readonly AcmeIdentifier[];
  readonly authorizations: readonly string[];
  readonly finalize: string;
  readonly certificate?: string;
  readonly error?: Problem;
  readonly profile?: string;
  readonly replaces?: string;
  /** From the response that brought this object, milliseconds. */
  readonly retryAfterMs?: number;
}

/** RFC 8555 §7.1.4. `wildcard` false when the member is missing. */
export interface Authorization {
  readonly url: string;
  readonly identifier: AcmeIdentifier;
  readonly wildcard: boolean;
  readonly status: "pending" | "valid" | "invalid" | "deactivated" | "expired" | "revoked";
  readonly expires?: string;
  readonly challenges: readonly AcmeChallenge[];
  readonly retryAfterMs?: number;
}

/** RFC 8555 §7.1.5; types we do not know are kept as they are. */
export interface AcmeChallenge {
  readonly type: string;
  readonly url: string;
  readonly status: "pending" | "processing" | "valid" | "invalid";
  readonly token?: string;
  readonly validated?: string;
  readonly error?: Problem;
}

export interface Account {
  readonly url: string;
  readonly status: string;
  readonly contact: readonly string[];
}

export interface NewAccount {
  readonly contact: readonly string[];
  readonly termsOfServiceAgreed: boolean;
  /** `hmacKey` in base64 or base64url. */
  readonly eab?: { readonly kid: string; readonly hmacKey: string };
}

export interface AccountChange {
  readonly contact?: readonly string[];
  readonly status?: "deactivated";
}

export interface Revocation {
  /** CRLReason of RFC 5280 §5.3.1; none is sent when missing. */
  readonly reason?: number | undefined;
  /** The client's key is the certificate's, not an account's. */
  readonly byKey?: boolean;
}

/** A downloaded certificate: PEM, leaf first, and where other chains are (RFC 8555 §7.4.2). */
export interface DownloadedChain {
  readonly pem: string;
  readonly alternates: readonly string[];
}

/**
 * The one door to a CA. Every method takes nonces from a pool, signs again for each attempt, repeats what may be
 * repeated within the deadline of its signal, and throws AcmeError, RateLimitedError, TransientError or the signal's
 * reason.
 */
export interface AcmeClient {
  readonly directoryUrl: string;
  /** Requests sent so far, HEAD included. */
  readonly requests: number;
  directory(signal: AbortSignal): Promise<Directory>;
  /**
   * The account of this key, or undefined (onlyReturnExisting, §7.3.1). Sets the KID. `contact` changes nothing; there are
   * CAs that refuse to look without (ZeroSSL).
   */
  findAccount(signal: AbortSignal, contact?: readonly string[]): Promise<Account | undefined>;
  /** Registers, or returns the account the key already has. Sets the KID. */
  newAccount(account: NewAccount, signal: AbortSignal): Promise<Account>;
  /** Changes contacts, or deactivates the account for good (§7.3.2, §7.3.6). */
  updateAccount(change: AccountChange, signal: AbortSignal): Promise<Account>;
  /**
   * Gives the account another key (§7.3.5); this client goes on with the old one and is of no use afterwards. After an
   * unclear end the CA is asked for the account of the new key before anything is repeated.
   */
  changeKey(newKey: string, signal: AbortSignal): Promise<void>;
  /** §7.6. `certificate` is DER. "unchanged" when it was revoked before. */
  revoke(certificate: Uint8Array, how: Revocation, signal: AbortSignal): Promise<"changed" | "unchanged">;
  newOrder(
    order: { readonly identifiers: readonly string[]; readonly profile?: string; readonly replaces?: string },
    signal: AbortSignal,
  ): Promise<Order>;
  order(url: string, signal: AbortSignal): Promise<Order>;
  authorization(url: string, signal: AbortSignal): Promise<Authorization>;
  /** POST {} to the challenge (§7.5.1). After an unclear end the challenge is read before anything is repeated. */
  answer(challengeUrl: string, signal: AbortSignal): Promise<AcmeChallenge>;
  /** Challenges that were, or may have been, answered: servers validate some of them while they still say "pending". */
  readonly answered?: ReadonlySet<string>;
  /** `csr` is DER. After an unclear end the order is read before anything is repeated. */
  finalize(order: Order, csr: Uint8Array, signal: AbortSignal): Promise<Order>;
  certificate(url: string, signal: AbortSignal): Promise<DownloadedChain>;
  /** TXT value for a dns-01 token: base64url(SHA-256(token "." thumbprint)), §8.4. */
  dnsValue(token: string): string;
  /** Closes idle connections. */
  close(): void;
}

export interface AcmeClientOptions {
  readonly directoryUrl: string;
  /** PKCS #8 PEM of the account key (P-256 unless imported). */
  readonly accountKey: string;
  readonly accountUrl?: string | undefined;
  /** PEM certificates trusted besides the system's for the CA's API. */
  readonly caRoot?: string | undefined;
}
