import type { Problem } from "../core/errors.ts";

const prefix = "urn:ietf:params:acme:error:";

export type ProblemType =
  | "accountDoesNotExist"
  | "alreadyReplaced"
  | "alreadyRevoked"
  | "badCSR"
  | "badNonce"
  | "badPublicKey"
  | "badRevocationReason"
  | "badSignatureAlgorithm"
  | "caa"
  | "conflict"
  | "dns"
  | "externalAccountRequired"
  | "incorrectResponse"
  | "invalidContact"
  | "invalidProfile"
  | "malformed"
  | "orderNotReady"
  | "rateLimited"
  | "rejectedIdentifier"
  | "serverInternal"
  | "unauthorized"
  | "unsupportedContact"
  | "unsupportedIdentifier"
  | "userActionRequired";

interface Extra {
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** Further members of the document, such as `algorithms` or `identifier`. */
  readonly members?: Readonly<Record<string, unknown>>;
}

/** Thrown by whatever handles a request; becomes a problem document (RFC 8555 §6.7). */
export class AcmeProblem extends Error {
  readonly type: ProblemType;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly members: Readonly<Record<string, unknown>>;

  constructor(type: ProblemType, status: number, detail: string, extra: Extra = {}) {
    super(detail);
    this.name = "AcmeProblem";
    this.type = type;
    this.status = status;
    this.headers = extra.headers ?? {};
    this.members = extra.members ?? {};
  }

  document(): Problem {
    return { type: prefix + this.type, detail: this.message, status: this.status, ...this.members };
  }
}

export function malformed(detail: string, status = 400): AcmeProblem {
  return new AcmeProblem("malformed", status, detail);
}

export function unauthorized(detail: string, status = 403): AcmeProblem {
  return new AcmeProblem("unauthorized", status, detail);
}

export function notFound(what: string): AcmeProblem {
  return malformed(`there is no such ${what}`, 404);
}

/** The type without its common prefix, for logs. */
export function shortType(type: string): string {
  return type.startsWith(prefix) ? type.slice(prefix.length) : type;
}
