import {
  AuthError,
  ConflictError,
  type Dns01Error,
  endpointHint,
  HttpError,
  RateLimitedError,
  RejectedError,
  TransientError,
  z,
} from "../../src/index.ts";

const field = z.object({ name: z.string(), messages: z.array(z.string()).catch([]) });
const details = z
  .object({ fields: z.array(field).catch([]) })
  .nullish()
  .catch(undefined);
const answer = z.object({ error: z.object({ code: z.string(), message: z.string(), details }) });

export function codeOf(cause: unknown): string | undefined {
  return cause instanceof HttpError ? answer.safeParse(cause.body).data?.error.code : undefined;
}

/** The value is there already: https://github.com/hetzner/cert-manager-webhook-hetzner/issues/213 */
export function isDuplicate(cause: unknown): boolean {
  return cause instanceof HttpError && /duplicate/i.test(wordsOf(cause));
}

function wordsOf({ body, status }: HttpError): string {
  const said = answer.safeParse(body).data?.error;
  if (said === undefined) return `HTTP status ${status}`;
  const fields = said.details?.fields.map(({ name, messages }) => ` ${name}: ${messages.join(", ")}`) ?? [];
  return `${[said.message, ...fields].join(";")} (${said.code})`;
}

const hints: Readonly<Record<string, string>> = {
  unauthorized:
    "Check HETZNER_API_TOKEN: a token of the Cloud project (Security → API tokens); those of the old DNS Console do not work here.",
  token_readonly: "Make a token with Read & Write.",
  forbidden: "Make a token with Read & Write in the project that holds the zone.",
  incorrect_zone_mode: "The zone is a secondary one: change its records at its primary nameserver.",
  protected: "Take the protection off the TXT records of this name in the Hetzner Console.",
  resource_limit_exceeded: "Remove left-over challenge records.",
};
const conflicts = new Set(["locked", "conflict", "uniqueness_error"]);
const passing = new Set(["service_error", "unknown_error", "server_error", "bad_gateway", "timeout", "maintenance"]);

export function classify(cause: unknown): Dns01Error | undefined {
  if (!(cause instanceof HttpError) || (cause.status >= 300 && cause.status < 400)) return undefined;
  const { status, retryAfterMs } = cause;
  const code = codeOf(cause) ?? "";
  const message = wordsOf(cause);
  const hint = code === "" ? endpointHint("endpoint (HETZNER_ENDPOINT)") : hints[code];
  if (conflicts.has(code) || isDuplicate(cause)) return new ConflictError(message, { cause });
  if (status === 429 || code === "rate_limit_exceeded") return new RateLimitedError(message, { cause, retryAfterMs });
  if (status >= 500 || status === 408 || passing.has(code)) return new TransientError(message, { cause, retryAfterMs });
  if (status === 401 || (status === 403 && code !== "protected"))
    return new AuthError(message, { cause, hint: hint ?? hints["unauthorized"], wrongKeys: status === 401 });
  return new RejectedError(message, { cause, hint, serviceCode: code || String(status) });
}

/** The change was accepted: a refusal to tell what became of it is no refusal of the change. */
export function afterAccepted(cause: unknown): unknown {
  const known = cause instanceof RejectedError ? cause : classify(cause);
  if (known === undefined) return cause;
  const message = `what became of the change is not known: ${known.message}`;
  if (!(known instanceof RateLimitedError)) return new TransientError(message, { cause, hint: known.hint });
  return new RateLimitedError(message, { cause, retryAfterMs: known.retryAfterMs, nothingWritten: false });
}
