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

const code = z.object({ code: z.coerce.number(), message: z.string().catch("") });
const chained = code.extend({ error_chain: z.array(code).catch([]) });
const envelope = z.object({ errors: z.array(chained) });

/** Codes and what to do about them; Cloudflare publishes no list. */
const hints: readonly (readonly [codes: readonly number[], hint: string])[] = [
  [
    [81053, 81054],
    "A CNAME, A or AAAA record stands in the way at this name: remove it, or let its target be written.",
  ],
  [[81056], "NS records stand at this name: it is delegated, and its own nameservers have to serve the value."],
  [[81045], "The zone has as many records as its plan allows: remove left-over challenge records."],
  [[1038], "Cloudflare's API does not write zones under .tk, .ml, .ga, .cf and .gq: use another DNS service for them."],
  [[7000, 7003], "Check zoneID (CLOUDFLARE_ZONE_ID) and the endpoint."],
];

const authCodes = [6003, 6100, 6101, 6102, 6103, 6111, 9103, 9106, 9107, 9109, 10000];

/** Handler for what is gone already (81044, but any 404 of the API says it; a proxy's page says nothing). */
export function gone(cause: unknown): undefined {
  const codes = cause instanceof HttpError ? codesOf(cause) : [];
  if (codes.includes(81044) || (cause instanceof HttpError && cause.status === 404 && codes.length > 0))
    return undefined;
  throw cause;
}

/** Handler for what may be forbidden. */
export function refused(cause: unknown): undefined {
  if (cause instanceof HttpError && (cause.status === 401 || cause.status === 403)) return undefined;
  throw cause;
}

export function classify(cause: unknown): Dns01Error | undefined {
  // A redirect is told best by the framework.
  if (!(cause instanceof HttpError) || (cause.status >= 300 && cause.status < 400)) return undefined;
  const { status, retryAfterMs } = cause;
  const codes = codesOf(cause);
  const has = (...some: readonly number[]) => some.some((one) => codes.includes(one));
  const message = wordsOf(cause);
  if (has(81057, 81058)) return new ConflictError(message, { cause });
  if (status === 429 || has(971)) return new RateLimitedError(message, { cause, retryAfterMs });
  if (status >= 500 || status === 408 || (status < 300 && codes.length === 0)) {
    return new TransientError(message, { cause, retryAfterMs });
  }
  const hint = hints.find(([known]) => has(...known))?.[1];
  if (hint === undefined && (status === 401 || status === 403 || has(...authCodes))) {
    const wrongKeys =
      status === 401 || has(6003, 6103, 6111, 9103, 9106, 9107) || /invalid access token/i.test(message);
    return new AuthError(message, { cause, hint: missing(cause, codes), wrongKeys });
  }
  const serviceCode = codes.join(", ") || String(status);
  const elsewhere = codes.length > 0 ? undefined : endpointHint("endpoint (CLOUDFLARE_ENDPOINT)");
  return new RejectedError(message, {
    cause,
    hint: hint ?? elsewhere,
    serviceCode,
    minTtlSeconds: minTtlOf(cause, codes),
  });
}

/** What the credentials lack, by what was asked. */
function missing({ message }: HttpError, codes: readonly number[]): string {
  if (codes.includes(9103)) {
    return "Check that email and apiKey (the Global API Key) belong together; an API token goes into apiToken (CLOUDFLARE_API_TOKEN).";
  }
  if (codes.some((one) => one === 6003 || (one >= 6100 && one < 6200))) {
    return 'The credentials have the wrong form: give the API token alone, without "Bearer", quotes or line ends; the Global API Key goes into apiKey, with email.';
  }
  return message.includes("/dns_records")
    ? "Check that the API token is valid and has the permission Zone → DNS → Edit on this zone."
    : "Check that the API token is valid and has the permission Zone → Zone → Read on this zone; without it, give zoneToken or zoneID.";
}

/** From "TTL must be between 60 and 86400 seconds, or 1 for Automatic". */
function minTtlOf(cause: HttpError, codes: readonly number[]): number | undefined {
  if (!codes.includes(9021)) return undefined;
  const [, least] = /between ([\d,]+) and/.exec(wordsOf(cause)) ?? [];
  return Number(least?.replaceAll(",", "") ?? 60);
}

function codesOf(cause: HttpError): readonly number[] {
  return saidBy(cause).map((one) => one.code);
}

/** "DNS Validation Error: Invalid TTL (1004, 9021)"; nothing of the address, which has ids in it. */
function wordsOf(cause: HttpError): string {
  const said = saidBy(cause);
  if (said.length === 0) return cause.status < 300 ? cause.message : `HTTP status ${cause.status}`;
  const words = said.map(({ message }) => message.trim().replace(/\s+/g, " ").replace(/\.$/, "")).filter(Boolean);
  return `${words.join(": ")} (${said.map((one) => one.code).join(", ")})`;
}

function saidBy({ body }: HttpError): readonly z.output<typeof code>[] {
  const parsed = envelope.safeParse(body);
  return parsed.success ? parsed.data.errors.flatMap(({ error_chain: causes, ...first }) => [first, ...causes]) : [];
}
