import type { KeyType } from "../acme/key-types.ts";
import type { AcmeClient, AcmeClientOptions } from "../acme/types.ts";
import type { Clock } from "../core/clock.ts";
import type { Observer } from "../core/events.ts";
import type { DomainName, Identifier } from "../core/name.ts";
import type { Solver } from "../core/solver.ts";
import type { Endpoint, Exchange } from "../dns/exchange.ts";
import type { PropagationHint } from "../dns/hint.ts";
import type { Discovery, Placement, Verdict, Warning } from "../dns/types.ts";
import type { CaMemory } from "./ca-memory.ts";
import type { AccountStore, CertificateFiles, CertificateStore, Journal, StoredCertificate } from "./ports.ts";

export type PropagationMode = "authoritative" | "recursive" | "both" | "none";

/** What certificate is wanted. */
export interface IssueRequest {
  readonly name: string;
  /** In the user's order; unique. */
  readonly identifiers: readonly Identifier[];
  readonly ca: {
    readonly directoryUrl: string;
    /** PEM trusted besides the system's roots. */
    readonly rootPem?: string | undefined;
    readonly contact: readonly string[];
    readonly eab?: { readonly kid: string; readonly hmacKey: string } | undefined;
  };
  readonly keyType: KeyType;
  readonly profile?: string | undefined;
  /** Go on without the profile, and say so, when the CA no longer offers it. */
  readonly profileOptional?: boolean | undefined;
  readonly preferredChain?: string | undefined;
  readonly reuseKey: boolean;
  /** A CSR of the user's, DER; its key stays with the user. */
  readonly csr?: Uint8Array | undefined;
  /** Order even though a valid certificate of these names is stored. */
  readonly force: boolean;
  /** Order while the stored certificate is the one of this serial: it is due. Another one got there first otherwise. */
  readonly dueSerial?: string | undefined;
  /** The directory of the CA that was wanted and could not serve. */
  readonly insteadOf?: string | undefined;
  /** Everything up to finalize, nothing stored. */
  readonly dryRun: boolean;
  readonly propagation: { readonly mode: PropagationMode; readonly timeoutMs: number };
  /** Provider id noted in meta.json. */
  readonly provider: string;
}

/** Which solver writes at an owner name; throws ConfigError when none is configured for it. */
export interface SolverRouter {
  solverFor(owner: DomainName): Promise<Solver>;
  /** A connected solver of this provider, for taking out what the journal remembers. */
  solverOf(provider: string, owner: DomainName): Promise<Solver | undefined>;
}

/** The network and the disk, as the door at hand has them. */
export interface IssueDeps {
  readonly certificates: CertificateStore;
  readonly accounts: AccountStore;
  readonly journal: Journal;
  readonly solvers: SolverRouter;
  readonly connectAcme: (options: AcmeClientOptions) => Promise<AcmeClient>;
  readonly dns: DnsDeps;
  readonly observer: Observer;
  readonly clock: Clock;
  /** Wall clock, for certificates. */
  readonly now: () => Date;
  readonly signal: AbortSignal;
  /** Around what is ordered, once it is sure that something is. Absent where the caller has asked the budget already. */
  readonly gate?: OrderGate | undefined;
}

/** Does the work, or throws why it is put off; `stored` is the certificate of this name as it is now. */
export type OrderGate = <T>(
  request: IssueRequest,
  stored: StoredCertificate | undefined,
  work: () => Promise<T>,
) => Promise<T>;

export interface DnsDeps {
  readonly discovery: Discovery;
  readonly exchange: Exchange;
  /** Asked in the modes "recursive" and "both". */
  readonly resolvers: readonly (Endpoint | URL)[];
  readonly dohExchange?: ((url: URL) => Exchange) | undefined;
  readonly place: (fqdn: DomainName, signal: AbortSignal) => Promise<Placement>;
  readonly hints?: HintStore | undefined;
  /** Shared by the orders of a process. */
  readonly caMemory?: CaMemory | undefined;
}

/** Propagation history per provider and zone (propagation.md §5.7). */
export interface HintStore {
  load(provider: string, zone: string): Promise<PropagationHint | undefined>;
  record(provider: string, zone: string, verdict: Verdict): Promise<void>;
}

export interface ChallengeResult {
  readonly domain: string;
  readonly type: string;
  readonly fqdn: string;
  readonly owner: string;
  readonly zone: string;
  readonly provider: string;
  readonly status: string;
}

export interface Timings {
  readonly totalMs: number;
  readonly orderMs: number;
  readonly presentMs: number;
  readonly propagationMs: number;
  readonly validationMs: number;
  readonly finalizeMs: number;
  readonly cleanupMs: number;
}

/** The document of `dns01 issue --json`. */
export interface IssueResult {
  readonly name: string;
  readonly domains: readonly string[];
  readonly ca: string;
  readonly serial?: string;
  readonly issuer?: string;
  readonly keyType: string;
  readonly notBefore?: string;
  readonly notAfter?: string;
  readonly renewAfter?: string;
  readonly reused: boolean;
  readonly dryRun?: boolean;
  readonly files?: CertificateFiles;
  readonly challenges: readonly ChallengeResult[];
  readonly propagation: {
    readonly queries: number;
    readonly servers: readonly {
      readonly name: string;
      readonly address: string;
      readonly zone: string;
      readonly confirmedAfterMs?: number;
      readonly state?: string;
    }[];
  };
  readonly timings: Timings;
  readonly acme: { readonly requests: number };
  readonly warnings: readonly Warning[];
}
