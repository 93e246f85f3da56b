import { httpUrl, secret, z } from "../../src/index.ts";

export const config = z.strictObject({
  endpoint: httpUrl().meta({
    description: "address of the server's HTTP API, for example http://127.0.0.1:8081",
    env: ["PDNS_API_URL"],
    aliases: ["apiUrl", "host"],
    endpoint: true,
  }),
  apiKey: secret("api-key of the server's configuration", { header: true }).meta({ env: ["PDNS_API_KEY"] }),
  serverName: z
    .string()
    .min(1, "is empty")
    .default("localhost")
    .meta({
      description: "name of the server in the API",
      env: ["PDNS_SERVER_NAME"],
      aliases: ["serverID", "serverId"],
    }),
  apiKeyHeaderName: z
    .string()
    .regex(/^[A-Za-z0-9-]+$/, "is not the name of a header")
    .refine((name) => !/^(host|connection|content-.*|transfer-encoding)$/i.test(name), "is a header of HTTP itself")
    .default("X-API-Key")
    .describe("header that the API key is sent in, for a proxy that expects another one"),
  timeout: z
    .number()
    .positive("has to be more than 0")
    .optional()
    .describe("seconds that one request may take; dns01 waits 30 at most"),
});
