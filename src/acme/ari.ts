import { type Clock, systemClock } from "../core/clock.ts";
import { AbortedError, AcmeError, Dns01Error, RateLimitedError, TransientError } from "../core/errors.ts";
import { type Observer, silent } from "../core/events.ts";
import { createDirectoryCache } from "./directory.ts";
import { createExchange, Unreadable } from "./exchange.ts";
import { retryAfterMs } from "./retry-after.ts";
import { createTransport, type HttpMessage } from "./transport.ts";

/** What the CA says of one certificate (RFC 9773 §4.2). */
export type RenewalAnswer =
  | {
      readonly kind: "window";
      readonly start: Date;
      readonly end: Date;
      /** A page that says why, when the CA wants an early renewal. */
      readonly explanationUrl?: string;
      /** When to ask again, as the CA wants it: within a minute and a day. Undefined: it did not say. */
      readonly retryAfterMs?: number;
    }
  /** The CA has no renewal information. */
  | { readonly kind: "unsupported" }
  /** `lasting`: asking again soon would bring the same. */
  | { readonly kind: "failed"; readonly lasting: boolean; readonly reason: string; readonly retryAfterMs?: number };

export interface RenewalInfoClient {
  /** Never throws but for the signal. */
  ask(renewalId: string, signal: AbortSignal): Promise<RenewalAnswer>;
  close(): void;
}

export interface RenewalInfoOptions {
  readonly directoryUrl: string;
  readonly caRoot?: string | undefined;
  readonly userAgent: string;
  readonly clock?: Clock;
  readonly observer?: Observer;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly wallNow?: () => number;
}

const minuteMs = 60_000;
const dayMs = 24 * 3_600_000;
/** A renewal does not hang on this answer: longer waits are left to the next check. */
const patienceMs = 5_000;

/** Asks one CA for renewal information: unauthenticated, so without an account. */
export function createRenewalInfoClient(options: RenewalInfoOptions): RenewalInfoClient {
  const clock = options.clock ?? systemClock;
  const wallNow = options.wallNow ?? Date.now;
  const transport = createTransport({ caRoot: options.caRoot, env: options.env ?? process.env });
  const exchange = createExchange({
    transport,
    clock,
    observer: options.observer ?? silent,
    userAgent: options.userAgent,
    wallNow,
    remainingMs: () => patienceMs,
    newNonceUrl: async (signal) => (await directory.get(signal)).newNonce,
  });
  const directory = createDirectoryCache(options.directoryUrl, exchange, clock);

  return {
    async ask(renewalId, signal) {
      try {
        const { renewalInfo } = await directory.get(signal);
        if (renewalInfo === undefined) return { kind: "unsupported" };
        const url = `${renewalInfo.replace(/\/$/, "")}/${renewalId}`;
        const read = (answer: HttpMessage) => readRenewalInfo(answer, wallNow());
        return await exchange.get({ operation: "renewalInfo", url, signal, read });
      } catch (error) {
        if (signal.aborted || error instanceof AbortedError || !Dns01Error.is(error)) throw error;
        return failed(error);
      }
    },
    close: () => transport.close(),
  };
}

/** The document of RFC 9773 §4.2. Throws Unreadable for what is cut off or somebody else's page. */
function readRenewalInfo(answer: HttpMessage, wallNow: number): RenewalAnswer {
  const wait = retryAfterMs(answer.headers, wallNow);
  const asked = wait === undefined ? {} : { retryAfterMs: withinBounds(wait) };
  const malformed = (reason: string): RenewalAnswer => ({ kind: "failed", lasting: true, reason, ...asked });
  let body: unknown;
  try {
    body = JSON.parse(answer.body.toString("utf8"));
  } catch {
    throw new Unreadable("the renewal information is no JSON");
  }
  const { suggestedWindow, explanationURL } = record(body);
  const start = timeOf(record(suggestedWindow)["start"]);
  const end = timeOf(record(suggestedWindow)["end"]);
  if (start === undefined || end === undefined) return malformed("the renewal information has no suggestedWindow");
  if (end <= start) return malformed("the suggested window ends before it starts");
  const explanationUrl = typeof explanationURL === "string" ? httpUrl(explanationURL) : undefined;
  return { kind: "window", start, end, ...(explanationUrl === undefined ? {} : { explanationUrl }), ...asked };
}

/** RFC 9773 §4.3.2: less than a minute is a minute, more than a day is a day. */
function withinBounds(ms: number): number {
  return Math.min(dayMs, Math.max(minuteMs, ms));
}

function failed(error: Dns01Error): RenewalAnswer {
  const passing = error instanceof TransientError || error instanceof RateLimitedError;
  const wait = passing ? error.retryAfterMs : undefined;
  return {
    kind: "failed",
    lasting: error instanceof AcmeError || !error.retryable,
    reason: error.message.split("\n")[0] ?? "",
    ...(wait === undefined ? {} : { retryAfterMs: withinBounds(wait) }),
  };
}

function timeOf(x: unknown): Date | undefined {
  if (typeof x !== "string" || !/^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(x))
    return undefined;
  const time = new Date(x.toUpperCase());
  return Number.isNaN(time.getTime()) ? undefined : time;
}

/** It is printed: an address of the web and nothing else. */
function httpUrl(text: string): string | undefined {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) ? new URL(text).href : undefined;
}

function record(x: unknown): Readonly<Record<string, unknown>> {
  return typeof x === "object" && x !== null ? (x as Readonly<Record<string, unknown>>) : {};
}
