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

/** Handler for what is not there; whatever else has no such address does not say it in the API's form. */
export function absent(cause: unknown): undefined {
  const isApi = cause instanceof HttpError && z.object({ detail: z.string() }).safeParse(cause.body).success;
  if (!isApi || cause.status !== 404) throw cause;
}

export function classify(cause: unknown): Dns01Error | undefined {
  if (!(cause instanceof HttpError) || (cause.status >= 300 && cause.status < 400)) return undefined;
  const { status, retryAfterMs } = cause;
  const message = `HTTP status ${status}${[...wordsIn(cause.body)].map((words) => `: ${words}`).join("")}`;
  // The service's own words name the seconds that are left. Writes are counted by domain, for up to a day, and other
  // domains must not wait for one: https://desec.readthedocs.io/en/latest/rate-limits.html
  if (status === 429 && cause.message.startsWith("PATCH")) {
    return new RateLimitedError("the domain has used up its changes", { cause, retryAfterMs, scope: "zone" });
  }
  if (status === 429) return new RateLimitedError("the account has used up its requests", { cause, retryAfterMs });
  if (status === 409) return new ConflictError("the domain was changed by somebody else at the same time", { cause });
  // A set that was read has been taken away since; written anew it would need one.
  if (message.includes("ttl: This field is required")) {
    return new ConflictError("the record set was taken away by somebody else at the same time", { cause });
  }
  if (status >= 500 || status === 408) return new TransientError(`HTTP status ${status}`, { cause, retryAfterMs });
  if (status === 401) {
    return new AuthError(message, { cause, wrongKeys: true, hint: "Check DESEC_TOKEN: the token, not its id." });
  }
  if (status === 403) {
    const hint =
      "Give the token a policy that lets it write TXT records of this name, and look at its allowed_subnets.";
    return new AuthError(message, { cause, hint });
  }
  const [, least] = /ttl: .*greater than or equal to (\d+)/.exec(message) ?? [];
  const hint = message.includes("CNAME")
    ? "Remove the CNAME at this name, or let its target be written."
    : status === 404
      ? endpointHint("endpoint (DESEC_ENDPOINT)")
      : undefined;
  const minTtlSeconds = least === undefined ? undefined : Number(least);
  return new RejectedError(message, { cause, hint, serviceCode: String(status), minTtlSeconds });
}

/** "ttl: Ensure this value is …" for each fault; a bulk request is answered with a list, `{}` for what is right. */
function* wordsIn(body: unknown, name = ""): Generator<string> {
  if (typeof body === "string" && name !== "")
    yield name === "detail" || name === "non_field_errors" ? body : `${name}: ${body}`;
  else if (Array.isArray(body)) for (const entry of body) yield* wordsIn(entry, name);
  else if (typeof body === "object" && body !== null) {
    for (const [key, entry] of Object.entries(body)) yield* wordsIn(entry, key);
  }
}
