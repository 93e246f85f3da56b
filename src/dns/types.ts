import type { DomainName } from "../core/name.ts";
import type { Endpoint } from "./exchange.ts";

export interface Warning {
  /** "W_NS_MISMATCH", "W_WILDCARD_CNAME" … */
  readonly code: string;
  readonly text: string;
  readonly server?: string;
}

/** One address of one authoritative nameserver. */
export interface Nameserver extends Endpoint {
  /** Its host name, or the address again when only that is known. */
  readonly name: DomainName;
}

/** Who answers for a name. */
export interface Delegation {
  readonly zone: DomainName;
  /** Union of parent's and child's NS sets, every address (propagation.md §5.2). */
  readonly servers: readonly Nameserver[];
  /** Names of nameservers without any address. */
  readonly unresolved: readonly DomainName[];
  readonly warnings: readonly Warning[];
}

/**
 * Finds the nameservers of the zone that holds a name. Questions at the name itself go to authoritative servers only
 * (propagation.md §3). Answers are kept for the life of the object. Throws DiscoveryError.
 */
export interface Discovery {
  delegationOf(name: DomainName, signal: AbortSignal): Promise<Delegation>;
  /** Forget a zone that turned out to be lame or cut further down. */
  forget(zone: DomainName): void;
}

/** Where a challenge value has to be written. */
export interface Placement {
  readonly fqdn: DomainName;
  /** `fqdn`, or the end of its alias chain. */
  readonly owner: DomainName;
  /** The alias names on the way, `fqdn` first and `owner` last; empty without an alias. */
  readonly aliases: readonly DomainName[];
  readonly delegation: Delegation;
  readonly warnings: readonly Warning[];
}

/** Verdict classes of one server's latest answer (propagation.md §4). */
export type AnswerClass =
  | "pending"
  | "match"
  | "partial"
  | "stale"
  | "absent"
  | "absent-nosoa"
  | "alias"
  | "referral"
  | "lame"
  | "broken"
  | "silent"
  | "unroutable";

export interface ServerVerdict {
  readonly name: DomainName;
  readonly address: string;
  readonly zone: DomainName;
  readonly owner: DomainName;
  readonly class: AnswerClass;
  /** Excused under the quorum rules: it did not count. */
  readonly excused: boolean;
  /** A recursive resolver or DoH endpoint, not a nameserver of the zone. */
  readonly resolver?: boolean | undefined;
  readonly nsid?: string | undefined;
  /** All identities seen at this address, when there are several (RFC 5001). */
  readonly nsids?: readonly string[] | undefined;
  /** Milliseconds from the start of the wait until the present class was first seen. */
  readonly sinceMs?: number | undefined;
  readonly agreedAfterMs?: number | undefined;
  readonly rcode?: string | undefined;
  readonly aa?: boolean | undefined;
  readonly transport?: "udp" | "tcp" | "doh" | undefined;
  readonly rttMs?: number | undefined;
  readonly soaSerial?: number | undefined;
  /** The serial of its first answer in this wait. */
  readonly firstSoaSerial?: number | undefined;
  readonly soaMname?: DomainName | undefined;
  readonly negativeTtlSeconds?: number | undefined;
  /** Of the TXT set it serves. */
  readonly ttlSeconds?: number | undefined;
  readonly missing: readonly string[];
  /** Up to three foreign values, shortened. */
  readonly seen: readonly string[];
  readonly error?: string | undefined;
  /** AD: a validating resolver has proven the chain of signatures. */
  readonly authenticData?: boolean | undefined;
}

export interface Verdict {
  readonly status:
    | "propagated"
    | "timeout"
    | "misplaced"
    | "blind"
    | "no-delegation"
    | "dnssec-bogus"
    | "aborted"
    | "skipped";
  readonly elapsedMs: number;
  readonly queries: { readonly udp: number; readonly tcp: number; readonly doh: number };
  readonly servers: readonly ServerVerdict[];
  readonly warnings: readonly Warning[];
  /** One sentence a person acts on. */
  readonly explanation: string;
}

export interface WaitItem {
  readonly owner: DomainName;
  readonly values: readonly string[];
  /** Already known from alias resolution; found when missing. */
  readonly delegation?: Delegation | undefined;
}
