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
/** The free edition's minimum; no edition has a higher one. */
const lowTtl: Make = (message, facts) => new RejectedError(message, { ...facts, minTtlSeconds: 600 });

/**
 * The API's codes; one stands for itself and for everything below it ("Throttling" for "Throttling.User" too), and the
 * first row that fits counts. The API's own words have times, nonces and parts of the request in them.
 * @see https://api.alibabacloud.com/document/Alidns/2015-01-09/errorCode
 */
const table: readonly (readonly [codes: string, make: Make, says: string, hint?: string])[] = [
  ["DomainRecordDuplicate", conflict, "the record exists already"],
  ["QuotaExceeded.TTL InvalidTTL", lowTtl, "the domain's edition does not allow this TTL"],
  ["Throttling Fobidden.TooOfen", limited, "too many requests"],
  [
    "InternalError ServiceUnavailable SystemBusy UnKnownError LastOperationNotFinished SignatureNonceUsed",
    transient,
    "the service failed for the moment",
  ],
  [
    "InvalidTimeStamp IllegalTimestamp",
    wrongKeys,
    "the signature's time is too far from the service's",
    "Set this machine's clock (NTP): fifteen minutes of difference are allowed.",
  ],
  [
    "SignatureDoesNotMatch IncompleteSignature InvalidAccessKeySecret",
    wrongKeys,
    "the signature is wrong",
    "Check that secretKey (ALICLOUD_SECRET_KEY) belongs to accessKey (ALICLOUD_ACCESS_KEY).",
  ],
  ["InvalidAccessKeyId", wrongKeys, "the AccessKey is unknown or disabled", "Check accessKey (ALICLOUD_ACCESS_KEY)."],
  [
    "AuthenticationFail EntityNotExist InvalidParameter.OIDCToken InvalidParameter.RoleArn InvalidParameter.OIDCProviderArn NoPermission.AssumeRole",
    wrongKeys,
    "the token service does not give keys of the role",
    "Check roleArn (ALIBABA_CLOUD_ROLE_ARN), oidcProviderArn (ALIBABA_CLOUD_OIDC_PROVIDER_ARN), and that the role trusts that identity provider and this service account.",
  ],
  [
    "InvalidSecurityToken MissingSecurityToken SecurityTokenExpired",
    wrongKeys,
    "the security token is wrong or has expired",
    "Check securityToken (ALICLOUD_SECURITY_TOKEN); leave it away for permanent keys.",
  ],
  [
    "DomainForbidden Forbidden.DomainExpired Forbidden.DomainLocked Forbidden.RecordLocked DomainRecordLocked RecordForbidden",
    rejected,
    "the domain or the record cannot be changed now",
    "Look at it in the console: locked, expired or blocked.",
  ],
  [
    "Forbidden NoPermission NotAuthorized IllegalUser",
    auth,
    "the AccessKey may not do this",
    "Allow alidns:DescribeDomainInfo, alidns:DescribeSubDomainRecords, alidns:AddDomainRecord and alidns:DeleteDomainRecord on the domain.",
  ],
  ["InvalidDomainName IncorrectDomainUser DomainNotBelongToUser", noZone, "the account has no such domain"],
  [
    "DomainRecordConflict",
    rejected,
    "another record at the name excludes this one",
    "Remove the CNAME there, or let the value be written at its target.",
  ],
  [
    "QuotaExceeded",
    rejected,
    "the domain's edition allows no more records",
    "Remove left-over TXT values of earlier challenges there (dns01 cleanup --leftovers).",
  ],
];

const rows = table.map(([codes, ...row]) => [codes.split(" "), ...row] as const);

export function classify(cause: unknown): Dns01Error | undefined {
  const fault = faultOf(cause);
  if (fault === undefined) return noApi(cause);
  const { Code: code, Message, retryAfterMs } = fault;
  const row = rows.find(([codes]) => codes.some((known) => isBelow(code, known)));
  const [, make, says, hint] = row ?? [[], rejected, `the service says "${steady(Message)}"`];
  return make(`${says} (${code})`, { cause, hint, serviceCode: code, retryAfterMs });
}

/** A page instead of the API's form; what may pass is left to the framework. */
function noApi(cause: unknown): Dns01Error | undefined {
  if (!(cause instanceof HttpError) || ![400, 404, 405, 410].includes(cause.status)) return undefined;
  const hint = cause.message.includes("/meta-data/")
    ? "Check ramRole (ALICLOUD_RAM_ROLE): that role has to be bound to this ECS instance."
    : endpointHint("endpoint (ALIDNS_ENDPOINT)");
  return new RejectedError(`HTTP status ${cause.status}`, { cause, hint, serviceCode: String(cause.status) });
}

/** Handler for expected absence: `undefined` if the API answered one of these codes, or one below. */
export function absent(...codes: readonly string[]): (cause: unknown) => undefined {
  return (cause) => {
    const code = faultOf(cause)?.Code ?? "";
    if (!codes.some((known) => isBelow(code, known))) throw cause;
  };
}

function isBelow(code: string, known: string): boolean {
  return code === known || code.startsWith(`${known}.`);
}

const errorBody = z.object({ Code: z.string().regex(/^[\w.:-]+$/), Message: z.string().default("") });

function faultOf(cause: unknown) {
  if (!(cause instanceof HttpError)) return undefined;
  const { data } = errorBody.safeParse(cause.body);
  // Failures of a server are worth another try whatever code it gives them.
  if (data === undefined || (cause.status >= 500 && !isBelow(data.Code, "Throttling"))) return undefined;
  return { ...data, retryAfterMs: cause.retryAfterMs };
}
