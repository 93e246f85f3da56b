import { readFile } from "node:fs/promises";
import type { dnspod } from "tencentcloud-sdk-nodejs-dnspod";
import { ConfigError, type ConnectDeps, z } from "../../src/index.ts";

export interface Credential {
  readonly secretId: string;
  readonly secretKey: string;
  readonly token?: string;
}

/** Asked before every request, so that temporary keys are renewed in time. */
export type Credentials = (signal: AbortSignal) => Promise<Credential>;

/** The fields that say how to sign in with Tencent Cloud's keys. */
export interface SignIn {
  readonly secretId?: string | undefined;
  readonly secretKey?: string | undefined;
  readonly sessionToken?: string | undefined;
  readonly roleArn?: string | undefined;
  readonly roleSessionName: string;
  readonly webIdentityTokenFile?: string | undefined;
  readonly webIdentityRoleArn?: string | undefined;
  readonly webIdentityProviderId?: string | undefined;
  readonly cvmRole?: string | undefined;
  readonly region: string;
}

export type Client = InstanceType<typeof dnspod.v20210323.Client>;

/** Opens a client of the security token service; without a credential it does not sign. */
export type OpenSts = (credential: Credential | undefined) => Client;

const metadata = "http://metadata.tencentyun.com/latest/meta-data/cam/security-credentials";

/** Temporary keys are renewed this long before they end. */
const reserveMs = 5 * 60_000;

/**
 * Static keys first, then web identity (the workload identity of TKE), then the role of the machine; `roleArn` is then
 * assumed with what was found. The SDK has providers for these too, but they keep a failure for ever, drop its code,
 * and cannot be aborted.
 */
export function credentialsOf(given: SignIn, deps: ConnectDeps, openSts: OpenSts): Credentials {
  const base = baseOf(given, deps, openSts);
  const { roleArn, roleSessionName } = given;
  if (roleArn === undefined) return base;
  return kept(
    deps,
    async (signal) => {
      const role = { RoleArn: roleArn, RoleSessionName: roleSessionName };
      return openSts(await base(signal)).request("AssumeRole", role, { signal });
    },
    stsAnswer,
  );
}

function baseOf(given: SignIn, deps: ConnectDeps, openSts: OpenSts): Credentials {
  const { secretId, secretKey, sessionToken, webIdentityTokenFile, cvmRole } = given;
  if (secretId !== undefined && secretKey !== undefined) {
    const credential = { secretId, secretKey, ...(sessionToken === undefined ? {} : { token: sessionToken }) };
    return async () => credential;
  }
  if (!deps.allowAmbientCredentials) {
    const path = webIdentityTokenFile === undefined ? "cvmRole" : "webIdentityTokenFile";
    const message = "is of this machine, and its identity may not be used here";
    throw new ConfigError([{ path, message }], { provider: "dnspod" });
  }
  if (webIdentityTokenFile !== undefined) {
    return kept(
      deps,
      async (signal) => {
        const WebIdentityToken = (await readFile(webIdentityTokenFile, { encoding: "utf8", signal })).trim();
        deps.mask?.(WebIdentityToken);
        const identity = {
          ProviderId: given.webIdentityProviderId,
          WebIdentityToken,
          RoleArn: given.webIdentityRoleArn,
          RoleSessionName: given.roleSessionName,
        };
        return openSts(undefined).request("AssumeRoleWithWebIdentity", identity, { signal, skipSign: true });
      },
      stsAnswer,
    );
  }
  const ask = deps.http(metadata);
  return kept(deps, (signal) => ask(encodeURIComponent(cvmRole ?? ""), { signal }), metadataAnswer);
}

const keys = z.object({ TmpSecretId: z.string(), TmpSecretKey: z.string(), Token: z.string() });
const stsAnswer = z
  .object({ Credentials: keys, ExpiredTime: z.number() })
  .transform(({ Credentials, ExpiredTime }) => ({ ...Credentials, ExpiredTime }));
const metadataAnswer = keys.extend({ Code: z.literal("Success"), ExpiredTime: z.number() });

/** ExpiredTime in seconds since 1970. */
type Temporary = z.output<typeof keys> & { readonly ExpiredTime: number };

function kept(
  { mask = () => {} }: ConnectDeps,
  ask: (signal: AbortSignal) => Promise<unknown>,
  answer: z.ZodType<Temporary>,
): Credentials {
  let held: Temporary | undefined;
  return async (signal) => {
    if (held === undefined || held.ExpiredTime * 1000 - reserveMs <= Date.now()) {
      held = answer.parse(await ask(signal));
      for (const secret of [held.TmpSecretKey, held.Token]) mask(secret);
    }
    return { secretId: held.TmpSecretId, secretKey: held.TmpSecretKey, token: held.Token };
  };
}
