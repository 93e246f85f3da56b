/** Reasons of Kubernetes' Status objects, by HTTP status. */
const reasons = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  405: "MethodNotAllowed",
  406: "NotAcceptable",
  408: "Timeout",
  413: "RequestEntityTooLarge",
  415: "UnsupportedMediaType",
  431: "RequestHeaderFieldsTooLarge",
  500: "InternalError",
} as const;

export type RefusalCode = keyof typeof reasons;

/** A request that gets no payload but a Status object. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly code: RefusalCode;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: RefusalCode, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.code = code;
    this.headers = headers;
  }

  get reason(): string {
    return reasons[this.code];
  }
}

/** The `Status` object (meta/v1) that says so. */
export function statusOf({ code, reason, message }: Refusal): string {
  const status = {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason,
    details: {},
    code,
  };
  return JSON.stringify(status);
}
