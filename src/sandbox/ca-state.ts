import { randomBytes } from "node:crypto";
import type { X509Certificate } from "@peculiar/x509";
import type { JWK } from "jose";
import type { Problem } from "../core/errors.ts";
import type { DomainName } from "../core/name.ts";
import type { Counts } from "./ca-limits.ts";
import type { Pki } from "./ca-pki.ts";
import type { Validate } from "./ca-validation.ts";
import type { RequestLog } from "./log.ts";
import type { Random } from "./random.ts";
import type { Weather } from "./weather.ts";

/** How this CA differs from the plainest one. Durations as their names say. */
export interface CaBehaviour {
  /** Requires external account binding with this key; `hmacKey` in base64 or base64url. */
  readonly eab?: { readonly kid: string; readonly hmacKey: string } | undefined;
  /** Share of identifiers for which a valid authorization is used again, 0 to 1. Default 0. */
  readonly authzReuse?: number | undefined;
  /** A new order equal to a pending or ready one gives that one; pending authorizations are shared (as boulder does). */
  readonly orderReuse?: boolean | undefined;
  /** Apex and wildcard of one order get the same token, hence the same TXT value. */
  readonly sameToken?: boolean | undefined;
  /** Authorizations are born valid and orders ready. */
  readonly preauthorized?: boolean | undefined;
  /** Offers a challenge type nobody knows besides dns-01. */
  readonly unknownChallenges?: boolean | undefined;
  /** Names that are refused with rejectedIdentifier, sub-names included. */
  readonly blocked?: readonly string[] | undefined;
  readonly validationDelayMs?: number | undefined;
  readonly issuanceDelayMs?: number | undefined;
  /** Sent with whatever is processing, as seconds or as a date by turns. None when missing. */
  readonly retryAfterSeconds?: number | undefined;
  /** Profile name → days a certificate of it lives. */
  readonly profiles?: Readonly<Record<string, number>> | undefined;
  /** How long pending orders and authorizations live. Default 7 days. */
  readonly pendingSeconds?: number | undefined;
  /** A new order equal to a valid one gives that one. */
  readonly validOrders?: boolean | undefined;
  /** Days certificates live whose orders name no profile. Default 90. */
  readonly lifetimeDays?: number | undefined;
  /** Where renewal windows lie: two shares of the lifetime, or something that tests a client. */
  readonly ari?: "past" | "moving" | "none" | { readonly from: number; readonly to: number } | undefined;
  readonly ariRetryAfterSeconds?: number | undefined;
  /** TXT answers are kept for their TTL before the nameservers are asked again. */
  readonly cachingResolver?: boolean | undefined;
  /** New orders of one account. */
  readonly orderLimit?: Limit | undefined;
  /** Failed validations of one name by one account. */
  readonly failureLimit?: Limit | undefined;
}

interface Limit {
  readonly count: number;
  readonly perMs: number;
}

export interface CaAccount {
  readonly id: string;
  jwk: JWK;
  thumbprint: string;
  contact: readonly string[];
  status: "valid" | "deactivated";
  /** The terms agreed to last. */
  terms: string;
  readonly eab?: unknown;
}

export interface CaChallenge {
  readonly id: string;
  readonly type: string;
  readonly token: string;
  readonly authorization: CaAuthorization;
  status: "pending" | "processing" | "valid" | "invalid";
  validated?: Date;
  error?: Problem;
}

export interface CaAuthorization {
  readonly id: string;
  readonly account: CaAccount;
  readonly base: DomainName;
  readonly wildcard: boolean;
  status: "pending" | "valid" | "invalid" | "deactivated" | "expired";
  expires: Date;
  challenges: readonly CaChallenge[];
}

export interface CaOrder {
  readonly id: string;
  readonly account: CaAccount;
  /** As ordered: "*.example.test" with its star. */
  readonly names: readonly DomainName[];
  readonly authorizations: readonly CaAuthorization[];
  readonly expires: Date;
  readonly profile?: string | undefined;
  readonly replaces?: string | undefined;
  readonly notBefore?: Date | undefined;
  readonly notAfter?: Date | undefined;
  status: "pending" | "ready" | "processing" | "valid" | "invalid";
  error?: Problem;
  certificate?: CaCertificate;
}

export interface CaCertificate {
  readonly id: string;
  readonly account: CaAccount;
  readonly names: readonly DomainName[];
  readonly certificate: X509Certificate;
  readonly serial: string;
  /** RFC 9773 §4.1. */
  readonly renewalId: string;
  readonly chains: readonly string[];
  revokedAt?: Date;
  replacedBy?: CaOrder;
  /** Set by a test in place of the computed window. */
  window?: { readonly start: Date; readonly end: Date; readonly explanationURL?: unknown } | undefined;
}

/** Everything the CA remembers, and what its parts share. */
export interface CaState {
  /** Replaced as a whole when it changes. */
  behaviour: CaBehaviour;
  /** Those of the behaviour, or the usual ones. */
  profiles: ReadonlyMap<string, number>;
  /** Nobody is answered until then. */
  outage: { readonly until: Date; readonly kind: "reset" | "serverError" } | undefined;
  readonly counts: Counts;
  readonly pki: Pki;
  readonly random: Random;
  readonly weather: Weather;
  readonly log: RequestLog;
  readonly validate: Validate;
  readonly accounts: Map<string, CaAccount>;
  readonly orders: Map<string, CaOrder>;
  readonly authorizations: Map<string, CaAuthorization>;
  readonly challenges: Map<string, CaChallenge>;
  readonly certificates: Map<string, CaCertificate>;
  /** Version of the terms of service; accounts that agreed to an older one have to agree again. */
  termsVersion: number;
  readonly now: () => Date;
  /** "https://127.0.0.1:PORT" once listening. */
  readonly origin: () => string;
  /** Runs work that outlives its request, after a delay in milliseconds; dropped when the CA closes. */
  readonly later: (delayMs: number, work: (signal: AbortSignal) => Promise<void>) => void;
}

export interface AcmeReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>> | undefined;
  /** JSON unless it is a text. */
  readonly body?: unknown;
  readonly contentType?: string | undefined;
}

/** A verified POST. */
export interface AcmeRequest {
  readonly url: string;
  /** Undefined for POST-as-GET. */
  readonly payload: Readonly<Record<string, unknown>> | undefined;
  readonly account: CaAccount;
}

export function newId(): string {
  return randomBytes(9).toString("base64url");
}

export function termsUrl(state: CaState): string {
  return `${state.origin()}/terms/v${state.termsVersion}`;
}

/** Retry-After for something that is processing. */
export function retryAfter(state: CaState): Readonly<Record<string, string>> {
  const seconds = state.behaviour.retryAfterSeconds;
  return seconds === undefined ? {} : waitHeader(state, seconds);
}

/** Retry-After as seconds and as an HTTP date by turns (RFC 9110 §10.2.3). */
export function waitHeader(state: CaState, seconds: number): Readonly<Record<string, string>> {
  const asDate = state.random.chance(0.5);
  return { "retry-after": asDate ? new Date(state.now().getTime() + seconds * 1000).toUTCString() : String(seconds) };
}
