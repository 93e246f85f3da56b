import type { RenewalAnswer } from "../acme/ari.ts";
import type { Clock } from "../core/clock.ts";
import { Dns01Error } from "../core/errors.ts";
import { createLock } from "../core/lock.ts";
import { createRateLimit, type RateLimit } from "../core/rate.ts";
import { thrownText } from "../core/thrown.ts";
import type { Attempt, Budget, Permit } from "./budget.ts";
import { DAY, HOUR, MINUTE } from "./budget-limits.ts";
import { type Failure, failureKind, isCaTrouble } from "./failure-kind.ts";
import {
  afterCheck,
  decideRenewal,
  isCheckDue,
  nextCheck,
  type RenewalDecision,
  type RenewalState,
  type RenewalSubject,
  stateOf,
} from "./renewal.ts";
import type { Look } from "./schedule.ts";
import type { Spread } from "./schedule-spread.ts";

/** A certificate that shall always be there. */
export interface Kept {
  readonly name: string;
  /** As ordered: A-labels, wildcards with their star. */
  readonly names: readonly string[];
  /** Directory URLs, the preferred one first. */
  readonly cas: readonly string[];
}

/** What is stored of it. */
export interface Held {
  readonly subject: RenewalSubject;
  /** The directory URL it came from. */
  readonly ca: string;
  /** Why it is not what is wanted (other names, another key type); undefined when it is. */
  readonly mismatch?: string | undefined;
  /** It was revoked, or is otherwise not to be renewed. */
  readonly isRetired?: boolean | undefined;
  readonly state: RenewalState | undefined;
  /** Stored, but what was to follow (copies, hook) has not succeeded yet; when it is to be tried again. */
  readonly deployAt?: number | undefined;
}

/** The disk and the network, as the door at hand has them. They throw Dns01Error, or the signal's reason. */
export interface UpkeepDeps {
  readonly clock: Clock;
  /** Wall clock. */
  readonly now: () => number;
  readonly signal: AbortSignal;
  readonly budget: Budget;
  readonly spread: Spread;
  /** Orders a second at one CA. */
  readonly ordersPerSecond: number;
  /** The longest time between two looks at one certificate. */
  readonly lookEveryMs?: number | undefined;
  readonly load: (kept: Kept) => Promise<Held | undefined>;
  readonly ask: (kept: Kept, held: Held) => Promise<RenewalAnswer>;
  readonly keepState: (kept: Kept, state: RenewalState) => Promise<void>;
  /** Orders at this CA and stores the certificate; its serial, where one was stored. */
  readonly order: (kept: Kept, directoryUrl: string, held: Held | undefined) => Promise<string | undefined>;
  /** False: there was nothing to do. */
  readonly deploy: (kept: Kept, held: Held) => Promise<boolean>;
  readonly onEvent: (event: UpkeepEvent) => void;
}

export type UpkeepEvent =
  | { readonly type: "held"; readonly name: string; readonly notAfter: number }
  | {
      readonly type: "planned";
      readonly name: string;
      readonly at: number;
      readonly rule: string;
      readonly reason: string;
      readonly notAfter: number;
    }
  | { readonly type: "put-off"; readonly name: string; readonly until: number; readonly reason: string }
  | { readonly type: "ordering"; readonly name: string; readonly ca: string; readonly reason: string }
  | { readonly type: "renewed"; readonly name: string; readonly ca: string; readonly first: boolean }
  | {
      readonly type: "failed";
      readonly name: string;
      readonly ca: string;
      readonly failure: Failure;
      readonly error: Dns01Error;
      readonly retryAt: number;
    }
  | { readonly type: "deployed"; readonly name: string }
  | { readonly type: "deploy-failed"; readonly name: string; readonly error: Dns01Error; readonly retryAt: number };

/** Looks after certificates, one look at a time; what it decides is in renewal.ts and budget.ts. */
export interface Upkeep {
  look(kept: Kept): Promise<Look>;
}

/** A tenth of its lifetime, six hours at most. */
function oldEnough({ notBefore, notAfter }: RenewalSubject): number {
  const from = Date.parse(notBefore);
  return from + Math.min(6 * HOUR, (Date.parse(notAfter) - from) / 10);
}

type Outcome = "done" | { readonly retryAt: number; readonly elsewhere: boolean };

/** Often enough that what somebody else changed in the state folder is seen. */
const usualLookMs = 12 * HOUR;
/** A CA without renewal information is asked again, about any certificate, after this long. */
const unsupportedMs = DAY;
const readFaultMs = 10 * MINUTE;

export function createUpkeep(deps: UpkeepDeps): Upkeep {
  const { now, budget, spread, onEvent, lookEveryMs: longestMs = usualLookMs } = deps;
  const lock = createLock();
  const unsupported = new Map<string, number>();
  const paces = new Map<string, RateLimit>();

  const paceOf = (ca: string): RateLimit => {
    const known = paces.get(ca);
    if (known !== undefined) return known;
    const fresh = createRateLimit(deps.clock, { requests: 1, perMs: 1000 / deps.ordersPerSecond });
    paces.set(ca, fresh);
    return fresh;
  };

  async function look(kept: Kept): Promise<Look> {
    let held: Held | undefined;
    try {
      held = await deps.load(kept);
    } catch (error) {
      return unreadable(kept, error);
    }
    if (held !== undefined) onEvent({ type: "held", name: kept.name, notAfter: Date.parse(held.subject.notAfter) });
    if (held?.isRetired === true) return { at: now() + longestMs };
    if (held === undefined) return await orderLook(kept, undefined, "there is none yet");
    if (held.mismatch !== undefined) return await orderLook(kept, held, held.mismatch);
    const checked = await check(kept, held);
    const decision = decideRenewal(checked.subject, checked.state, new Date(now()));
    const at = await placed(kept, checked, decision);
    if (at <= now()) return await orderLook(kept, checked, decision.reason);
    const { rule, reason } = decision;
    onEvent({ type: "planned", name: kept.name, at, rule, reason, notAfter: Date.parse(held.subject.notAfter) });
    if (held.deployAt !== undefined && held.deployAt <= now()) {
      return { urgency: Date.parse(held.subject.notAfter), work: () => deployNow(kept, checked) };
    }
    const nextAsk = isSilent(held.ca) ? at : nextCheck(checked.subject, checked.state, new Date(now())).getTime();
    return { at: Math.min(at, nextAsk, held.deployAt ?? at, now() + longestMs) };
  }

  /** Only what no CA has chosen is ours to spread; once, so that a restart changes nothing. */
  async function placed(kept: Kept, held: Held, decision: RenewalDecision): Promise<number> {
    const at = decision.at.getTime();
    const state = stateOf(held.subject, held.state);
    if (decision.rule === "lifetime" && state.window === undefined && state.plannedAt === undefined) {
      const chosen = spread.place(kept.name, held.subject, at, now());
      if (chosen < at) await deps.keepState(kept, { ...state, plannedAt: new Date(chosen).toISOString() });
      return chosen;
    }
    spread.note(kept.name, held.subject, at);
    // A CA whose windows always lie in the past must not be asked for one certificate after the other.
    return state.isHurried === true ? Math.max(at, oldEnough(held.subject)) : at;
  }

  async function check(kept: Kept, held: Held): Promise<Held> {
    const at = new Date(now());
    if (isSilent(held.ca) || !isCheckDue(held.subject, held.state, at)) return held;
    const answer = await deps.ask(kept, held);
    if (answer.kind === "unsupported") unsupported.set(held.ca, deps.clock.now() + unsupportedMs);
    else unsupported.delete(held.ca);
    const state = afterCheck(held.subject, held.state, answer, new Date(now()), () => deps.clock.random());
    await deps.keepState(kept, state);
    return { ...held, state };
  }

  /** The CA has told for another certificate that it has no renewal information. */
  function isSilent(ca: string): boolean {
    return (unsupported.get(ca) ?? Number.NEGATIVE_INFINITY) > deps.clock.now();
  }

  async function orderLook(kept: Kept, held: Held | undefined, reason: string): Promise<Look> {
    const choice = await choose(kept, held);
    if ("until" in choice) {
      onEvent({ type: "put-off", name: kept.name, until: choice.until, reason: choice.reason });
      return { at: choice.until };
    }
    // Without a certificate somebody is waiting for it; else the one that ends first goes first.
    const urgency = held === undefined ? 0 : Date.parse(held.subject.notAfter);
    return { urgency, work: () => orderAnywhere(kept, held, choice.attempt, reason) };
  }

  /** The first CA that may be asked now. */
  async function choose(
    kept: Kept,
    held: Held | undefined,
    without: ReadonlySet<string> = new Set(),
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
    const at = now();
    const window = held?.state?.window;
    const isInside = window !== undefined && Date.parse(window.start) <= at;
    const kind = !isOwn ? "new" : isInside ? "ari" : "same-set";
    return { certificate: kept.name, directoryUrl, names: kept.names, kind };
  }

  /** Half of what the renewal rule leaves is gone: any CA will do. */
  function isUrgent(held: Held | undefined): boolean {
    if (held === undefined) return false;
    const end = Date.parse(held.subject.notAfter);
    return end - now() < (end - Date.parse(held.subject.notBefore)) / 6;
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
    onEvent({ type: "ordering", name, ca, reason });
    await budget.begin(attempt);
    let serial: string | undefined;
    try {
      serial = await deps.order(kept, ca, held);
    } catch (error) {
      if (deps.signal.aborted) throw error;
      const told = asDns01Error(error);
      const failure = failureKind(told, kept.names);
      const retryAt = await budget.failed(attempt, failure);
      onEvent({ type: "failed", name, ca, failure, error: told, retryAt });
      return { retryAt, elsewhere: isCaTrouble(failure) };
    }
    await budget.succeeded(attempt);
    // With the certificate, so that a restart does not forget it.
    if (attempt.kind === "ari" && serial !== undefined) await deps.keepState(kept, { serial, isHurried: true });
    onEvent({ type: "renewed", name, ca, first: held === undefined });
    return "done";
  }

  async function deployNow(kept: Kept, held: Held): Promise<number> {
    try {
      const isChanged = await deps.deploy(kept, held);
      if (isChanged) onEvent({ type: "deployed", name: kept.name });
    } catch (error) {
      if (deps.signal.aborted) throw error;
      const retryAt = now() + readFaultMs;
      onEvent({ type: "deploy-failed", name: kept.name, error: asDns01Error(error), retryAt });
      return retryAt;
    }
    return now();
  }

  /** A damaged state folder is not a reason to order: somebody has to look. */
  function unreadable(kept: Kept, error: unknown): Look {
    if (deps.signal.aborted) throw error;
    const until = now() + readFaultMs;
    onEvent({ type: "put-off", name: kept.name, until, reason: asDns01Error(error).message });
    return { at: until };
  }

  return { look };
}

function asDns01Error(error: unknown): Dns01Error {
  return Dns01Error.is(error) ? error : new Dns01Error("UNKNOWN", thrownText(error), false, { cause: error });
}
