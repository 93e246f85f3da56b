import { httpUrl, secret, z } from "../../src/index.ts";

const text = (description: string, ...env: readonly string[]) =>
  z.string().trim().min(1, "is empty").meta({ description, env });
const arn = (kind: string, description: string, ...env: readonly string[]) =>
  z
    .string()
    .regex(new RegExp(`^acs:ram::\\d+:${kind}/\\S+$`), `is not an ARN, as acs:ram::1234567890123456:${kind}/NAME`)
    .meta({ description, env });

export const config = z
  .strictObject({
    accessKey: secret("id of an AccessKey of a RAM user", { header: true })
      .optional()
      .meta({
        env: ["ALICLOUD_ACCESS_KEY", "ALIBABA_CLOUD_ACCESS_KEY_ID"],
        aliases: ["accessKeyId", "accessToken"],
      }),
    secretKey: secret("secret of the AccessKey")
      .optional()
      .meta({ env: ["ALICLOUD_SECRET_KEY", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"] }),
    securityToken: secret("token of temporary keys (STS)", { header: true })
      .optional()
      .meta({ env: ["ALICLOUD_SECURITY_TOKEN", "ALIBABA_CLOUD_SECURITY_TOKEN"] }),
    line: z
      .string()
      .min(1, "is empty")
      .default("default")
      .meta({ description: "line of the records, by its code in the API", env: ["ALICLOUD_LINE"] }),
    ramRole: z
      .string()
      .regex(/^[\w.-]{1,64}$/, "is not the name of a RAM role")
      .optional()
      .meta({
        description: "RAM role that is bound to this ECS instance",
        env: ["ALICLOUD_RAM_ROLE", "ALIBABA_CLOUD_ECS_METADATA"],
      }),
    oidcTokenFile: text("file with an OIDC token, as ACK mounts it (RRSA)", "ALIBABA_CLOUD_OIDC_TOKEN_FILE")
      .meta({ local: true })
      .optional(),
    oidcProviderArn: arn(
      "oidc-provider",
      "identity provider of the OIDC token",
      "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
    ).optional(),
    roleArn: arn("role", "role to take with the OIDC token", "ALIBABA_CLOUD_ROLE_ARN").optional(),
    roleSessionName: z
      .string()
      .regex(/^[\w.@-]{2,64}$/, "is not a session's name: 2 to 64 letters, digits, and . @ - _")
      .default("dns01")
      .meta({ description: "name of the session under a role", env: ["ALIBABA_CLOUD_ROLE_SESSION_NAME"] }),
    regionId: z
      .string()
      .regex(/^[a-z]{2}(-[a-z0-9]+)+$/, "is not a region of Alibaba Cloud")
      .optional()
      .meta({
        description: "region whose token service is asked; zones and records are the same in all regions",
        env: ["ALICLOUD_REGION_ID", "ALIBABA_CLOUD_REGION_ID"],
        aliases: ["region", "regionID"],
      }),
    endpoint: httpUrl()
      .default("https://alidns.aliyuncs.com")
      .meta({ description: "address of the API", endpoint: true }),
    stsEndpoint: httpUrl()
      .optional()
      .meta({
        description: "address of the token service, instead of https://sts.aliyuncs.com or the region's",
        endpoint: ["sts.aliyuncs.com"],
      }),
  })
  .superRefine((given, context) => {
    const { accessKey, secretKey, securityToken, ramRole, oidcTokenFile } = given;
    const fault = (path: keyof typeof given, message: string) =>
      context.addIssue({ code: "custom", path: [path], message });
    const keys = accessKey !== undefined || secretKey !== undefined;
    const ambient = ramRole !== undefined || oidcTokenFile !== undefined;
    if (!ambient || keys) {
      if (accessKey === undefined) fault("accessKey", "is missing: the id of an AccessKey");
      if (secretKey === undefined) fault("secretKey", "is missing: the secret that belongs to accessKey");
    }
    if (securityToken !== undefined && !keys) {
      fault("securityToken", "is given without the temporary keys (accessKey and secretKey) that it belongs to");
    }
    if (keys) return;
    if (ramRole !== undefined && oidcTokenFile !== undefined) {
      fault("ramRole", "is given together with oidcTokenFile: give one of the two ways to sign in");
    }
    if (oidcTokenFile === undefined) return;
    if (given.roleArn === undefined) fault("roleArn", "is missing: the OIDC token needs the role to take");
    if (given.oidcProviderArn === undefined) {
      fault("oidcProviderArn", "is missing: the OIDC token needs its identity provider");
    }
  });
