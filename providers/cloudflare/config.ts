import { headerFault, httpUrl, secret, z } from "../../src/index.ts";

export const config = z
  .strictObject({
    apiToken: secret("API token with Zone → DNS → Edit and Zone → Zone → Read on the zones", { header: true })
      .optional()
      .meta({ env: ["CLOUDFLARE_API_TOKEN", "CF_DNS_API_TOKEN", "CLOUDFLARE_DNS_API_TOKEN", "CF_API_TOKEN"] }),
    email: z
      .string()
      .optional()
      .meta({
        description: "e-mail address of the account, for apiKey only",
        env: ["CLOUDFLARE_EMAIL", "CF_API_EMAIL"],
      }),
    apiKey: secret("Global API Key of the account, which can do everything: better take an API token", { header: true })
      .optional()
      .meta({ env: ["CLOUDFLARE_API_KEY", "CF_API_KEY"] }),
    zoneToken: secret("API token with Zone → Zone → Read to look up zones with, if apiToken has no right to", {
      header: true,
    })
      .optional()
      .meta({ env: ["CF_ZONE_API_TOKEN", "CLOUDFLARE_ZONE_API_TOKEN"] }),
    zoneID: z
      .string()
      .regex(/^[\w-]+$/, "is not the id of a zone, as the zone's overview shows it")
      .optional()
      .meta({ description: "id of the one zone that all names are in, for tokens that cannot look it up" }),
    endpoint: httpUrl()
      .default("https://api.cloudflare.com/client/v4")
      .meta({
        description: "address of the API; without a path, /client/v4 is added",
        endpoint: true,
        env: ["CLOUDFLARE_ENDPOINT", "CLOUDFLARE_BASE_URL", "CF_BASE_URL"],
      }),
    comment: z
      .string()
      .max(100, "is longer than 100 characters, the most that every plan takes")
      .optional()
      .describe("comment on the records that are made"),
  })
  .superRefine(({ apiToken, email, apiKey }, context) => {
    const fault = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
    // An e-mail address alone beside a token says nothing: many an Issuer has it from times when both were asked for.
    if (apiToken !== undefined && apiKey !== undefined) {
      fault("apiKey", "is given together with apiToken: give the token, or email and apiKey");
    }
    if (apiToken === undefined && apiKey === undefined) {
      if (email === undefined) fault("apiToken", "is missing (or email and apiKey)");
      else fault("apiKey", "is missing: an email is given, and it needs the Global API Key");
    }
    if (apiKey !== undefined && email === undefined && apiToken === undefined) {
      fault("email", "is missing: an apiKey is given, and it needs the account's e-mail address");
    }
    const unsendable = email === undefined ? undefined : headerFault(email);
    if (unsendable !== undefined) fault("email", unsendable);
  });
