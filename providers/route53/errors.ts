import {
  AuthError,
  ConflictError,
  type Dns01Error,
  endpointHint,
  parseRetryAfter,
  RateLimitedError,
  RejectedError,
  steady,
  TransientError,
  ZoneNotFoundError,
} from "../../src/index.ts";

/** What the SDK throws. An error of the network has `$metadata` too, but no status. */
interface AwsError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number; readonly clockSkewCorrected?: boolean };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
  /** Of InvalidChangeBatch in its own document; the SDK's `messages` stays empty. */
  readonly Messages?: { readonly Message?: string | readonly string[] };
}

/** The answer had status 200 and not the contents it has to have: some proxy spoke. What became of a write is unknown. */
export function noAnswer(operation: string): TransientError {
  return new TransientError(`the answer to ${operation} is not one of Route 53`);
}

export function twins(apex: string, zones: readonly { readonly id: string }[]): RejectedError {
  const ids = zones.map(({ id }) => id).sort();
  return new RejectedError(`the account holds ${ids.length} hosted zones named ${apex}: ${ids.join(", ")}`, {
    hint: "Say which one the domain is delegated to: hostedZoneID (AWS_HOSTED_ZONE_ID).",
  });
}

export function classify(cause: unknown): Dns01Error | undefined {
  if (!(cause instanceof Error)) return undefined;
  const { $metadata: { httpStatusCode: status, clockSkewCorrected = false } = {}, $response } = cause as AwsError;
  if (/^(Credentials|Token)ProviderError$/.test(cause.name))
    return new AuthError(cause.message, { cause, hint: signIn, wrongKeys: true });
  if (status === undefined) return undefined;
  const code = codeOf(cause);
  const said = wordsOf(cause, status, code);
  const retryAfterMs = parseRetryAfter($response?.headers?.["retry-after"], $response?.headers?.["date"]);
  const facts = {
    cause,
    retryAfterMs,
    serviceCode: code,
    hint: code === "" ? endpointHint("endpoint (ROUTE53_ENDPOINT)") : hintOf(code, said),
  };

  // The SDK has taken over the service's time; only a signature that was too old or too new is worth another one.
  if (clockSkewCorrected && clockCodes.test(`${code} ${cause.message}`)) return new TransientError(said, facts);
  if (code === "InvalidChangeBatch" && othersWereFaster.test(said)) return new ConflictError(said, facts);
  if (code === "NoSuchHostedZone") return new ZoneNotFoundError(said, [], facts);
  if (busyCodes.test(code) || status === 429) return new RateLimitedError(said, facts);
  if (authCodes.test(code) || status === 401 || status === 403)
    return new AuthError(said, { ...facts, wrongKeys: authCodes.test(code) && !rightCodes.test(code) });
  if (status >= 500 || status < 400 || transientCodes.test(code)) return new TransientError(said, facts);
  return new RejectedError(said, facts);
}

const busyCodes =
  /^(Throttl(ing|ed)(Exception)?|RequestThrottled(Exception)?|RequestLimitExceeded|TooManyRequestsException|SlowDown|PriorRequestNotComplete)$/;
const authCodes =
  /^(AccessDenied(Exception)?|NotAuthorized(Exception)?|UnauthorizedOperation|InvalidClientTokenId|InvalidAccessKeyId|UnrecognizedClientException|SignatureDoesNotMatch|InvalidSignature(Exception)?|IncompleteSignature|MissingAuthenticationToken|Expired(Token|TokenException)|(InvalidIdentityToken|IDPRejectedClaim|RegionDisabled)(Exception)?|RequestExpired|OptInRequired)$/;
/** A right is missing, for this or for all. */
const rightCodes = /^(AccessDenied|NotAuthorized|UnauthorizedOperation|OptInRequired|RegionDisabled)/;
const transientCodes =
  /^(ServiceUnavailable|Internal(Failure|Error|ServerError|ServiceError)|RequestTimeout(Exception)?|IDPCommunicationError(Exception)?|ConcurrentModification)$/;
const clockCodes = /Signature (expired|not yet current)|RequestExpired|RequestTimeTooSkewed/i;

/** What was deleted or left out does not stand there as it was read, or a set of the other kind has come. */
const othersWereFaster =
  /Tried to (create|delete) resource record set|cannot be created (as|because) .* with the same name and type/;

/** A document without the code that every one of AWS has comes from somebody in between. */
function codeOf(error: AwsError): string {
  if (error.Messages !== undefined) return "InvalidChangeBatch";
  return /^(Error|Unknown|NotFound|Route53ServiceException)$/.test(error.name) ? "" : error.name;
}

function wordsOf({ message, Messages }: AwsError, status: number, code: string): string {
  if (code === "") return `the answer is not one of Route 53 (status ${status})`;
  const own = ownWords.find(([codes, of = /./]) => codes.test(code) && of.test(message))?.[2];
  if (own !== undefined) return `${own} (${code})`;
  const listed = [Messages?.Message ?? []].flat().join("; ");
  // The name of a session may be made of the time; the token of a web identity is secret.
  const plain = (listed || message)
    .replace(/(:assumed-role\/[^/\s]+)\/\S+/g, "$1")
    .replace(/\beyJ[\w-]+(\.[\w-]+)+/g, "…")
    .trim();
  return `${steady(plain)} (${code})`;
}

/** Where AWS quotes times, or what was signed with them. */
const ownWords: readonly (readonly [codes: RegExp, of: RegExp | undefined, says: string])[] = [
  [
    /^SignatureDoesNotMatch$|^InvalidSignature/,
    /Signature (expired|not yet current)/i,
    "the signature's time is too far from the service's",
  ],
  [/^SignatureDoesNotMatch$|^InvalidSignature/, undefined, "the signature was not accepted"],
  [/^RequestExpired$|^RequestTimeTooSkewed$/, undefined, "the signature's time is too far from the service's"],
  [/^ExpiredToken(Exception)?$/, undefined, "the temporary credentials have expired"],
  [/^InvalidIdentityToken(Exception)?$/, /expired/i, "the web identity's token has expired"],
];

const signIn =
  "Give accessKeyID and secretAccessKey (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) or a profile, or run where AWS provides a role.";

function hintOf(code: string, said: string): string | undefined {
  if (/^InvalidClientTokenId|^InvalidAccessKeyId|^Unrecognized/.test(code)) {
    return "Check accessKeyID (AWS_ACCESS_KEY_ID), and that region is one of the account's partition.";
  }
  if (/Signature/.test(code)) {
    return "Check that secretAccessKey (AWS_SECRET_ACCESS_KEY) belongs to accessKeyID, and the machine's clock.";
  }
  if (/^Request(Expired|TimeTooSkewed)$/.test(code)) return "Set this machine's clock (NTP).";
  if (/^Expired/.test(code)) return "Give fresh temporary credentials with their sessionToken (AWS_SESSION_TOKEN).";
  if (authCodes.test(code)) return "The provider's page in the documents shows the rights that are needed.";
  if (code === "NoSuchHostedZone") return "Check hostedZoneID (AWS_HOSTED_ZONE_ID) and the account of the credentials.";
  if (code !== "InvalidChangeBatch") return undefined;
  if (/CNAME/.test(said))
    return "A CNAME leaves no room for other records: take it away, or delegate the challenge by it.";
  return /not permitted in zone/.test(said)
    ? "The hosted zone is not the one of this name: check hostedZoneID."
    : undefined;
}
