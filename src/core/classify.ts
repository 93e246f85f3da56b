import { AuthError, ConflictError, Dns01Error, RateLimitedError, RejectedError, TransientError } from "./errors.ts";
import { HtmlPageError, HttpError } from "./http-error.ts";
import { redactDeep, safeCause } from "./redact.ts";
import { requestIdOf } from "./request-id.ts";
import { codeText } from "./system-error.ts";
import { thrownText } from "./thrown.ts";

/** What was going on when something was thrown. */
export interface Attempted {
  readonly provider: string;
  readonly operation: string;
  /** The owner or zone it was about. */
  readonly name: string;
  readonly zone?: string | undefined;
  /** Where the provider's definition stands when it is a plugin. */
  readonly plugin?: string | undefined;
}

export interface ClassifyOptions {
  /** The provider's own table; asked first. */
  readonly classify?: ((cause: unknown) => Dns01Error | undefined) | undefined;
  readonly redact?: ((text: string) => string) | undefined;
  /** For hints, see ResolvedConfig. */
  readonly reword?: ((hint: string) => string) | undefined;
}

const phrases: Readonly<Record<string, string>> = {
  findZone: "look up the zone",
  list: "list TXT at",
  read: "read TXT at",
  create: "create TXT at",
  delete: "delete TXT at",
  replace: "write TXT in",
  apply: "change TXT in",
};

/**
 * One of our errors for whatever a backend threw, saying what was attempted on what. Secrets are masked in it, and of a
 * foreign cause only its text and its codes are kept: SDK errors carry whole requests.
 */
export function toDns01Error(cause: unknown, attempted: Attempted, options: ClassifyOptions = {}): Dns01Error {
  try {
    return described(cause, attempted, options);
  } catch {
    // A plugin may throw what cannot even be looked at: a frozen error, a member that throws.
    return described(new Dns01Error("UNKNOWN", thrownText(cause), false), attempted, options);
  }
}

function described(cause: unknown, attempted: Attempted, options: ClassifyOptions): Dns01Error {
  const { redact = (text: string) => text, reword = (hint: string) => hint } = options;
  mask(cause, redact);
  const error = ours(cause, options) ?? byDefault(cause);
  // Set once: an error that passes several layers is described by the innermost.
  if (error.operation === undefined) {
    const { provider, operation, name, zone, plugin } = attempted;
    const prefix = error.message.startsWith(`${provider}: `)
      ? ""
      : `${provider}: cannot ${phrases[operation] ?? operation} ${name}: `;
    // What nobody foresaw is the plugin's to mend.
    const suffix = plugin !== undefined && error.code === "UNKNOWN" ? ` (in the plugin ${plugin})` : "";
    fill(error, {
      message: prefix + error.message + suffix,
      provider: error.provider ?? provider,
      operation,
      zone: error.zone ?? zone,
      fqdn: error.fqdn ?? (name === zone || operation === "findZone" ? undefined : name),
      details: plugin === undefined ? error.details : { ...error.details, plugin },
    });
  }
  const requestId = error.requestId ?? requestIdOf(cause) ?? requestIdOf(error.cause);
  const before = error.message;
  const message = redact(before);
  fill(error, {
    message,
    stack: redact(error.stack?.replace(before, message) ?? ""),
    hint: error.hint === undefined ? undefined : redact(reword(error.hint)),
    requestId: requestId === undefined ? undefined : redact(requestId),
    details: redactDeep(error.details, redact),
  });
  if (error.cause !== undefined) fill(error, { cause: safeCause(error.cause, redact) });
  return error;
}

/** Before anybody shortens it or takes out what looks like an id: what is left of a secret then is not recognised. */
function mask(cause: unknown, redact: (text: string) => string): void {
  if (!(cause instanceof Error)) return;
  const message = redact(cause.message);
  if (message !== cause.message) fill(cause, { message });
}

function ours(cause: unknown, options: ClassifyOptions): Dns01Error | undefined {
  // The provider's own words for such a status name the setting that leads to its API.
  if (cause instanceof HtmlPageError) fill(cause, { hint: byTable(cause.cause, options)?.hint ?? cause.hint });
  return isWhole(cause) ? cause : byTable(cause, options);
}

function byTable(cause: unknown, options: ClassifyOptions): Dns01Error | undefined {
  try {
    const error: unknown = options.classify?.(cause);
    return isWhole(error) ? error : undefined;
  } catch {
    // A table that trips over an unforeseen error must not hide that error.
    return undefined;
  }
}

/** The mark alone makes no error: another copy of the package, or a plugin, may have made it. */
function isWhole(error: unknown): error is Dns01Error {
  return Dns01Error.is(error) && error instanceof Error && typeof error.code === "string";
}

/** Completes an error with what only the whole operation knows. */
export function noteNothingWritten(error: Dns01Error, nothingWritten: boolean): void {
  fill(error, { nothingWritten });
}

/** Dns01Error's fields are readonly for everybody but its maker; here the making is completed. */
function fill(error: Error, facts: Readonly<Record<string, unknown>>): void {
  for (const [key, value] of Object.entries(facts)) {
    Object.defineProperty(error, key, {
      value,
      configurable: true,
      writable: true,
      enumerable: key in error && enumerable(error, key),
    });
  }
}

function enumerable(error: Error, key: string): boolean {
  return Object.getOwnPropertyDescriptor(error, key)?.enumerable ?? false;
}

function byDefault(cause: unknown): Dns01Error {
  const message = thrownText(cause);
  if (cause instanceof HttpError) return byStatus(cause);
  const { code, text } = codeOf(cause) ?? {};
  if (code !== undefined && networkCodes.test(code)) {
    const said = message === "fetch failed" || message === text ? text : `${message} (${codeText(code)})`;
    const timeout = /TIMEDOUT|TIMEOUT/.test(code);
    return new TransientError(said ?? message, { cause, timeout, patienceMs: patienceOf(code) });
  }
  if (code !== undefined && certificateCodes.test(code)) {
    return new RejectedError(`the service's TLS certificate is not trusted: ${message}`, {
      cause,
      serviceCode: code,
      hint: "Check the endpoint and the machine's clock; for a private CA set NODE_EXTRA_CA_CERTS.",
    });
  }
  const name = cause instanceof Error ? cause.name : "";
  if (name === "TimeoutError" || name === "AbortError") return new TransientError(message, { cause, timeout: true });
  // An adapter's schema did not fit: some gateway's JSON, or another API. Whether it was carried out is unknown.
  if (name === "ZodError") {
    return new TransientError(`the answer is not of the API's form${placeOf(cause)}`, {
      cause,
      hint: "Check that the endpoint is this service's API.",
    });
  }
  // Their words repeat the address or the header, with what is secret in it.
  if (cause instanceof TypeError && unsendable.test(message)) {
    return new RejectedError(
      "the request cannot be sent: its address or one of its headers has a form that is not allowed",
      {
        hint: "Check the endpoint (it may hold no login), and the credentials for line ends and characters that are no ASCII.",
      },
    );
  }
  // What fetch throws for every failure of the network, its reason in `cause`.
  if (cause instanceof TypeError && message === "fetch failed") {
    const reason = cause.cause instanceof Error ? `: ${thrownText(cause.cause)}` : "";
    return new TransientError(`${message}${reason}`, { cause });
  }
  return new Dns01Error("UNKNOWN", message, false, { cause });
}

/** Where in the answer the first fault of a ZodError is; not what stands there. */
function placeOf(cause: unknown): string {
  const { issues } = cause as { readonly issues?: readonly { readonly path?: readonly PropertyKey[] }[] };
  const path = issues?.[0]?.path?.map(String).join(".") ?? "";
  return path === "" ? "" : ` (at ${path})`;
}

function byStatus(cause: HttpError): Dns01Error {
  const { status, message, retryAfterMs } = cause;
  if (status === 401 || status === 403) return new AuthError(message, { cause, wrongKeys: status === 401 });
  if (status === 409 || status === 412) return new ConflictError(message, { cause });
  if (status === 429) return new RateLimitedError(message, { cause, retryAfterMs });
  if (status === 408 || status === 425 || status >= 500) return new TransientError(message, { cause, retryAfterMs });
  return new RejectedError(message, { cause, serviceCode: String(status) });
}

/** A server that restarts is back by then; one that is switched off is not, and a person waits for the error. */
const firstContactMs = 7_500;

const networkCodes =
  /^(E(CONN(REFUSED|RESET|ABORTED)|PIPE|TIMEDOUT|HOSTUNREACH|NETUNREACH|NETDOWN|HOSTDOWN|NOTFOUND|AI_AGAIN|ADDRNOTAVAIL|MFILE|NFILE|PROTO)|UND_ERR_(CONNECT_TIMEOUT|HEADERS_TIMEOUT|BODY_TIMEOUT|SOCKET|ABORTED|CLOSED|DESTROYED))$/;
const unsendable =
  /invalid header (value|name)|cannot convert argument to a ByteString|not a legal HTTP header|invalid character in header|URL that includes credentials/i;
const certificateCodes =
  /^(CERT_|ERR_TLS_|DEPTH_ZERO_SELF_SIGNED_CERT$|SELF_SIGNED_CERT|UNABLE_TO_(VERIFY|GET_ISSUER)|HOSTNAME_MISMATCH$)/;

/** The first code in the chain of causes; fetch hides the network's in `cause`, and several tries in `errors`. */
function codeOf(error: unknown, depth = 0): { readonly code: string; readonly text: string } | undefined {
  if (typeof error !== "object" || error === null || depth > 5) return undefined;
  const { code, cause, errors } = error as { code?: unknown; cause?: unknown; errors?: unknown };
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined;
  if (typeof code === "string" && (networkCodes.test(code) || certificateCodes.test(code)))
    return { code, text: thrownText(first ?? error) };
  return codeOf(cause, depth + 1) ?? codeOf(first, depth + 1);
}

/** How long the first contact is worth repeating, by the system's code; undefined where the service did answer. */
function patienceOf(code: string | undefined): number | undefined {
  if (code === "ENOTFOUND" || code === "EHOSTUNREACH" || code === "ENETUNREACH" || code === "EADDRNOTAVAIL") return 0;
  const isSilence = /^(ECONNREFUSED|EAI_AGAIN|EHOSTDOWN|ENETDOWN|ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT)$/.test(code ?? "");
  return isSilence ? firstContactMs : undefined;
}
