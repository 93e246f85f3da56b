import { Dns01Error } from "../core/errors.ts";
import { failureKind, isCaTrouble } from "./failure-kind.ts";
import { issue } from "./issue.ts";
import { keepWarnings, uniqueWarnings } from "./kept-warnings.ts";
import { PutOffError } from "./order-gate.ts";
import type { IssueDeps, IssueRequest, IssueResult } from "./request.ts";

/**
 * As `issue`, at the first of these CAs that can serve: one that cannot be reached, has trouble of its own or limits us is
 * passed over with a warning. The requests are for the same certificate. Throws what the last one tried said.
 */
export async function issueAnywhere(
  wanted: IssueRequest,
  others: readonly IssueRequest[],
  deps: IssueDeps,
): Promise<IssueResult> {
  const insteadOf = wanted.ca.directoryUrl;
  const kept = keepWarnings(deps.observer);
  const requests = [wanted, ...others.map((other) => ({ ...other, insteadOf }))];
  for (const [index, request] of requests.entries()) {
    const next = requests[index + 1];
    try {
      const result = await issue(request, { ...deps, observer: kept.observer });
      return { ...result, warnings: uniqueWarnings([...kept.warnings(), ...result.warnings]) };
    } catch (error) {
      if (next === undefined || !Dns01Error.is(error) || deps.signal.aborted) throw error;
      if (!isForOthers(error, request)) throw error;
      kept.observer({
        type: "warning",
        code: "W_OTHER_CA",
        text: `${request.ca.directoryUrl} cannot serve: ${error.message.split("\n")[0]}. Going over to ${next.ca.directoryUrl}`,
      });
    }
  }
  throw new Error("no CA was named");
}

/** Whether another CA may well serve what this one did not, or was not asked for. */
function isForOthers(error: Dns01Error, request: IssueRequest): boolean {
  if (error instanceof PutOffError) return error.elsewhere;
  const names = request.identifiers.map((i) => i.text);
  return isCaTrouble(failureKind(error, names));
}
