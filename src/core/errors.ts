/** Facts every error may carry; all of them are safe to print. */
export interface ErrorFacts {
  readonly provider?: string | undefined;
  /** What was attempted, for example "present", "cleanUp", "newOrder". */
  readonly operation?: string | undefined;
  readonly zone?: string | undefined;
  readonly fqdn?: string | undefined;
  /** What the user can do about it; one sentence. */
  readonly hint?: string | undefined;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  /** The service's own name for the request that failed, for its support. Never in the message: equal causes read the same. */
  readonly requestId?: string | undefined;
  /**
   * Whether it is certain that nothing of what was to be written has been: then nothing has to be taken out. `false`
   * where that is in doubt, although the code sounds like it.
   */
  readonly nothingWritten?: boolean | undefined;
  readonly cause?: unknown;
}

export type ErrorCode =
  | "CONFIG"
  | "AUTH"
  | "ZONE_NOT_FOUND"
  | "REJECTED"
  | "CONFLICT"
  | "RATE_LIMITED"
  | "TRANSIENT"
  | "NOT_PROPAGATED"
  | "LOCKED"
  | "ACME"
  | "HOOK"
  | "ABORTED"
  | "UNKNOWN";

/** Recognised across copies of this package: a plugin may bring its own. */
const mark = Symbol.for("dns01.error");

/**
 * Base of every error the program raises on purpose. One subclass per way of handling it; `code` is stable and
 * documented in docs/errors.md.
 */
export class Dns01Error extends Error {
  readonly [mark] = true;
  readonly code: ErrorCode;
  /** Whether the same call can succeed later without anybody changing anything. */
  readonly retryable: boolean;
  readonly provider: string | undefined;
  readonly operation: string | undefined;
  readonly zone: string | undefined;
  readonly fqdn: string | undefined;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;
  /** For the log, see ErrorFacts. */
  readonly requestId: string | undefined;
  /** See ErrorFacts. */
  readonly nothingWritten: boolean | undefined;

  constructor(code: ErrorCode, message: string, retryable: boolean, facts: ErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = new.target.name;
    this.code = code;
    this.retryable = retryable;
    this.provider = facts.provider;
    this.operation = facts.operation;
    this.zone = facts.zone;
    this.fqdn = facts.fqdn;
    this.hint = facts.hint;
    this.details = facts.details;
    this.requestId = facts.requestId;
    this.nothingWritten = facts.nothingWritten;
  }

  static is(x: unknown): x is Dns01Error {
    return typeof x === "object" && x !== null && mark in x;
  }
}

/** One fault in what the user gave: `path` is where ("--domain", "solvers[0].provider", "RFC2136_NAMESERVER"). */
export interface ConfigIssue {
  readonly path: string;
  readonly message: string;
}

/** Usage or configuration is wrong; nothing was called. Carries every fault found, not only the first. */
export class ConfigError extends Dns01Error {
  readonly issues: readonly ConfigIssue[];

  constructor(given: readonly ConfigIssue[], facts: ErrorFacts = {}) {
    const issues = withoutDoubles(given);
    const text = issues.map((i) => (i.path === "" ? i.message : `${i.path}: ${i.message}`));
    super("CONFIG", text.length === 1 ? (text[0] ?? "") : `${text.length} faults:\n  ${text.join("\n  ")}`, false, {
      ...facts,
      details: { ...facts.details, issues },
    });
    this.issues = issues;
  }
}

/** What is given twice (a flag, an environment variable that several readers look at) is told once. */
function withoutDoubles(issues: readonly ConfigIssue[]): readonly ConfigIssue[] {
  return [...new Map(issues.map((issue) => [`${issue.path}\n${issue.message}`, issue])).values()];
}

/** The provider does not accept the credentials, or they lack a permission. */
export class AuthError extends Dns01Error {
  /** The credentials themselves are no good: whatever else is asked with them is refused, too. */
  readonly wrongKeys: boolean;

  constructor(message: string, facts: ErrorFacts & { wrongKeys?: boolean | undefined } = {}) {
    super("AUTH", message, false, facts);
    this.wrongKeys = facts.wrongKeys ?? false;
  }
}

/** No zone of the account holds the name. */
export class ZoneNotFoundError extends Dns01Error {
  /** The apexes that were asked for, longest first. */
  readonly candidates: readonly string[];

  constructor(message: string, candidates: readonly string[], facts: ErrorFacts = {}) {
    super("ZONE_NOT_FOUND", message, false, { ...facts, details: { ...facts.details, candidates } });
    this.candidates = candidates;
  }
}

/** The service understood and said no; the same request will fail again. */
export class RejectedError extends Dns01Error {
  /** The service's own code, verbatim. */
  readonly serviceCode: string | undefined;
  /** The TTL was too low for this zone and this one is high enough, in seconds: the guard writes again with it. */
  readonly minTtlSeconds: number | undefined;

  constructor(
    message: string,
    facts: ErrorFacts & { serviceCode?: string | undefined; minTtlSeconds?: number | undefined } = {},
  ) {
    super("REJECTED", message, false, { ...facts, details: { ...facts.details, serviceCode: facts.serviceCode } });
    this.serviceCode = facts.serviceCode;
    this.minTtlSeconds = facts.minTtlSeconds;
  }
}

/** Somebody else changed the same thing in between, or it exists already: read again, then try at once. */
export class ConflictError extends Dns01Error {
  constructor(message: string, facts: ErrorFacts = {}) {
    super("CONFLICT", message, true, facts);
  }
}

/** The service or the CA asks for fewer requests. */
export class RateLimitedError extends Dns01Error {
  /** Milliseconds from now until it is worth asking again, when the other side said so. */
  readonly retryAfterMs: number | undefined;
  /** Of whose requests there are too many: of all the account's, or only of the writes in this zone. */
  readonly scope: "account" | "zone";

  constructor(
    message: string,
    facts: ErrorFacts & { retryAfterMs?: number | undefined; scope?: "account" | "zone" | undefined } = {},
  ) {
    super("RATE_LIMITED", message, true, { ...facts, details: { ...facts.details, retryAfterMs: facts.retryAfterMs } });
    this.retryAfterMs = facts.retryAfterMs;
    this.scope = facts.scope ?? "account";
  }
}

/** Network trouble, a time-out or a failing server: worth another try. The request may have been carried out. */
export class TransientError extends Dns01Error {
  readonly timeout: boolean;
  readonly retryAfterMs: number | undefined;
  /**
   * The service was not reached, and a service that has never been heard is not worth repeating the call for longer than
   * this, in milliseconds: 0 for a host that does not exist. Undefined: until the deadline.
   */
  readonly patienceMs: number | undefined;

  constructor(
    message: string,
    facts: ErrorFacts & {
      timeout?: boolean | undefined;
      retryAfterMs?: number | undefined;
      patienceMs?: number | undefined;
    } = {},
  ) {
    super("TRANSIENT", message, true, facts);
    this.timeout = facts.timeout ?? false;
    this.retryAfterMs = facts.retryAfterMs;
    this.patienceMs = facts.patienceMs;
  }
}

/** The value did not become visible at every authoritative server in time; `details.verdict` has each server. */
export class PropagationError extends Dns01Error {
  constructor(message: string, facts: ErrorFacts = {}) {
    super("NOT_PROPAGATED", message, true, facts);
  }
}

/** Another process works on the same thing; `details.holder` says which. */
export class LockedError extends Dns01Error {
  constructor(message: string, facts: ErrorFacts = {}) {
    super("LOCKED", message, true, facts);
  }
}

/** A problem document as in RFC 8555 §6.7 and RFC 7807; unknown members are kept. */
export interface Problem {
  readonly type: string;
  readonly title?: string;
  readonly detail?: string;
  readonly status?: number;
  readonly instance?: string;
  readonly identifier?: { readonly type: string; readonly value: string };
  readonly subproblems?: readonly Problem[];
}

/** The CA refuses. Rate limits and an unreachable CA are RateLimitedError and TransientError. */
export class AcmeError extends Dns01Error {
  readonly problem: Problem;

  constructor(message: string, problem: Problem, facts: ErrorFacts = {}) {
    super("ACME", message, false, { ...facts, details: { ...facts.details, problem } });
    this.problem = problem;
  }
}

/** The certificate is stored, but a command that was to run afterwards failed. */
export class HookError extends Dns01Error {
  constructor(message: string, facts: ErrorFacts = {}) {
    super("HOOK", message, true, facts);
  }
}

/** Stopped by the caller's signal; what had been put into DNS was taken out first. */
export class AbortedError extends Dns01Error {
  constructor(message: string, facts: ErrorFacts = {}) {
    super("ABORTED", message, true, facts);
  }
}
