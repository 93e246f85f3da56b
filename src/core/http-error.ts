import { type Dns01Error, type ErrorFacts, RejectedError } from "./errors.ts";

/** A service answered with a status of 300 or above. Adapters look at `status` and `body` in their `classify`. */
export class HttpError extends Error {
  readonly status: number;
  /** Parsed JSON, or the text when it is none; `undefined` when empty. */
  readonly body: unknown;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** From Retry-After (both forms), milliseconds from now. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    answer: {
      readonly status: number;
      readonly body: unknown;
      readonly headers: Readonly<Record<string, string>>;
      readonly retryAfterMs?: number | undefined;
    },
  ) {
    super(message);
    this.name = "HttpError";
    this.status = answer.status;
    this.body = answer.body;
    this.headers = answer.headers;
    this.retryAfterMs = answer.retryAfterMs;
  }
}

/** What to do where something answers that is not the service; `setting` is how its address is given. */
export function endpointHint(setting: string): string {
  return `Check ${setting}: what answers there is not this API. A proxy on the way may answer in its place.`;
}

/**
 * A proxy on the way answered a request with a page of HTML and a 4xx status. Not an HttpError, so that no adapter takes
 * a proxy's 404 for "gone" or its 409 for "exists already". The HttpError is its cause.
 */
export class HtmlPageError extends RejectedError {
  constructor(cause: HttpError) {
    const { status } = cause;
    super(`a page of HTML came instead of the API's answer (HTTP status ${status})`, {
      cause,
      hint: endpointHint("the endpoint"),
      serviceCode: String(status),
      // The proxy may have passed the request on.
      nothingWritten: false,
    });
  }
}

/** Statuses whose meaning does not depend on who says it: sign in, come back later. */
const proxySpeaksFor = new Set([401, 403, 408, 425, 429]);

/** What to throw for an answer with a status of 300 or above. */
export function errorOfAnswer(answer: HttpError): HttpError | HtmlPageError {
  const { status, body } = answer;
  const isRefusal = status >= 400 && status < 500 && !proxySpeaksFor.has(status);
  return isRefusal && typeof body === "string" && isHtml(body) ? new HtmlPageError(answer) : answer;
}

export function isHtml(text: string): boolean {
  return /^\s*(<!--.*?-->\s*|<\?xml\b[^>]*>\s*)*<(!doctype|html|head|body)\b/is.test(text);
}

type ErrorClass = new (
  message: string,
  facts: ErrorFacts & { retryAfterMs?: number | undefined; serviceCode?: string | undefined },
) => Dns01Error;

/**
 * A `classify` that goes by HTTP status; what is not in the table is left to the framework (401 and 403 AuthError,
 * 409 and 412 ConflictError, 429 RateLimitedError, 408, 425 and 5xx TransientError, other 4xx RejectedError).
 *
 * @example classify: byHttpStatus({ 422: RejectedError })
 */
export function byHttpStatus(table: Readonly<Record<number, ErrorClass>>): (cause: unknown) => Dns01Error | undefined {
  return (cause) => {
    if (!(cause instanceof HttpError)) return undefined;
    const Class = table[cause.status];
    return Class && new Class(cause.message, { retryAfterMs: cause.retryAfterMs, cause });
  };
}

/** Retry-After as seconds or as a date (RFC 9110 §10.2.3), in milliseconds from now; `date` is the answer's own Date. */
export function parseRetryAfter(
  value: string | null | undefined,
  date?: string | null | undefined,
  now: number = Date.now(),
): number | undefined {
  const text = value?.trim() ?? "";
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  // An HTTP date begins with a day's name; Date.parse alone makes a date of "-5".
  const until = /^[A-Za-z]{3}/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(until)) return undefined;
  // Against the service's clock where it told it: ours may be off.
  const sent = Date.parse(date ?? "");
  return Math.max(0, until - (Number.isNaN(sent) ? now : sent));
}
