import { headerFault, httpUrl, secret, z } from "../../src/index.ts";

const text = (description: string, env: string) =>
  z
    .string()
    .trim()
    .min(1, "is empty")
    .meta({ description, env: [env] });

const fields = z.strictObject({
  accessKeyID: text(
    "id of an access key; without one, credentials come from where AWS's tools look",
    "AWS_ACCESS_KEY_ID",
  )
    .refine((id) => headerFault(id) === undefined, { error: ({ input }) => headerFault(String(input)) })
    .meta({ reference: true })
    .optional(),
  secretAccessKey: secret("secret of the access key")
    .meta({ env: ["AWS_SECRET_ACCESS_KEY"] })
    .optional(),
  sessionToken: secret("session token, for temporary credentials", { header: true })
    .meta({ env: ["AWS_SESSION_TOKEN"] })
    .optional(),
  profile: text("profile of the shared AWS files to take the credentials from", "AWS_PROFILE")
    .meta({ local: true })
    .optional(),
  region: z
    .string()
    .regex(/^[a-z]{2,5}(-[a-z]+)+(-\d+)?$/, "is no AWS region")
    .optional()
    .meta({
      description: "any AWS region of the partition (aws, aws-cn, aws-us-gov) that holds the zone",
      env: ["AWS_REGION", "AWS_DEFAULT_REGION"],
    }),
  role: z
    .string()
    .regex(/^arn:[a-z-]+:iam::\d*:role\/\S+$/, "is no ARN of a role, as arn:aws:iam::123456789012:role/dns01")
    .optional()
    .meta({ description: "ARN of a role to assume", env: ["AWS_ASSUME_ROLE_ARN"] }),
  externalID: text("external id that the role asks for", "AWS_EXTERNAL_ID")
    .meta({ aliases: ["externalId"] })
    .optional(),
  hostedZoneID: z
    .string()
    .regex(/^\s*(\/?hostedzone\/)?[A-Za-z0-9]{1,32}\s*$/, "is no id of a hosted zone, as Z0123456789ABCDEFGHIJ")
    .overwrite((id) => id.trim().replace(/^\/?hostedzone\//, ""))
    .optional()
    .meta({ description: "id of the hosted zone to write to; none is searched for then", env: ["AWS_HOSTED_ZONE_ID"] }),
  privateZone: z
    .boolean()
    .default(false)
    .meta({ description: "look for private hosted zones instead of public ones", env: ["AWS_PRIVATE_ZONE"] }),
  waitForInsync: z
    .boolean()
    .default(false)
    .meta({
      description: "after adding, wait a minute at most until Route 53 reports the change as INSYNC",
      env: ["AWS_WAIT_FOR_RECORD_SETS_CHANGED"],
    }),
  endpoint: httpUrl()
    .optional()
    .meta({
      description: "address of the API instead of the partition's own",
      env: ["ROUTE53_ENDPOINT", "AWS_ENDPOINT_URL_ROUTE_53"],
      endpoint: ["route53.amazonaws.com", "route53.amazonaws.com.cn", "route53.us-gov.amazonaws.com"],
    }),
});

export const config = fields.superRefine((given, context) => {
  const fault = (path: keyof typeof given, message: string) =>
    context.addIssue({ code: "custom", path: [path], message });
  const { accessKeyID, secretAccessKey, sessionToken, profile, role, externalID } = given;
  const keys = accessKeyID !== undefined || secretAccessKey !== undefined;
  if (keys && accessKeyID === undefined)
    fault("accessKeyID", "is missing: the secret of an access key is given without its id");
  if (keys && secretAccessKey === undefined)
    fault("secretAccessKey", "is missing: the id of an access key is given without its secret");
  if (keys && profile !== undefined) fault("profile", "is given together with an access key: give one of them");
  if (!keys && sessionToken !== undefined) fault("sessionToken", "is given without the access key that it belongs to");
  if (role === undefined && externalID !== undefined)
    fault("externalID", "is given without a role that could ask for it");
});

export type Given = z.output<typeof config>;
