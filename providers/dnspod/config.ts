import { httpUrl, secret, z } from "../../src/index.ts";
import { faultsOf } from "./faults.ts";

const text = (description: string, ...env: readonly string[]) =>
  z.string().min(1, "is empty").meta({ description, env });
const address = (description: string, ...endpoint: readonly string[]) => httpUrl().meta({ description, endpoint });

/** By its id where it has one: its name differs between the sites. */
export function isDefaultLine(name: string, id: string | undefined): boolean {
  return id === undefined ? /^(default|默认)$/i.test(name.trim()) : id === "0";
}

export const config = z
  .strictObject({
    secretId: secret("SecretId of a Tencent Cloud API key", { header: true })
      .meta({ env: ["TENCENTCLOUD_SECRET_ID"] })
      .optional(),
    secretKey: secret("SecretKey of a Tencent Cloud API key")
      .meta({ env: ["TENCENTCLOUD_SECRET_KEY"] })
      .optional(),
    sessionToken: secret("token of temporary keys (STS)", { header: true })
      .meta({
        env: ["TENCENTCLOUD_SESSION_TOKEN", "TENCENTCLOUD_TOKEN", "TENCENTCLOUD_SECURITY_TOKEN"],
        aliases: ["token"],
      })
      .optional(),
    loginToken: secret('"ID,Token" of the DNSPod console, instead of an API key')
      .meta({ env: ["DNSPOD_API_KEY"], aliases: ["apiToken"] })
      .optional(),
    apiID: z
      .number("is not the ID of a token of the DNSPod console")
      .int()
      .positive()
      .optional()
      .describe("ID of the token, if loginToken is the token alone"),
    recordLine: z
      .string()
      .overwrite((line) => (isDefaultLine(line, undefined) ? "" : line.trim()))
      .default("")
      .describe("line of the records, as the console names it; empty: the default line"),
    roleArn: text("role to assume", "TENCENTCLOUD_ROLE_ARN", "TENCENTCLOUD_ASSUME_ROLE_ARN").optional(),
    roleSessionName: text("name of the session under a role", "TENCENTCLOUD_ROLE_SESSION_NAME").default("dns01"),
    webIdentityTokenFile: text("file with an OIDC token, as TKE mounts it", "TKE_WEB_IDENTITY_TOKEN_FILE")
      .meta({ local: true })
      .optional(),
    webIdentityRoleArn: text("role for the OIDC token", "TKE_ROLE_ARN").optional(),
    webIdentityProviderId: text("identity provider for the OIDC token", "TKE_PROVIDER_ID").optional(),
    cvmRole: text("role that is bound to this CVM instance", "TENCENTCLOUD_CAM_ROLE_NAME").optional(),
    region: text("region of the token service", "TENCENTCLOUD_REGION", "TKE_REGION").default("ap-guangzhou"),
    endpoint: address(
      "address of the API; https://dnspod.intl.tencentcloudapi.com on the international site",
      "dnspod.tencentcloudapi.com",
      "dnspod.intl.tencentcloudapi.com",
      "dnsapi.cn",
      "api.dnspod.com",
    ).optional(),
    stsEndpoint: address(
      "address of the token service, for roles",
      "sts.tencentcloudapi.com",
      "sts.intl.tencentcloudapi.com",
    ).optional(),
  })
  .superRefine((given, context) => {
    for (const [path, message] of faultsOf(given)) context.addIssue({ code: "custom", path: [path], message });
  });
