import { challengeName } from "../core/challenge.ts";
import type { Problem } from "../core/errors.ts";
import type { DomainName } from "../core/name.ts";
import { txtValue } from "../dns/txt.ts";
import { checkCaa } from "./ca-caa.ts";
import { type Lookup, LookupError, makeLookup, type Network, type View } from "./ca-lookup.ts";

export interface ValidationRequest {
  readonly type: string;
  readonly base: DomainName;
  readonly wildcard: boolean;
  /** The TXT value that has to be there. */
  readonly value: string;
  readonly accountUrl: string;
}

export interface ValidationResult {
  /** Missing when the challenge is valid. */
  readonly problem?: Problem;
  /** Which servers confirmed it. */
  readonly seen: string;
}

/** Decides a challenge by looking at DNS. Throws the signal's reason only. */
export type Validate = (request: ValidationRequest, signal: AbortSignal) => Promise<ValidationResult>;

/** RFC 8555 §8.4 against every authoritative server, and RFC 8659 for the name. */
export function makeValidate(
  network: () => Network,
  issuerDomain: string,
  txtOf: (lookup: Lookup, owner: DomainName) => Promise<readonly View[]>,
): Validate {
  return async (request, signal) => {
    if (request.type !== "dns-01") {
      return { problem: problem("malformed", 400, `nobody knows how to do ${request.type}`, request), seen: "" };
    }
    const lookup = makeLookup(network(), signal);
    const owner = challengeName(request.base);
    try {
      const caa = checkCaa(lookup, request, issuerDomain);
      caa.catch(() => {});
      const views = await txtOf(lookup, owner);
      const fault = txtFault(views, owner, request);
      if (fault !== undefined) return { problem: fault, seen: "" };
      const refusal = await caa;
      if (refusal !== undefined) return { problem: problem("caa", 403, refusal, request), seen: "" };
      return { seen: `${views.length} answers of ${[...new Set(views.map((v) => v.server))].join(", ")}` };
    } catch (error) {
      if (signal.aborted) throw error;
      const text = error instanceof Error ? error.message : String(error);
      const [type, status] =
        error instanceof LookupError ? (["dns", 400] as const) : (["serverInternal", 500] as const);
      return { problem: problem(type, status, text, request), seen: "" };
    }
  };
}

/** The first server that does not serve the value decides, as it would for a perspective that picked it. */
function txtFault(views: readonly View[], owner: DomainName, request: ValidationRequest): Problem | undefined {
  for (const view of views) {
    const values = view.message.answers.flatMap((r) => (r.name === view.owner ? (txtValue(r) ?? []) : []));
    if (values.includes(request.value)) continue;
    const where = view.owner === owner ? owner : `${owner} (an alias of ${view.owner})`;
    if (view.message.rcode === "NXDOMAIN") {
      return problem("dns", 400, `NXDOMAIN looking up TXT for ${where} at ${view.server}`, request);
    }
    if (values.length === 0) {
      return problem("unauthorized", 403, `no TXT record found at ${where} on ${view.server}`, request);
    }
    const seen = values.slice(0, 3).map((v) => `"${v.slice(0, 100)}"`);
    const more = values.length > 3 ? ` and ${values.length - 3} more` : "";
    const text = `incorrect TXT record ${seen.join(", ")}${more} found at ${where} on ${view.server}`;
    return problem("unauthorized", 403, text, request);
  }
  return undefined;
}

function problem(type: string, status: number, detail: string, request: ValidationRequest): Problem {
  return {
    type: `urn:ietf:params:acme:error:${type}`,
    detail,
    status,
    identifier: { type: "dns", value: request.base },
  };
}
