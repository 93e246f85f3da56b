import {
  AuthError,
  ConflictError,
  type Dns01Error,
  type ErrorFacts,
  endpointHint,
  HttpError,
  RateLimitedError,
  RejectedError,
  steady,
  TransientError,
  ZoneNotFoundError,
  z,
} from "../../src/index.ts";

type Facts = ErrorFacts & { readonly serviceCode: string; readonly retryAfterMs: number | undefined };
type Make = (message: string, facts: Facts) => Dns01Error;

const auth: Make = (message, facts) => new AuthError(message, facts);
const wrongKeys: Make = (message, facts) => new AuthError(message, { ...facts, wrongKeys: true });
const conflict: Make = (message, facts) => new ConflictError(message, facts);
const limited: Make = (message, facts) => new RateLimitedError(message, facts);
const rejected: Make = (message, facts) => new RejectedError(message, facts);
const transient: Make = (message, facts) => new TransientError(message, facts);
const noZone: Make = (message, facts) => new ZoneNotFoundError(message, [], facts);

/**
 * Codes of the service and of the gateway in front of it.
 * @see https://support.huaweicloud.com/intl/en-us/api-dns/ErrorCode.html
 */
const table: readonly (readonly [codes: string, make: Make, says: string, hint?: string])[] = [
  ["DNS.0016 DNS.0312 DNS.0335", conflict, "a record set stands at the name already"],
  ["DNS.0004 DNS.0313", conflict, "the record set is gone"],
  ["DNS.0021", transient, "the zone is being changed by somebody else"],
  ["DNS.0014 APIGW.0308 APIG.0308", limited, "too many requests"],
  ["DNS.0012 DNS.0015 DNS.0022 DNS.0036 APIGW.0201", transient, "the service failed for the moment"],
  [
    "APIGW.0301 APIGW.0303 APIG.0301 DNS.0005",
    wrongKeys,
    "the access key is not accepted",
    "Check that HUAWEICLOUD_SECRET_ACCESS_KEY belongs to HUAWEICLOUD_ACCESS_KEY_ID, and this machine's clock (NTP): fifteen minutes of difference are allowed.",
  ],
  [
    "APIGW.0302 APIGW.0305 APIGW.0306 DNS.0013 DNS.0030 DNS.0040 DNS.1802",
    auth,
    "the access key may not do this",
    "Allow dns:zone:list and dns:recordset:list, create, update and delete on the zone (or DNS FullAccess); the account's owner has to be verified.",
  ],
  ["APIGW.0101", rejected, "the endpoint knows no DNS API", "Check region (HUAWEICLOUD_REGION) and endpoint."],
  ["DNS.0101 DNS.0302", noZone, "the account has no such zone"],
  [
    "DNS.0209 DNS.0213 DNS.0214 DNS.2003 DNS.2005 DNS.2006",
    rejected,
    "the zone cannot be changed now",
    "Look at it in the console: disabled, frozen or in an abnormal state.",
  ],
  [
    "DNS.0403 DNS.2002",
    rejected,
    "the account may have no more record sets",
    "Remove left-over record sets of earlier challenges (dns01 cleanup --leftovers), or have the quota raised.",
  ],
];

const ttlCodes = new Set(["DNS.0303", "DNS.0319"]);

const rows = table.map(([codes, ...row]) => [codes.split(" "), ...row] as const);

export function classify(cause: unknown): Dns01Error | undefined {
  const fault = faultOf(cause);
  if (fault === undefined) return byStatus(cause);
  const { code, message, status, retryAfterMs } = fault;
  const facts = { cause, serviceCode: code, retryAfterMs };
  const row = rows.find(([codes]) => codes.includes(code));
  // Failures of a server are worth another try whatever code it gives them.
  if (row === undefined && status !== 400 && status !== 403) return byStatus(cause, code);
  if (row?.[1] === conflict && /type '(?!TXT')/i.test(message)) {
    const hint = "Remove the CNAME there, or let the value be written at its target.";
    return rejected(`a record set of another type excludes this one (${code})`, { ...facts, hint });
  }
  if (ttlCodes.has(code)) {
    // What is enough depends on the region and the account; only the words have it.
    const [, least] = /\bfrom (\d+) to \d+/.exec(message) ?? [];
    const minTtlSeconds = least === undefined ? undefined : Number(least);
    return new RejectedError(`the service does not take this TTL (${code})`, { ...facts, minTtlSeconds });
  }
  const unknown = status === 403 ? auth : rejected;
  const [, make, says, hint] = row ?? [[], unknown, `the service says "${steady(message)}"`];
  return make(`${says} (${code})`, { ...facts, hint });
}

/**
 * Neither the API's form nor a code of it that says enough. The framework's words would have the address, with ids in it.
 */
function byStatus(cause: unknown, code?: string): Dns01Error | undefined {
  if (!(cause instanceof HttpError) || cause.status < 400) return undefined;
  const { status, retryAfterMs } = cause;
  const hint =
    code === undefined && status < 500 ? endpointHint("region (HUAWEICLOUD_REGION) and endpoint") : undefined;
  const make = makes.find(([statuses]) => statuses.includes(status))?.[1] ?? (status >= 500 ? transient : rejected);
  const message = `HTTP status ${status}${code === undefined ? "" : ` (${code})`}`;
  return make(message, { cause, hint, serviceCode: code ?? String(status), retryAfterMs });
}

const makes: readonly (readonly [statuses: readonly number[], make: Make])[] = [
  [[401, 403], auth],
  [[409, 412], conflict],
  [[429], limited],
  [[408, 425], transient],
];

/** Whoever switched the set off may have had a reason. */
export function switchedOff(fqdn: string): RejectedError {
  const hint = "Switch the record set on in the console, or delete it.";
  return new RejectedError(`the TXT record set at ${fqdn} is disabled, and no value in it is served`, { hint });
}

/** Handler for expected absence of a record set. */
export function gone(cause: unknown): undefined {
  const { code = "", status = 0 } = faultOf(cause) ?? {};
  // APIGW.0101 is a 404 too: the gateway knows no such API.
  if (code !== "DNS.0004" && code !== "DNS.0313" && !(status === 404 && code.startsWith("DNS."))) throw cause;
}

/** The service's form and its gateway's; identity and access management has a third. */
const errorBody = z.union([
  z.object({ code: z.string(), message: z.string().default("") }),
  z.object({ error_code: z.string(), error_msg: z.string().default("") }).transform((body) => {
    return { code: body.error_code, message: body.error_msg };
  }),
  z.object({ error: z.object({ code: z.coerce.string(), message: z.string().default("") }) }).transform((b) => b.error),
]);

function faultOf(cause: unknown) {
  if (!(cause instanceof HttpError)) return undefined;
  const { data } = errorBody.safeParse(cause.body);
  return data && { ...data, status: cause.status, retryAfterMs: cause.retryAfterMs };
}
