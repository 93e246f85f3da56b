/** The fields that decide how to sign in. */
export interface Given {
  readonly secretId?: string | undefined;
  readonly secretKey?: string | undefined;
  readonly sessionToken?: string | undefined;
  readonly loginToken?: string | undefined;
  readonly apiID?: number | undefined;
  readonly roleArn?: string | undefined;
  readonly webIdentityTokenFile?: string | undefined;
  readonly webIdentityRoleArn?: string | undefined;
  readonly webIdentityProviderId?: string | undefined;
  readonly cvmRole?: string | undefined;
  readonly endpoint?: string | undefined;
}

type Fault = readonly [field: keyof Given, message: string];

const permissions = "dnspod:DescribeDomain, DescribeRecordList, CreateRecord and DeleteRecord";

/** "ID,Token", whether it is given in one field or in two. */
export function loginTokenOf({ loginToken, apiID }: Pick<Given, "loginToken" | "apiID">): string | undefined {
  return loginToken === undefined || apiID === undefined || loginToken.includes(",")
    ? loginToken
    : `${apiID},${loginToken}`;
}

/**
 * What is missing, given twice, or of the wrong kind. DNSPod has two kinds of credentials that are often mixed up: keys
 * of Tencent Cloud, and tokens made in its own console for the legacy API.
 */
export function faultsOf(given: Given): readonly Fault[] {
  const loginToken = loginTokenOf(given);
  return [...(loginToken === undefined ? cloudFaults(given) : legacyFaults(given, loginToken))];
}

function* cloudFaults(given: Given): Generator<Fault> {
  const { secretId, secretKey, webIdentityTokenFile, cvmRole, endpoint } = given;
  if (given.apiID !== undefined) yield ["loginToken", "is missing: apiID is the ID of a token of the DNSPod console"];
  const ambient = webIdentityTokenFile !== undefined || cvmRole !== undefined;
  if (!ambient || secretId !== undefined || secretKey !== undefined) {
    if (secretId === undefined) {
      yield [
        "secretId",
        `is missing: SecretId of a Tencent Cloud key that may ${permissions} on the domain (or loginToken, DNSPOD_API_KEY, with a token of the DNSPod console)`,
      ];
    }
    if (secretKey === undefined) yield ["secretKey", "is missing: the SecretKey that belongs to the SecretId"];
  }
  const keys = secretId !== undefined || secretKey !== undefined;
  if (given.sessionToken !== undefined && !keys) {
    yield ["sessionToken", "is given without the temporary keys (secretId and secretKey) that it belongs to"];
  }
  if (webIdentityTokenFile !== undefined && cvmRole !== undefined) {
    yield ["cvmRole", "is given together with webIdentityTokenFile: give one of the two ways to sign in"];
  }
  if (secretId !== undefined && /^\d+$|,/.test(secretId.trim())) {
    yield ["secretId", `is ${ofConsole}, no SecretId of Tencent Cloud: give "ID,Token" as loginToken (DNSPOD_API_KEY)`];
  }
  if (secretKey?.includes(",")) {
    yield [
      "secretKey",
      `is ${ofConsole}, no SecretKey of Tencent Cloud: give "ID,Token" as loginToken (DNSPOD_API_KEY)`,
    ];
  }
  if (webIdentityTokenFile !== undefined && secretId === undefined) {
    if (given.webIdentityRoleArn === undefined) {
      yield ["webIdentityRoleArn", "is missing: the OIDC token needs the role to take"];
    }
    if (given.webIdentityProviderId === undefined) {
      yield ["webIdentityProviderId", "is missing: the OIDC token needs its identity provider"];
    }
  }
  if (hostOf(endpoint)?.match(/(^|\.)(dnsapi\.cn|api\.dnspod\.com)$/)) {
    yield ["endpoint", "is of the legacy API, which takes loginToken and no key of Tencent Cloud"];
  }
}

const ofConsole = 'of the DNSPod console ("ID,Token")';

function* legacyFaults(given: Given, loginToken: string): Generator<Fault> {
  const twice = "is given together with loginToken: give one of the two ways to sign in";
  for (const field of ["secretId", "secretKey", "sessionToken", "cvmRole"] as const) {
    if (given[field] !== undefined) yield [field, twice];
  }
  if (given.roleArn !== undefined) yield ["roleArn", "needs a key of Tencent Cloud, not loginToken"];
  if (given.apiID !== undefined && loginToken.split(",")[0]?.trim() !== String(given.apiID)) {
    yield ["apiID", "is not the ID in loginToken: give the ID in one of the two"];
  }
  if (/^AKID/.test(loginToken)) {
    yield ["loginToken", "is a SecretId of Tencent Cloud: give secretId and secretKey instead"];
  } else if (!/^\d+,\S+$/.test(loginToken.trim())) {
    yield [
      "loginToken",
      'has to be "ID,Token" as the DNSPod console shows them; keys of Tencent Cloud are secretId and secretKey',
    ];
  }
  if (hostOf(given.endpoint)?.endsWith(".tencentcloudapi.com")) {
    yield ["endpoint", "is of Tencent Cloud's API, which takes secretId and secretKey and no loginToken"];
  }
}

function hostOf(endpoint: string | undefined): string | undefined {
  return endpoint !== undefined && URL.canParse(endpoint) ? new URL(endpoint).hostname : undefined;
}
