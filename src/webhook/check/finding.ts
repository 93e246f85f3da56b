import type { ErrorCode } from "../../core/errors.ts";

/** One thing that was looked at. */
export interface Finding {
  /** The check that says it: "apiservice". */
  readonly check: string;
  readonly state: "ok" | "warning" | "failed";
  /** What was looked at: "APIService v1alpha1.acme.dns01.io". */
  readonly what: string;
  /** What is the matter, or what was seen. */
  readonly cause: string;
  /** What to do. */
  readonly next?: string | undefined;
  /** The class of the failure (docs/errors.md). */
  readonly code?: ErrorCode | undefined;
}

type Facts = Omit<Finding, "state">;

export function ok(check: string, what: string, cause: string): Finding {
  return { check, state: "ok", what, cause };
}

/** Works, or could not be looked at. */
export function warning(facts: Facts): Finding {
  return { ...facts, state: "warning" };
}

export function failed(facts: Facts & { readonly code: ErrorCode; readonly next: string | undefined }): Finding {
  return { ...facts, state: "failed" };
}

const refusals: readonly ErrorCode[] = ["AUTH", "ZONE_NOT_FOUND", "REJECTED"];

/**
 * The exit status: 3 where the cluster or a service has to be changed, else 2 where an Issuer has to, else 4 where
 * nothing has to be and a later try can succeed.
 */
export function statusOf(findings: readonly Finding[]): number {
  const codes = findings.flatMap(({ state, code = "REJECTED" }) => (state === "failed" ? [code] : []));
  if (codes.length === 0) return 0;
  if (codes.some((code) => refusals.includes(code))) return 3;
  if (codes.includes("CONFIG")) return 2;
  return codes.includes("UNKNOWN") ? 1 : 4;
}
