import { Dns01Error, TransientError } from "../core/errors.ts";
import { thrownText } from "../core/thrown.ts";

/** How one HTTP exchange failed. Its sender decides what that means for the request it carried. */
export class ExchangeError extends Error {
  /** False when the request certainly did not reach the server. */
  readonly sent: boolean;
  /** The connection had been used before: the server closed it meanwhile, an everyday race. */
  readonly stale: boolean;
  readonly timeout: boolean;
  /** Trying again cannot help: somebody has to change something. */
  readonly permanent: boolean;
  readonly hint: string | undefined;

  constructor(
    message: string,
    facts: { sent: boolean; stale?: boolean; timeout?: boolean; permanent?: boolean; cause?: unknown },
  ) {
    const { text, hint, permanent } = explain(facts.cause);
    super([message, text].filter((part) => part !== "").join(": "), { cause: facts.cause });
    this.name = "ExchangeError";
    this.sent = facts.sent;
    this.stale = facts.stale ?? false;
    this.timeout = facts.timeout ?? false;
    this.permanent = facts.permanent ?? permanent;
    this.hint = hint;
  }
}

/** What the program's callers get to see of it. */
export function unreachable(operation: string, url: string, error: ExchangeError): TransientError {
  return new TransientError(`${operation}: cannot reach the CA at ${url}: ${error.message}`, {
    operation,
    timeout: error.timeout,
    hint: error.hint ?? "Check the address, the network and HTTPS_PROXY; the CA may also be down for the moment.",
    details: { url },
    cause: error,
  });
}

interface Explanation {
  readonly text: string;
  readonly hint?: string;
  readonly permanent: boolean;
}

const untrusted = "Give the CA's own root certificate with --ca-root FILE if it is a private CA.";

/** Node's and OpenSSL's codes in words (https://nodejs.org/api/tls.html#x509-certificate-error-codes). */
const untrustedCodes = new Set([
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "CERT_UNTRUSTED",
  "CERT_SIGNATURE_FAILURE",
]);

/** Returns whether a connection failed because the server's chain ends at no root that is trusted. */
export function isUntrusted(cause: unknown): boolean {
  return untrustedCodes.has(codeOf(cause) ?? "");
}

function explain(cause: unknown): Explanation {
  if (cause === undefined) return { text: "", permanent: false };
  const first = cause instanceof AggregateError ? (cause.errors[0] as unknown) : cause;
  // A proxy's failure explains itself.
  if (Dns01Error.is(first))
    return { text: first.message, ...(first.hint && { hint: first.hint }), permanent: !first.retryable };
  const text = thrownText(first);
  const code = codeOf(first) ?? codeOf(cause);
  if (code === undefined) return { text, permanent: false };
  if (untrustedCodes.has(code)) {
    return { text: `its certificate is not trusted (${text})`, hint: untrusted, permanent: true };
  }
  switch (code) {
    case "CERT_HAS_EXPIRED":
    case "CERT_NOT_YET_VALID":
      return { text, hint: "Check this machine's clock; else the CA's own certificate is at fault.", permanent: true };
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return { text, hint: "Use the name that is in the CA's own certificate.", permanent: true };
    case "ERR_SSL_WRONG_VERSION_NUMBER":
    case "EPROTO":
      return { text: `no TLS there (${text})`, hint: "Check the port; is it a plain HTTP server?", permanent: true };
    case "ENOTFOUND":
      return { text, hint: "Check the host name in --ca and this machine's resolver.", permanent: false };
    default:
      return { text, permanent: false };
  }
}

function codeOf(x: unknown): string | undefined {
  if (typeof x !== "object" || x === null || !("code" in x)) return undefined;
  return typeof x.code === "string" ? x.code : undefined;
}
