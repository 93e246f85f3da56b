import type { RenewalAnswer } from "../acme/ari.ts";
import { renewAfter } from "../acme/certificate.ts";
import { timeText } from "../core/time-text.ts";

/** The certificate a decision is about; instants are milliseconds of the wall clock. */
export interface RenewalSubject {
  readonly serial: string;
  readonly notBefore: number;
  readonly notAfter: number;
}

/** As meta.json has it, in RFC 3339. */
export function subjectOf(meta: {
  readonly serial: string;
  readonly notBefore: string;
  readonly notAfter: string;
}): RenewalSubject {
  const { serial, notBefore, notAfter } = meta;
  return { serial, notBefore: Date.parse(notBefore), notAfter: Date.parse(notAfter) };
}

/**
 * What is kept of a certificate's renewal between two looks at it (`renewal.json`). It is about the certificate of this
 * serial; beside any other one it says nothing. Instants are milliseconds of the wall clock.
 */
export interface RenewalState {
  readonly serial: string;
  /** The window the CA suggested last, and the instant that was chosen in it, once. */
  readonly window?: RenewalWindow;
  /** The instant that was chosen where no window is, so that the load is level; before the last moment. */
  readonly plannedAt?: number;
  /** It was ordered because of a window, so it has to reach some age before the next one counts. */
  readonly isHurried?: true;
  readonly checkedAt?: number;
  /** When the CA is to be asked again. */
  readonly checkAt?: number;
  /** Answers of the CA that failed for a passing reason, in a row. */
  readonly checkFailures?: number;
  /** Why there is no window, for people. */
  readonly checkFault?: string;
  /** The last try to renew, when it failed. */
  readonly lastError?: RenewalFault;
}

export interface RenewalWindow {
  /** RFC 3339, as it is shown. */
  readonly start: string;
  readonly end: string;
  readonly at: number;
  readonly explanationUrl?: string;
}

export interface RenewalFault {
  /** RFC 3339. */
  readonly at: string;
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  /** Failed tries in a row. */
  readonly count: number;
}

export interface RenewalDecision {
  readonly isDue: boolean;
  /** When it is, or was, to be renewed, in milliseconds of the wall clock. */
  readonly at: number;
  readonly rule: "ari" | "lifetime";
  /** Which rule decided and why, for people. */
  readonly reason: string;
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
/** RFC 9773 §4.3.2, for a CA that does not say. */
const usualCheckMs = 6 * hourMs;
/** A directory without renewal information: it may come any day, and is no reason to ask more often. */
const unsupportedCheckMs = dayMs;
/**
 * How far the CA may put a renewal off, as a part of the lifetime, beyond what the rule without it says. Windows are
 * centred there at Let's Encrypt and reach 1 % to both sides; whoever asks for more is not believed.
 */
const postponement = 1 / 50;

/** The state, if it is about this certificate. */
export function stateOf(subject: RenewalSubject, state: RenewalState | undefined): RenewalState {
  return state?.serial === subject.serial ? state : { serial: subject.serial };
}

/**
 * When to renew: at the instant chosen in the CA's window, else with a third of the lifetime left (half below ten days).
 * The window can make it earlier, and later by 2 % of the lifetime at most. `nextLook`: when the caller will decide
 * again; an instant before that is due now (RFC 9773 §4.2).
 */
export function decideRenewal(
  subject: RenewalSubject,
  kept: RenewalState | undefined,
  now: number,
  nextLook: number = now,
): RenewalDecision {
  const state = stateOf(subject, kept);
  const { at, by } = instantOf(subject, state);
  const rule = by === "window" ? "ari" : "lifetime";
  return { isDue: at <= now || at < nextLook, at, rule, reason: reasonOf(subject, state, by, at <= now) };
}

function reasonOf(subject: RenewalSubject, { window }: RenewalState, by: Rule, isPast: boolean): string {
  if (by === "window") {
    const { start = "", end = "", explanationUrl } = window ?? {};
    const why = explanationUrl === undefined ? "" : `, see ${explanationUrl}`;
    return `the CA suggests ${timeText(start)} to ${timeText(end)}${why}`;
  }
  const part = lifetimeMs(subject) < 10 * dayMs ? "half" : "a third";
  if (by === "plan") return `chosen before ${part} of its lifetime is left`;
  return `${part} of its lifetime ${isPast ? "or less " : ""}left`;
}

type Rule = "window" | "plan" | "lifetime";

function instantOf(
  subject: RenewalSubject,
  { window, plannedAt }: RenewalState,
): { readonly at: number; readonly by: Rule } {
  const moment = renewAfter(subject.notBefore, subject.notAfter);
  if (window === undefined) {
    return plannedAt !== undefined && plannedAt < moment
      ? { at: plannedAt, by: "plan" }
      : { at: moment, by: "lifetime" };
  }
  const last = Math.trunc(moment + postponement * lifetimeMs(subject));
  return window.at <= last ? { at: window.at, by: "window" } : { at: last, by: "lifetime" };
}

/** Whether the CA is to be asked now: not while the answer is fresh, and not for what is due or over anyway. */
export function isCheckDue(subject: RenewalSubject, kept: RenewalState | undefined, now: number): boolean {
  return nextCheck(subject, kept, now) <= now && !(instantOf(subject, stateOf(subject, kept)).at <= now);
}

/** When the CA is to be asked next; `now` when it never was, or when the clock was wrong at the time. */
export function nextCheck(subject: RenewalSubject, kept: RenewalState | undefined, now: number): number {
  const { checkAt = now, checkedAt = now } = stateOf(subject, kept);
  const isSane = checkAt - now <= dayMs && checkedAt <= now;
  return isSane ? checkAt : now;
}

/** What to keep of the CA's answer. The instant of a window that has not changed stays as it is. */
export function afterCheck(
  subject: RenewalSubject,
  kept: RenewalState | undefined,
  answer: RenewalAnswer,
  now: number,
  random: () => number,
): RenewalState {
  const { window, checkFailures = 0, lastError, plannedAt, isHurried } = stateOf(subject, kept);
  const state = (checkMs: number, more: Partial<RenewalState>): RenewalState => ({
    serial: subject.serial,
    ...(window === undefined ? {} : { window }),
    checkedAt: now,
    checkAt: now + checkMs,
    ...(lastError === undefined ? {} : { lastError }),
    ...(plannedAt === undefined ? {} : { plannedAt }),
    ...(isHurried === undefined ? {} : { isHurried }),
    ...more,
  });
  switch (answer.kind) {
    case "unsupported":
      // What it said when it still had some is void.
      return { ...without(state(unsupportedCheckMs, {})), checkFault: "the CA has no renewal information" };
    case "failed":
      if (answer.lasting) return state(answer.retryAfterMs ?? usualCheckMs, { checkFault: answer.reason });
      return state(answer.retryAfterMs ?? Math.min(usualCheckMs, minuteMs * 2 ** Math.min(checkFailures, 16)), {
        checkFailures: checkFailures + 1,
        checkFault: answer.reason,
      });
    case "window":
      return state(answer.retryAfterMs ?? usualCheckMs, { window: chooseIn(answer, window, random) });
  }
}

/** What to keep of a try that failed. */
export function afterFailure(
  subject: RenewalSubject,
  kept: RenewalState | undefined,
  error: { readonly code: string; readonly message: string; readonly hint?: string | undefined },
  now: number,
): RenewalState {
  const state = stateOf(subject, kept);
  const { code, message, hint } = error;
  const count = (state.lastError?.count ?? 0) + 1;
  const at = new Date(now).toISOString();
  return { ...state, lastError: { at, code, message, ...(hint === undefined ? {} : { hint }), count } };
}

function chooseIn(
  answer: Extract<RenewalAnswer, { kind: "window" }>,
  before: RenewalWindow | undefined,
  random: () => number,
): RenewalWindow {
  const { explanationUrl } = answer;
  const start = answer.start.toISOString();
  const end = answer.end.toISOString();
  const isSame = before?.start === start && before.end === end;
  if (isSame && before.explanationUrl === explanationUrl) return before;
  const from = answer.start.getTime();
  const at = isSame ? before.at : Math.floor(from + random() * (answer.end.getTime() - from));
  return { start, end, at, ...(explanationUrl === undefined ? {} : { explanationUrl }) };
}

function without({ window: _, ...state }: RenewalState): RenewalState {
  return state;
}

function lifetimeMs({ notBefore, notAfter }: RenewalSubject): number {
  return notAfter - notBefore;
}
