import type { FieldValidation } from "./payload.ts";
import { Refusal } from "./refusal.ts";

export interface ChallengeQuery {
  /** Nothing may be changed. */
  readonly dryRun: boolean;
  readonly fieldValidation: FieldValidation;
}

const usual: ChallengeQuery = { dryRun: false, fieldValidation: "Warn" };

const validations: readonly string[] = ["Ignore", "Warn", "Strict"] satisfies readonly FieldValidation[];

/** The parameters that every `create` of Kubernetes takes. Throws Refusal for values that nobody defines. */
export function readChallengeQuery(url: string): ChallengeQuery {
  const at = url.indexOf("?");
  if (at === -1) return usual;
  const query = new URLSearchParams(url.slice(at + 1));
  const dryRuns = query.getAll("dryRun");
  // Anything else could be meant as a dry run: better none than a real one.
  if (dryRuns.some((value) => value !== "All")) throw new Refusal(400, "dryRun: has to be All");
  const validation = query.get("fieldValidation") || "Warn";
  if (!isValidation(validation)) throw new Refusal(400, "fieldValidation: has to be Ignore, Warn or Strict");
  return { dryRun: dryRuns.length > 0, fieldValidation: validation };
}

function isValidation(text: string): text is FieldValidation {
  return validations.includes(text);
}
