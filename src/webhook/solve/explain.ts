import { Dns01Error, ZoneNotFoundError } from "../../core/errors.ts";
import { labelsOf } from "../../core/name.ts";
import type { Question } from "./question.ts";

/**
 * Adds to an error what only the challenge tells: why its zone or its name may be odd. Leaves out which other zones the account
 * has: tenants read it in their Challenges. The log has them, in the details.
 */
export function explained(error: unknown, provider: string, question: Question): unknown {
  if (!Dns01Error.is(error) || error.code !== "ZONE_NOT_FOUND") return error;
  const { owner, suffix, aliasOf } = question;
  const { details, requestId } = error;
  const facts = { provider, fqdn: owner, requestId, details, cause: error };
  const candidates = "candidates" in error && Array.isArray(error.candidates) ? error.candidates.map(String) : [];
  if (suffix !== undefined) {
    const message = `no zone of this account holds ${owner}, and cert-manager takes the public suffix "${suffix}" for its zone`;
    const hint = "The domain is not delegated at its registrar, or cert-manager's resolver gives odd answers.";
    return new ZoneNotFoundError(message, candidates, { ...facts, hint });
  }
  if (aliasOf !== undefined && labelsOf(owner)[0] !== "_acme-challenge") {
    const message = `no zone of this account holds ${owner}, where a CNAME at ${aliasOf} leads`;
    const hint =
      "If that is a wildcard's CNAME (*.), give the challenge name a record of its own, or set cnameStrategy: None.";
    return new ZoneNotFoundError(message, candidates, { ...facts, hint });
  }
  if (details?.["visible"] === undefined) return error;
  const asked = candidates.join(", ") || "none";
  const message = `no zone of this account holds ${owner}; asked for ${asked}`;
  return new ZoneNotFoundError(message, candidates, { ...facts, hint: error.hint });
}
