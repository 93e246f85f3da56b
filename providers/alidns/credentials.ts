import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { AuthError, ConfigError, type ConnectDeps, HttpError, RejectedError, z } from "../../src/index.ts";
import type { config } from "./config.ts";

export interface Key {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly securityToken: string | undefined;
}

/** Asked before every request, so that temporary keys are renewed in time. */
export type Credentials = (signal: AbortSignal) => Promise<Key>;

const metadata = "http://100.100.100.200/latest";

/** An AccessKey first, then the OIDC token of a pod (RRSA), then the role of the ECS instance. */
export function credentialsOf(given: z.output<typeof config>, deps: ConnectDeps): Credentials {
  const { accessKey, secretKey, securityToken, oidcTokenFile, ramRole } = given;
  if (accessKey !== undefined && secretKey !== undefined) {
    const key = { accessKeyId: accessKey, accessKeySecret: secretKey, securityToken };
    return async () => key;
  }
  if (!deps.allowAmbientCredentials) {
    const path = oidcTokenFile === undefined ? "ramRole" : "oidcTokenFile";
    const message = "is of this machine, and its identity may not be used here";
    throw new ConfigError([{ path, message }], { provider: "alidns" });
  }
  const ask = oidcTokenFile === undefined ? instanceRole(ramRole ?? "", deps) : oidcRole(oidcTokenFile, given, deps);
  return renewed(ask, (secret) => deps.mask?.(secret));
}

type Ask = (signal: AbortSignal) => Promise<{ readonly key: Key; readonly expiresAtMs: number }>;

/** Temporary keys are renewed this long before they end. */
const reserveMs = 5 * 60_000;

/** A failure is not kept: the next request asks again. */
function renewed(ask: Ask, mask: (secret: string) => void): Credentials {
  let held: Awaited<ReturnType<Ask>> | undefined;
  return async (signal) => {
    if (held === undefined || held.expiresAtMs - reserveMs <= Date.now()) {
      held = await ask(signal);
      for (const secret of [held.key.accessKeySecret, held.key.securityToken]) if (secret !== undefined) mask(secret);
    }
    return held.key;
  };
}

const keys = z
  .object({
    AccessKeyId: z.string(),
    AccessKeySecret: z.string(),
    SecurityToken: z.string(),
    Expiration: z.iso.datetime(),
  })
  .transform(
    ({ AccessKeyId: accessKeyId, AccessKeySecret: accessKeySecret, SecurityToken: securityToken, Expiration }) => ({
      key: { accessKeyId, accessKeySecret, securityToken },
      expiresAtMs: Date.parse(Expiration),
    }),
  );

/**
 * Exchanges the OIDC token for keys. The token is what signs in, so the request has no signature.
 * @see https://www.alibabacloud.com/help/en/ram/developer-reference/api-sts-2015-04-01-assumerolewithoidc
 */
function oidcRole(tokenFile: string, given: z.output<typeof config>, { http, mask }: ConnectDeps): Ask {
  const { regionId, roleArn, oidcProviderArn, roleSessionName } = given;
  const { stsEndpoint = `https://sts.${regionId === undefined ? "" : `${regionId}.`}aliyuncs.com` } = given;
  const api = http(stsEndpoint);
  const answer = z.object({ Credentials: keys }).transform(({ Credentials }) => Credentials);
  return async (signal) => {
    // Read anew each time: the cluster replaces it before it ends.
    const OIDCToken = (await readFile(tokenFile, { encoding: "utf8", signal }).catch(unreadable)).trim();
    mask?.(OIDCToken);
    const query = {
      ...{ Action: "AssumeRoleWithOIDC", Version: "2015-04-01", Format: "JSON" },
      ...{ Timestamp: new Date().toISOString().replace(/\.\d+/, ""), SignatureNonce: randomUUID() },
    };
    // In the body, because addresses end up in logs.
    const body = new URLSearchParams({
      ...{ RoleArn: roleArn ?? "", OIDCProviderArn: oidcProviderArn ?? "" },
      ...{ OIDCToken, RoleSessionName: roleSessionName },
    });
    return answer.parse(await api("", { query, body, signal }));
  };
}

function unreadable(cause: NodeJS.ErrnoException): never {
  if (cause.name === "AbortError") throw cause;
  const hint = "Check oidcTokenFile (ALIBABA_CLOUD_OIDC_TOKEN_FILE).";
  throw new AuthError(`oidcTokenFile cannot be read (${cause.code})`, { hint, wrongKeys: true });
}

/**
 * Asks the metadata service of the ECS instance, with a token of the hardened mode where the instance gives one.
 * @see https://www.alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata
 */
function instanceRole(role: string, { http }: ConnectDeps): Ask {
  const api = http(metadata);
  const answer = z.intersection(z.object({ Code: z.literal("Success") }), keys);
  return async (signal) => {
    const headers = { "x-aliyun-ecs-metadata-token-ttl-seconds": "60" };
    const token = await api("api/token", { method: "PUT", headers, answer: "any", signal }).catch(withoutToken);
    const path = `meta-data/ram/security-credentials/${encodeURIComponent(role)}`;
    const sent = typeof token === "string" ? { "x-aliyun-ecs-metadata-token": token.trim() } : {};
    return answer.parse(await api(path, { headers: sent, signal }));
  };
}

/** Instances without the hardened mode know no tokens; what is wrong otherwise shows in the next request. */
function withoutToken(cause: unknown): undefined {
  const isRefusal = cause instanceof RejectedError || (cause instanceof HttpError && cause.status < 500);
  if (!isRefusal) throw cause;
}
