import { DAY, HOUR, MINUTE } from "./budget-limits.ts";
import { diskRetryMs, isDiskTrouble } from "./disk-trouble.ts";
import { asDns01Error, type Held, type Kept, type UpkeepDeps } from "./kept.ts";
import {
  afterCheck,
  decideRenewal,
  isCheckDue,
  nextCheck,
  type RenewalDecision,
  type RenewalState,
  stateOf,
} from "./renewal.ts";
import type { Look } from "./schedule.ts";
import { createOrdering } from "./upkeep-order.ts";

/** Looks after certificates, one look at a time; what it decides is in renewal.ts, upkeep-order.ts and budget.ts. */
export interface Upkeep {
  look(kept: Kept): Promise<Look>;
}

/** Often enough that what somebody else changed in the state folder is seen. */
const usualLookMs = 12 * HOUR;
/** A CA without renewal information is asked again, about any certificate, after this long. */
const unsupportedMs = DAY;
const readFaultMs = 10 * MINUTE;

interface Placed {
  readonly at: number;
  /** What is to be remembered of it. */
  readonly keep?: RenewalState;
}

export function createUpkeep(deps: UpkeepDeps): Upkeep {
  const { now, spread, onEvent, lookEveryMs: longestMs = usualLookMs } = deps;
  const ordering = createOrdering(deps);
  const unsupported = new Map<string, number>();
  const undeployed = new Set<string>();

  async function look(kept: Kept): Promise<Look> {
    let held: Held | undefined;
    try {
      held = await deps.load(kept);
    } catch (error) {
      return unreadable(kept, error);
    }
    if (held !== undefined) {
      const { subject, state, isRetired = false } = held;
      const isFailing = stateOf(subject, state).lastError !== undefined;
      onEvent({ type: "held", name: kept.name, notAfter: subject.notAfter, isFailing, isRetired });
    }
    if (held?.isRetired === true) return { at: now() + longestMs };
    if (held === undefined) return await ordering.look(kept, undefined, "it was not issued yet");
    const { mismatch } = held;
    if (mismatch !== undefined) return await deployFirst(kept, held, () => ordering.look(kept, held, mismatch));
    const checked = isToAsk(held) ? await ask(kept, held) : held;
    const decision = decideRenewal(checked.subject, checked.state, now());
    const { at, keep } = placed(kept, checked, decision);
    const isDue = at <= now();
    // Without this, a change that failed and was taken back would count as failing until the next renewal.
    const state = isDue ? keep : withoutFault(checked, keep);
    if (state !== undefined) await deps.keepState(kept, state);
    const lookAt = now();
    if (isDue) return await deployFirst(kept, checked, () => ordering.look(kept, checked, decision.reason));
    const { rule, reason } = decision;
    const { notAfter } = held.subject;
    onEvent({ type: "planned", name: kept.name, at, rule, reason, notAfter });
    const nextAsk = isSilent(held.ca) ? at : nextCheck(checked.subject, checked.state, lookAt);
    const lookNext = Math.min(at, nextAsk, lookAt + longestMs);
    if (held.deployAt !== undefined && held.deployAt > lookAt) return { at: Math.min(lookNext, held.deployAt) };
    return await deployFirst(kept, checked, async () => ({ at: lookNext }));
  }

  /**
   * A certificate that is stored goes to its server before the next one is ordered: an order that fails or is put off must
   * not keep it from there, and a hook that fails must not keep back the order.
   */
  async function deployFirst(kept: Kept, held: Held, next: () => Promise<Look>): Promise<Look> {
    if (held.deployAt === undefined || held.deployAt > now()) return await next();
    const work = async (): Promise<number> => {
      const again = await deployNow(kept, held);
      const then = await next();
      const at = "work" in then ? await then.work() : then.at;
      return again === undefined ? at : Math.min(at, again);
    };
    return { urgency: held.subject.notAfter, work };
  }

  /** Only what no CA has chosen is ours to spread; once, so that a restart changes nothing. */
  function placed(kept: Kept, held: Held, { at, rule }: RenewalDecision): Placed {
    const state = stateOf(held.subject, held.state);
    if (rule === "lifetime" && state.window === undefined && state.plannedAt === undefined) {
      const chosen = spread.place(kept.name, held.subject, at, now());
      const later = Math.max(chosen, oldEnough(held, now()));
      return { at: later, ...(chosen >= at ? {} : { keep: { ...state, plannedAt: chosen } }) };
    }
    spread.note(kept.name, held.subject, at);
    // Neither a CA whose windows always lie in the past, nor a clock that is ahead by more than a certificate has left, may
    // lead to one order after the other.
    const isToAge = rule === "lifetime" || state.isHurried === true;
    return { at: isToAge ? Math.max(at, oldEnough(held, now())) : at };
  }

  function isToAsk({ ca, subject, state }: Held): boolean {
    return !isSilent(ca) && isCheckDue(subject, state, now());
  }

  async function ask(kept: Kept, held: Held): Promise<Held> {
    const answer = await deps.ask(kept, held);
    if (answer.kind === "unsupported") unsupported.set(held.ca, deps.clock.now() + unsupportedMs);
    else unsupported.delete(held.ca);
    const state = afterCheck(held.subject, held.state, answer, now(), () => deps.clock.random());
    await deps.keepState(kept, state);
    return { ...held, state };
  }

  /** The CA has told for another certificate that it has no renewal information. */
  function isSilent(ca: string): boolean {
    return (unsupported.get(ca) ?? Number.NEGATIVE_INFINITY) > deps.clock.now();
  }

  /** When it failed: when to try again. */
  async function deployNow(kept: Kept, held: Held): Promise<number | undefined> {
    try {
      const isChanged = await deps.deploy(kept, held);
      if (undeployed.delete(kept.name) || isChanged) onEvent({ type: "deployed", name: kept.name });
    } catch (error) {
      if (deps.signal.aborted) throw error;
      undeployed.add(kept.name);
      const retryAt = now() + readFaultMs;
      onEvent({ type: "deploy-failed", name: kept.name, error: asDns01Error(error), retryAt });
      return retryAt;
    }
    return undefined;
  }

  /** A damaged state folder is not a reason to order: somebody has to look. */
  function unreadable(kept: Kept, error: unknown): Look {
    if (deps.signal.aborted) throw error;
    const retryAt = now() + (isDiskTrouble(error) ? diskRetryMs : readFaultMs);
    onEvent({ type: "unreadable", name: kept.name, error: asDns01Error(error), retryAt });
    return { at: retryAt };
  }

  return { look };
}

/** Returns what to remember of a certificate that is not due: `keep`, and no failure of an earlier try. */
function withoutFault({ subject, state }: Held, keep: RenewalState | undefined): RenewalState | undefined {
  const { lastError, ...rest } = keep ?? stateOf(subject, state);
  return lastError === undefined ? keep : rest;
}

/** A tenth of its lifetime, six hours at most; by our own clock, unless that was ahead when it was issued. */
function oldEnough({ subject: { notBefore, notAfter }, issuedAt = notBefore }: Held, now: number): number {
  const born = issuedAt <= now ? Math.max(notBefore, issuedAt) : notBefore;
  return born + Math.min(6 * HOUR, (notAfter - notBefore) / 10);
}
