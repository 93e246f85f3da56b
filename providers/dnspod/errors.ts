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
} from "../../src/index.ts";

/** The legacy API answered with a status other than "1"; `code` is that status. */
export class LegacyStatus extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

type Make = (message: string, facts: ErrorFacts & { readonly serviceCode: string }) => Dns01Error;

const auth: Make = (message, facts) => new AuthError(message, facts);
const wrongKeys: Make = (message, facts) => new AuthError(message, { ...facts, wrongKeys: true });
const conflict: Make = (message, facts) => new ConflictError(message, facts);
const limited: Make = (message, facts) => new RateLimitedError(message, facts);
/** The service's words: "try again in 1 minute". */
const limitedForAMinute: Make = (message, facts) => new RateLimitedError(message, { ...facts, retryAfterMs: 60_000 });
const limitedInZone: Make = (message, facts) => new RateLimitedError(message, { ...facts, scope: "zone" });
const rejected: Make = (message, facts) => new RejectedError(message, facts);
const transient: Make = (message, facts) => new TransientError(message, facts);
const noZone: Make = (message, facts) => new ZoneNotFoundError(message, [], facts);
/** 600 is the minimum of the free plan, and no plan has a higher one. */
const lowTtl: Make = (message, facts) => new RejectedError(message, { ...facts, minTtlSeconds: 600 });

/**
 * The codes of both APIs; numbers are of the legacy one. A name stands for itself and for everything below it
 * ("InternalError" for "InternalError.X" too); the first row that fits counts. The service's own words are not used:
 * they change with its language and have times, counters and request ids in them.
 * @see https://cloud.tencent.com/document/api/1427/56192
 */
const table: readonly (readonly [codes: string, make: Make, says: string, hint?: string])[] = [
  ["InvalidParameter.DomainRecordExist 104", conflict, "the record exists already"],
  // Gone, or made anew under another id: the list tells which.
  ["InvalidParameter.RecordIdInvalid ResourceNotFound.NoDataOfRecord 8 10", conflict, "there is no such record"],
  ["LimitExceeded.RecordTtlLimit 29 32", lowTtl, "the zone's plan does not allow this TTL"],
  ["RequestLimitExceeded FailedOperation.FrequencyLimit -2", limited, "too many requests"],
  ["InvalidParameter.OperationIsTooFrequent", limitedForAMinute, "too many changes within a minute"],
  ["InvalidParameter.DomainIsModifyingDns", limitedInZone, "the domain is being changed at the moment"],
  [
    "InternalError ServiceUnavailable FailedOperation.UnknowError FailedOperation.TemporaryError InvalidParameter.OperateFailed 3 -99",
    transient,
    "the service failed for the moment",
  ],
  [
    "AuthFailure.SignatureExpire",
    wrongKeys,
    "the signature's time is too far from the service's",
    "Set this machine's clock (NTP): five minutes of difference are allowed.",
  ],
  [
    "AuthFailure.SignatureFailure",
    wrongKeys,
    "the signature is wrong",
    "Check that TENCENTCLOUD_SECRET_KEY belongs to TENCENTCLOUD_SECRET_ID.",
  ],
  [
    "AuthFailure.SecretIdNotFound AuthFailure.InvalidSecretId",
    wrongKeys,
    "there is no such SecretId",
    "Check TENCENTCLOUD_SECRET_ID. A token made in the DNSPod console is no Tencent Cloud key: give it as loginToken (DNSPOD_API_KEY).",
  ],
  [
    "AuthFailure.TokenFailure",
    wrongKeys,
    "the session token is wrong or has expired",
    "Check TENCENTCLOUD_SESSION_TOKEN; leave it away for permanent keys.",
  ],
  [
    "AuthFailure.UnauthorizedOperation UnauthorizedOperation OperationDenied InvalidParameter.PermissionDenied FailedOperation.NotRealNamedUser InvalidParameter.UnrealNameUser -7 7 9",
    auth,
    "the key may not do this",
    "Allow dnspod:DescribeDomain, dnspod:DescribeRecordList, dnspod:CreateRecord and dnspod:DeleteRecord on the domain.",
  ],
  [
    "10002 10003 10004 -1 InvalidParameter.LoginTokenIdError InvalidParameter.LoginTokenNotExists InvalidParameter.LoginTokenValidateFailed FailedOperation.LoginFailed",
    wrongKeys,
    "the login token is not accepted",
    'Check loginToken (DNSPOD_API_KEY): "ID,Token" as the DNSPod console shows it. Keys of Tencent Cloud are secretId and secretKey.',
  ],
  [
    "AuthFailure IpInBlacklist IpNotInWhitelist InvalidParameter.AccountIsBanned InvalidParameter.RequestIpLimited FailedOperation.LoginAreaNotAllowed LimitExceeded.FailedLoginLimitExceeded -8 83 85 50 52",
    auth,
    "the account does not let this key in",
    "Look at the account in the console: blocked, limited to other addresses, or asking for a second factor.",
  ],
  [
    "InvalidParameterValue.DomainNotExists InvalidParameter.DomainInvalid InvalidParameter.DomainIdInvalid InvalidParameter.DomainTooLong FailedOperation.NotDomainOwner FailedOperation.NotResourceOwner ResourceNotFound 6 13",
    noZone,
    "the account has no such domain",
  ],
  [
    "FailedOperation.DomainIsLocked FailedOperation.DomainIsSpam InvalidParameter.DomainNotAllowedModifyRecords InvalidParameter.DomainInEffectOrInvalidated InvalidParameter.DomainIsAliaser 21 -15",
    rejected,
    "the domain cannot be changed now",
    "Look at it in the console: locked, blocked, an alias, or its plan is being changed.",
  ],
  [
    "LimitExceeded.SubdomainRollLimit 25 500025",
    rejected,
    "the name has as many values as the zone's plan allows",
    "Remove the TXT values that earlier challenges left there.",
  ],
  ["LimitExceeded.SubdomainLevelLimit 23", rejected, "the zone's plan does not allow a name of so many labels"],
  [
    "InvalidParameter.RecordLineInvalid 26",
    rejected,
    "there is no such record line",
    "Leave recordLine (DNSPOD_RECORD_LINE) empty for the default line, or give a name that the zone's plan has.",
  ],
];

const rows = table.map(([codes, ...row]) => [codes.split(" "), ...row] as const);

/** Handler for expected absence: `undefined` if the service answered one of these codes. */
export function absent(...codes: readonly string[]): (cause: unknown) => undefined {
  return (cause) => {
    if (!codes.includes(codeOf(cause) ?? "")) throw cause;
  };
}

export function classify(cause: unknown): Dns01Error | undefined {
  if (!(cause instanceof Error)) return undefined;
  const code = codeOf(cause);
  if (code !== undefined) return byCode(code, cause);
  if (cause instanceof HttpError && cause.status >= 400) return byStatus(cause.status, cause);
  const { httpCode } = cause as { readonly httpCode?: unknown };
  if (typeof httpCode === "number") return byStatus(httpCode, cause);
  // The SDK fails at an answer of 200 that is no JSON or not the API's, and at a connection that ends within an answer.
  if (cause.name === "FetchError" || (cause instanceof TypeError && /'(Error|Response)'/.test(cause.message))) {
    return new TransientError("the answer is not the API's", { cause });
  }
  if (!isSdkError(cause)) return undefined;
  // The SDK keeps the words of a proxy's failure, and nothing else of it.
  const [, ofProxy] = /reason: (.*\bthe proxy .*)$/s.exec(cause.message) ?? [];
  if (ofProxy !== undefined) {
    const hint = "Check HTTPS_PROXY and HTTP_PROXY; NO_PROXY lists hosts to reach without the proxy.";
    const isRefusal = /answered 4\d\d/.test(ofProxy);
    return isRefusal ? new RejectedError(ofProxy, { cause, hint }) : new TransientError(ofProxy, { cause, hint });
  }
  // Said without its words: they repeat the header.
  if (/legal HTTP header|invalid character in header/i.test(cause.message)) {
    const hint = "Check secretId and the tokens for blanks, line ends and characters that are no ASCII.";
    return new RejectedError("the credentials hold characters that cannot be sent", { hint });
  }
  const facts = {
    cause,
    hint: "Check the endpoint and the machine's clock; for a private CA set NODE_EXTRA_CA_CERTS.",
  };
  return /certificate|altnames/i.test(cause.message)
    ? new RejectedError(`the service's TLS certificate is not trusted: ${cause.message}`, facts)
    : new TransientError(steady(cause.message), { cause });
}

function byCode(code: string, cause: Error): Dns01Error {
  // A code for everything that has no other. Its words are asked for in English, and are Chinese all the same.
  if (code === "InvalidParameter.Common" && /too (frequent|often)|频繁/i.test(cause.message)) {
    return limitedForAMinute(`too many changes within a minute (${code})`, { cause, serviceCode: code });
  }
  const row = rows.find(([codes]) => codes.some((known) => code === known || code.startsWith(`${known}.`)));
  const [, make, says, hint] = row ?? [[], rejected, `the service says "${steady(cause.message)}"`];
  return make(`${says} (${code})`, { cause, hint, serviceCode: code });
}

/** An HTTP status other than 200 comes from a gateway in front of the API, never from the API. */
function byStatus(status: number, cause: Error): Dns01Error {
  const message = `a gateway answered with HTTP status ${status} instead of the API`;
  if (status === 429) return new RateLimitedError(message, { cause });
  if (status >= 500 || status === 408) return new TransientError(message, { cause });
  // The metadata service of the machine is the one other that is asked over HTTP.
  const ofMachine = cause.message.includes("/meta-data/");
  const hint = ofMachine
    ? "Check cvmRole: that role has to be bound to this machine."
    : endpointHint("endpoint (DNSPOD_ENDPOINT)");
  return new RejectedError(message, { cause, hint });
}

function codeOf(cause: unknown): string | undefined {
  if (!(cause instanceof LegacyStatus || isSdkError(cause))) return undefined;
  const { code } = cause as { readonly code?: unknown };
  return typeof code === "string" && code !== "" ? code : undefined;
}

/** Its class is not exported; every instance has a traceId. */
function isSdkError(cause: unknown): boolean {
  return cause instanceof Error && "traceId" in cause;
}
