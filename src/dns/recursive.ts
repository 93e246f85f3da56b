import type { DomainName } from "../core/name.ts";
import { compareTxt, type ExtendedError, extendedErrors, soaOf } from "./classify.ts";
import { addressOf } from "./doh-address.ts";
import { type Answer, type Ask, type Endpoint, type Exchange, ExchangeError } from "./exchange.ts";
import { question, type Run, warn } from "./run.ts";
import type { AnswerClass } from "./types.ts";

/** What one resolver says about one owner. */
export interface View {
  readonly label: string;
  readonly owner: DomainName;
  readonly zone: DomainName | undefined;
  readonly values: readonly string[];
  readonly to: Endpoint;
  readonly exchange: Exchange;
  class: AnswerClass;
  classSince: number | undefined;
  agreedAt: number | undefined;
  answer: Answer | undefined;
  missing: readonly string[];
  foreign: readonly string[];
  /** Until when the resolver will go on saying what it said. */
  cachedUntil: number | undefined;
  negativeTtlSeconds: number | undefined;
  extended: readonly ExtendedError[];
  error: string | undefined;
  failures: number;
}

/** `too-late`: its cache holds the wrong answer until after the deadline. */
export type ViewOutcome = "agreed" | "bogus" | "failed" | "too-late";

export type Resolver = Endpoint | URL;

/** A resolver that has no better answer is asked again after its negative TTL, but not sooner than this (propagation.md §5.8). */
const againMs = 5_000;
const retryMs = 1_000;
const mostFailures = 3;

/** One view per owner and resolver. */
export function viewsOf(
  owners: readonly Pick<View, "owner" | "values" | "zone">[],
  resolvers: readonly Resolver[],
  exchange: Exchange,
  dohExchange: ((url: URL) => Exchange) | undefined,
): readonly View[] {
  return owners.flatMap(({ owner, values, zone }) =>
    resolvers.flatMap((resolver): View[] => {
      const reached = reach(resolver, exchange, dohExchange);
      if (reached === undefined) return [];
      return [
        {
          ...reached,
          owner,
          zone,
          values,
          class: "pending",
          classSince: undefined,
          agreedAt: undefined,
          answer: undefined,
          missing: values,
          foreign: [],
          cachedUntil: undefined,
          negativeTtlSeconds: undefined,
          extended: [],
          error: undefined,
          failures: 0,
        },
      ];
    }),
  );
}

function reach(
  resolver: Resolver,
  exchange: Exchange,
  dohExchange: ((url: URL) => Exchange) | undefined,
): Pick<View, "label" | "to" | "exchange"> | undefined {
  if (!(resolver instanceof URL)) return { label: resolver.address, to: resolver, exchange };
  // The limits count a DoH endpoint by its host.
  const to = { address: resolver.hostname, port: Number(resolver.port || 443) };
  return dohExchange === undefined ? undefined : { label: addressOf(resolver), to, exchange: dohExchange(resolver) };
}

/** Returns how long, in seconds, caches keep a "no" about names of the zone; undefined when no resolver says. */
export async function negativeTtlAt(
  run: Run,
  zone: DomainName,
  resolvers: readonly Resolver[],
  exchange: Exchange,
  dohExchange: ((url: URL) => Exchange) | undefined,
): Promise<number | undefined> {
  for (const resolver of resolvers) {
    const reached = reach(resolver, exchange, dohExchange);
    if (reached === undefined) continue;
    const ask = { name: zone, type: "SOA", recursionDesired: true } as const;
    try {
      const { message } = await question(run, ask, reached.to, zone, { exchange: reached.exchange });
      // The TTL of a cached SOA has run down. MINIMUM has not, and no "no" is kept for longer (RFC 2308 §5).
      for (const record of message.answers) if ("minimum" in record) return record.minimum;
    } catch (error) {
      if (!(error instanceof ExchangeError)) throw error;
    }
  }
  return undefined;
}

/** Asks until the resolver has every value, and never before it can have something new to say. */
export async function watchView(run: Run, view: View): Promise<ViewOutcome> {
  for (;;) {
    const outcome = await look(run, view);
    if (typeof outcome === "string") return outcome;
    if (run.clock.now() + outcome >= run.terms.deadlineAt && view.failures === 0) return "too-late";
    await run.clock.sleep(outcome, run.signal);
  }
}

/** The outcome, or milliseconds until the next question makes sense. */
async function look(run: Run, view: View): Promise<ViewOutcome | number> {
  let answer: Answer;
  try {
    answer = await ask(run, view, false);
  } catch (error) {
    if (!(error instanceof ExchangeError)) throw error;
    set(run, view, error.kind);
    view.error = error.message;
    return failed(run, view);
  }
  const { message } = answer;
  view.answer = answer;
  view.extended = extendedErrors(message);
  if (message.rcode === "SERVFAIL" && (await isBogus(run, view))) {
    set(run, view, "broken");
    view.error = ["DNSSEC validation fails", ...view.extended.map((e) => e.text)].join("; ");
    return "bogus";
  }
  if (message.rcode !== "NOERROR" && message.rcode !== "NXDOMAIN") {
    set(run, view, message.rcode === "REFUSED" || message.rcode === "NOTAUTH" ? "lame" : "broken");
    view.error = [message.rcode, ...view.extended.map((e) => e.text)].join("; ");
    return failed(run, view);
  }
  view.failures = 0;
  view.error = undefined;
  return compared(run, view, answer);
}

function compared(run: Run, view: View, answer: Answer): ViewOutcome | number {
  const now = run.clock.now();
  // The resolver has followed aliases, so the owner of the records is not the one that was asked.
  const txt = compareTxt(answer.message, undefined, view.values);
  view.missing = txt.missing;
  view.foreign = txt.foreign;
  if (txt.missing.length === 0) {
    set(run, view, "match");
    view.agreedAt = now;
    return "agreed";
  }
  const soa = soaOf(answer.message);
  const ttlSeconds = txt.count > 0 ? txt.ttlSeconds : soa?.negativeTtlSeconds;
  if (txt.count === 0) {
    if (view.zone !== undefined) run.blindZones?.noteTooEarly(view.zone);
    set(run, view, soa === undefined ? "absent-nosoa" : "absent");
    view.negativeTtlSeconds = soa?.negativeTtlSeconds;
  } else {
    set(run, view, txt.missing.length < view.values.length ? "partial" : "stale");
  }
  const waitMs = Math.max(againMs, (ttlSeconds ?? 0) * 1_000);
  view.cachedUntil = now + waitMs;
  const reason = `${view.label} keeps its answer for ${Math.ceil(waitMs / 1_000)} s`;
  run.observer({ type: "propagation.wait", owner: view.owner, waitMs, reason });
  return waitMs;
}

/**
 * SERVFAIL that turns into an answer when checking is disabled, and back: the signatures are wrong. Asked back and
 * forth, because a resolver that had lost its servers for a moment looks the same once.
 */
async function isBogus(run: Run, view: View): Promise<boolean> {
  try {
    const unchecked = await ask(run, view, true);
    const { rcode } = unchecked.message;
    if (rcode !== "NOERROR" && rcode !== "NXDOMAIN") return false;
    const again = await ask(run, view, false);
    if (again.message.rcode !== "SERVFAIL") return false;
    view.extended = extendedErrors(again.message).length > 0 ? extendedErrors(again.message) : view.extended;
    return true;
  } catch (error) {
    if (error instanceof ExchangeError) return false;
    throw error;
  }
}

function ask(run: Run, view: View, checkingDisabled: boolean): Promise<Answer> {
  const text: Omit<Ask, "signal"> = {
    name: view.owner,
    type: "TXT",
    recursionDesired: true,
    dnssecOk: true,
    nsid: false,
    checkingDisabled,
  };
  return question(run, text, view.to, view.owner, { exchange: view.exchange });
}

function failed(run: Run, view: View): ViewOutcome | number {
  view.failures++;
  if (view.failures < mostFailures) return retryMs;
  const text = `${view.label} cannot be used as a resolver: ${view.error ?? "no answer"}`;
  warn(run, { code: "W_RESOLVER", text, server: view.label });
  return "failed";
}

function set(run: Run, view: View, value: AnswerClass): void {
  if (view.class !== value) view.classSince = run.clock.now();
  view.class = value;
}
