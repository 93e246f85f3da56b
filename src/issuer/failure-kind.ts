import { shortType } from "../acme/problem.ts";
import { AcmeError, type Dns01Error, type Problem, RateLimitedError, TransientError } from "../core/errors.ts";
import { isDiskTrouble } from "./disk-trouble.ts";

/** What a failed issuance means for the next one. */
export type Failure =
  /** The CA does not answer, or with errors of its own. */
  | (Facts & { readonly kind: "unavailable" })
  /** The CA asks for silence: for this order, which it still works on, for these names, or for all the account orders. */
  | (Facts & { readonly kind: "limited"; readonly of: "order" | "account" | "names" })
  /** Authorizations failed; the CA has counted it for these names (all of the order's when there are none). */
  | (Facts & { readonly kind: "invalid"; readonly names: readonly string[] })
  /** The CA refuses something else, or takes too long over it. */
  | (Facts & { readonly kind: "refused" })
  /** The state folder could not be read or written: it says nothing of the CA, the names or the DNS service. */
  | (Facts & { readonly kind: "disk" })
  /** It did not get as far as the CA: the DNS service, propagation, configuration. */
  | (Facts & { readonly kind: "local" });

interface Facts {
  readonly code: string;
  readonly message: string;
  readonly retryAfterMs?: number | undefined;
}

/** Problem types that say that a name could not be validated (RFC 8555 §6.7). */
const validation: ReadonlySet<string> = new Set([
  ...["caa", "compound", "connection", "dns", "incorrectResponse", "tls", "unauthorized"],
]);

export function failureKind(error: Dns01Error, names: readonly string[]): Failure {
  const facts = { code: error.code, message: error.message, retryAfterMs: askedFor(error) };
  if (isDiskTrouble(error)) return { ...facts, kind: "disk" };
  if (error.provider !== undefined) return { ...facts, kind: "local" };
  if (error instanceof RateLimitedError) return { ...facts, kind: "limited", of: scopeOf(error, names) };
  if (error instanceof TransientError) {
    if (typeof error.details?.["url"] === "string") return { ...facts, kind: "unavailable" };
    return { ...facts, kind: typeof error.details?.["order"] === "string" ? "refused" : "local" };
  }
  if (!(error instanceof AcmeError)) return { ...facts, kind: "local" };
  if (shortType(error.problem) === "rateLimited") return { ...facts, kind: "limited", of: scopeOf(error, names) };
  // Only an order that became invalid was counted; the same type from newOrder means the account.
  if (error.operation !== "order" || !problems(error.problem).some((p) => validation.has(shortType(p))))
    return { ...facts, kind: "refused" };
  const failed = problems(error.problem).flatMap((p) => (p.identifier === undefined ? [] : [p.identifier.value]));
  return { ...facts, kind: "invalid", names: [...new Set(failed.map(baseOf))] };
}

/** Whether another CA may well serve what this one did not. */
export function isCaTrouble(failure: Failure): boolean {
  const isLate = failure.kind === "refused" && failure.code === "TRANSIENT";
  return failure.kind === "unavailable" || failure.kind === "limited" || isLate;
}

/** How long an order takes is that order's; a limit that names the domain is that domain's; anything else is the account's. */
function scopeOf(error: Dns01Error, names: readonly string[]): "order" | "account" | "names" {
  if (error.details?.["waitingFor"] === "order") return "order";
  const text = error.message.toLowerCase();
  const own = names
    .map(baseOf)
    .some((name) => text.includes(name) || text.includes(name.split(".").slice(-2).join(".")));
  return own ? "names" : "account";
}

function problems(problem: Problem): readonly Problem[] {
  return [problem, ...(problem.subproblems ?? []).flatMap(problems)];
}

function askedFor(error: Dns01Error): number | undefined {
  const { retryAfterMs } = error as { readonly retryAfterMs?: unknown };
  return typeof retryAfterMs === "number" && Number.isFinite(retryAfterMs) ? Math.max(0, retryAfterMs) : undefined;
}

function baseOf(name: string): string {
  return name.startsWith("*.") ? name.slice(2) : name;
}
