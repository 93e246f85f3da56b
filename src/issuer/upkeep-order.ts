import { createLock } from "../core/lock.ts";
import { createRateLimit, type RateLimit } from "../core/rate.ts";
import type { Permit } from "./budget.ts";
import type { Attempt } from "./budget-attempt.ts";
import { MINUTE } from "./budget-limits.ts";
import { counted } from "./budget-use.ts";
import { diskRetryMs } from "./disk-trouble.ts";
import { isCaTrouble } from "./failure-kind.ts";
import type { Held, Kept, UpkeepDeps } from "./kept.ts";
import { stateOf } from "./renewal.ts";
import type { Look } from "./schedule.ts";

/** Orders what is due: at the first CA that may be asked, then at the others. */
export interface Ordering {
  /** The work, or when it may begin. */
  look(kept: Kept, held: Held | undefined, reason: string): Promise<Look>;
}

type Outcome = "done" | { readonly retryAt: number; readonly elsewhere: boolean };

const noCa: ReadonlySet<string> = new Set();

export function createOrdering(
  deps: Pick<
    UpkeepDeps,
    "clock" | "now" | "signal" | "budget" | "ordersPerSecond" | "order" | "keepState" | "onEvent" | "diskFault"
  >,
): Ordering {
  const { now, budget, onEvent } = deps;
  const lock = createLock();
  const paces = new Map<string, RateLimit>();

  const paceOf = (ca: string): RateLimit => {
    const known = paces.get(ca);
    if (known !== undefined) return known;
    const fresh = createRateLimit(deps.clock, { requests: 1, perMs: 1000 / deps.ordersPerSecond });
    paces.set(ca, fresh);
    return fresh;
  };

  async function look(kept: Kept, held: Held | undefined, reason: string): Promise<Look> {
    const choice = await choose(kept, held);
    if ("until" in choice) {
      onEvent({ type: "put-off", name: kept.name, until: choice.until, reason: choice.reason });
      return { at: choice.until };
    }
    // Without a certificate somebody is waiting for it; else the one that ends first goes first.
    const urgency = held?.subject.notAfter ?? 0;
    return { urgency, work: () => orderAnywhere(kept, held, choice.attempt, reason) };
  }

  /** The first CA that may be asked now. */
  async function choose(
    kept: Kept,
    held: Held | undefined,
    without: ReadonlySet<string> = noCa,
  ): Promise<{ readonly attempt: Attempt } | { readonly until: number; readonly reason: string }> {
    let first: Extract<Permit, { allowed: false }> | undefined;
    for (const directoryUrl of kept.cas) {
      if (without.has(directoryUrl)) continue;
      const attempt = attemptAt(kept, held, directoryUrl);
      const permit = await budget.check(attempt);
      if (permit.allowed) return { attempt };
      if (first === undefined || permit.until < first.until) first = permit;
      if (!permit.elsewhere && !isUrgent(held)) break;
    }
    return { until: first?.until ?? now() + MINUTE, reason: first?.reason ?? "no CA is left to try" };
  }

  function attemptAt(kept: Kept, held: Held | undefined, directoryUrl: string): Attempt {
    const isOwn = held?.ca === directoryUrl && held.mismatch === undefined;
    const window = held === undefined ? undefined : stateOf(held.subject, held.state).window;
    const isInside = window !== undefined && Date.parse(window.start) <= now();
    const kind = !isOwn ? "new" : isInside ? "ari" : "same-set";
    return { certificate: kept.name, directoryUrl, names: kept.names, kind };
  }

  /** Half of what the renewal rule leaves is gone: any CA will do. */
  function isUrgent(held: Held | undefined): boolean {
    if (held === undefined) return false;
    const { notBefore, notAfter } = held.subject;
    return notAfter - now() < (notAfter - notBefore) / 6;
  }

  async function orderAnywhere(kept: Kept, held: Held | undefined, first: Attempt, reason: string): Promise<number> {
    const tried = new Set<string>();
    let retryAt = Number.POSITIVE_INFINITY;
    for (let attempt = first; ; ) {
      const outcome = await inTurn(attempt, () => orderAt(kept, held, attempt, reason));
      if (outcome === "done") return now();
      tried.add(attempt.directoryUrl);
      retryAt = Math.min(retryAt, outcome.retryAt);
      if (tried.size >= kept.cas.length || !(outcome.elsewhere || isUrgent(held))) return retryAt;
      const choice = await choose(kept, held, tried);
      if ("until" in choice) return Math.min(retryAt, choice.until);
      attempt = choice.attempt;
    }
  }

  /**
   * Certificates that share a name are not ordered at one CA at the same time: the failure of one is a reason not to try
   * the other.
   */
  async function inTurn(attempt: Attempt, work: () => Promise<Outcome>): Promise<Outcome> {
    const keys = [...new Set(attempt.names.map((name) => `${attempt.directoryUrl} ${name.replace(/^\*\./, "")}`))];
    return await lock.hold(keys, deps.signal, async () => {
      await paceOf(attempt.directoryUrl).take(deps.signal);
      const permit = await budget.check(attempt);
      return permit.allowed ? await work() : { retryAt: permit.until, elsewhere: permit.elsewhere };
    });
  }

  async function orderAt(kept: Kept, held: Held | undefined, attempt: Attempt, reason: string): Promise<Outcome> {
    const { name } = kept;
    const ca = attempt.directoryUrl;
    const diskFault = await deps.diskFault?.();
    if (diskFault !== undefined) {
      const retryAt = now() + diskRetryMs;
      onEvent({ type: "put-off", name, until: retryAt, reason: diskFault.message });
      return { retryAt, elsewhere: false };
    }
    onEvent({ type: "ordering", name, ca, reason });
    const outcome = await counted(budget, attempt, deps.signal, () => deps.order(kept, ca, held));
    if ("error" in outcome) {
      const { failure, retryAt } = outcome;
      onEvent({ type: "failed", name, ca, ...outcome });
      return { retryAt, elsewhere: isCaTrouble(failure) };
    }
    const serial = outcome.done;
    // With the certificate, so that a restart does not forget it.
    if (attempt.kind === "ari" && serial !== undefined) await deps.keepState(kept, { serial, isHurried: true });
    onEvent({ type: "renewed", name, ca, first: held === undefined });
    return "done";
  }

  return { look };
}
