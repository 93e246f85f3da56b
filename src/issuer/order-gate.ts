import { RateLimitedError } from "../core/errors.ts";
import { timeText } from "../core/time-text.ts";
import type { Budget, Permit } from "./budget.ts";
import type { Attempt } from "./budget-attempt.ts";
import { counted, withoutLocal } from "./budget-use.ts";
import { sameSet } from "./order.ts";
import type { StoredCertificate } from "./ports.ts";
import type { IssueDeps, IssueRequest, OrderGate } from "./request.ts";

/** The order was not placed: an earlier one tells that it would fail, or cost what has to be spared. */
export class PutOffError extends RateLimitedError {
  /** It is this CA's doing: another one may be asked meanwhile. */
  readonly elsewhere: boolean;

  constructor(request: IssueRequest, { until, reason, elsewhere }: Refusal, now: number) {
    const ca = request.ca.directoryUrl;
    const when = new Date(until).toISOString();
    super(`${ca} is not asked for "${request.name}" before ${timeText(until)}: ${reason.split("\n")[0]}`, {
      operation: "newOrder",
      retryAfterMs: Math.max(0, until - now),
      hint: hintFor(request, elsewhere),
      details: { ca, name: request.name, until: when },
    });
    this.elsewhere = elsewhere;
  }
}

type Refusal = Extract<Permit, { allowed: false }>;

/**
 * The failure budget for orders that nobody plans: asked once it is sure that one is needed, before the CA hears of it.
 * What the CA counts holds, and the time that it has named: a container that starts again and again burns no limit. The
 * daemon's longer and longer waits are not for somebody who mends what failed and tries again. `--force` orders what is not
 * due; it lifts no limit.
 */
export function createOrderGate(budget: Budget, deps: Pick<IssueDeps, "now" | "signal">): OrderGate {
  const kept = withoutLocal(budget);
  return async (request, stored, work) => {
    const attempt = attemptOf(request, stored);
    const permit = await kept.check(attempt);
    if (!permit.allowed) throw new PutOffError(request, permit, deps.now().getTime());
    const outcome = await counted(kept, attempt, deps.signal, work);
    if ("error" in outcome) throw outcome.error;
    return outcome.done;
  };
}

function attemptOf({ name, identifiers, ca, dryRun }: IssueRequest, stored: StoredCertificate | undefined): Attempt {
  const names = identifiers.map((i) => i.text);
  const isOwn = stored?.meta.ca === ca.directoryUrl && sameSet(stored.meta.domains, names);
  const kind = isOwn ? "same-set" : "new";
  const isTrial = dryRun ? { isTrial: true } : {};
  return { certificate: name, directoryUrl: ca.directoryUrl, names, kind, isByHand: true, ...isTrial };
}

function hintFor({ dryRun }: IssueRequest, elsewhere: boolean): string {
  if (elsewhere) return "Run it again after that time, or name another CA with --ca. --force does not lift this.";
  const trial = dryRun ? "" : ", trials before that with --ca letsencrypt-staging or --dry-run";
  return `Run it again after that time${trial}. --force does not lift this.`;
}
