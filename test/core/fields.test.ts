import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/core/errors.ts";
import { type ConfigSources, fieldsOf, resolveConfig } from "../../src/core/fields.ts";
import { nearest } from "../../src/core/nearest.ts";
import { createRedactor } from "../../src/core/redact.ts";
import { defineProvider, type Provider, secret, z } from "../../src/index.ts";

const provider = defineProvider({
  id: "acme-host",
  title: "Acme Host",
  config: z.strictObject({
    secretId: secret("id of the key").meta({ env: ["CLOUD_SECRET_ID"] }),
    secretKey: secret("the key").meta({ env: ["CLOUD_SECRET_KEY"], aliases: ["key"] }),
    sessionToken: secret("token of a temporary key").optional(),
    endpoint: z.url().default("https://api.acme.host").describe("API address"),
    hostedZoneID: z.string().optional().describe("zone to use"),
    retries: z.int().min(0).max(9).default(3).describe("tries"),
    strict: z.boolean().default(false).describe("be strict"),
    transport: z
      .enum(["tcp", "udp"])
      .default("tcp")
      .describe("protocol")
      .meta({ aliases: ["protocol"] }),
  }),
  traits: { ttlSeconds: { min: 60, default: 120 } },
  connect: () => {
    throw new Error("not connected here");
  },
});

const good = { CLOUD_SECRET_ID: "the-id", CLOUD_SECRET_KEY: "the-key" };

async function issuesOf(sources: ConfigSources): Promise<readonly string[]> {
  const error: unknown = await resolveConfig(provider, sources).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(ConfigError);
  return (error as ConfigError).issues.map(({ path, message }) => `${path}: ${message}`);
}

describe("fieldsOf", () => {
  const fields = fieldsOf(provider);
  const field = (name: string) => fields.find((f) => f.name === name);

  test("derives names of environment, flag and references from the schema", () => {
    expect(field("secretKey")).toEqual({
      name: "secretKey",
      description: "the key",
      type: "string",
      secret: true,
      required: true,
      env: ["CLOUD_SECRET_KEY", "ACME_HOST_SECRET_KEY"],
      aliases: ["key"],
      references: ["secretKeySecretRef", "secretKeyRef", "keySecretRef", "keyRef"],
    });
    expect(field("hostedZoneID")).toMatchObject({
      env: ["ACME_HOST_HOSTED_ZONE_ID"],
      flag: "--acme-host-hosted-zone-id",
      required: false,
      references: [],
    });
    expect(field("retries")).toMatchObject({ type: "integer", default: 3, required: false });
    expect(field("transport")).toMatchObject({ choices: ["tcp", "udp"], default: "tcp", aliases: ["protocol"] });
  });

  test("lets what is no secret be referred to where the schema says so", () => {
    const config = z.strictObject({ keyID: z.string().meta({ description: "id", reference: true }).optional() });
    expect(fieldsOf({ ...provider, config })[0]).toMatchObject({
      secret: false,
      flag: "--acme-host-key-id",
      references: ["keyIDSecretRef", "keyIDRef"],
    });
  });

  test("keeps secret and description through optional", () => {
    expect(field("sessionToken")).toMatchObject({
      secret: true,
      required: false,
      description: "token of a temporary key",
    });
    expect(field("sessionToken")).not.toHaveProperty("flag");
  });

  test("adds the TTL", () => {
    expect(field("ttl")).toMatchObject({
      type: "integer",
      default: 120,
      env: ["ACME_HOST_TTL"],
      flag: "--acme-host-ttl",
    });
  });
});

describe("resolveConfig", () => {
  test("takes a flag before the configuration before the environment", async () => {
    const sources = {
      env: { ...good, ACME_HOST_ENDPOINT: "https://env.example", ACME_HOST_HOSTED_ZONE_ID: "Z-env" },
      flags: { endpoint: "https://flag.example" },
      config: { endpoint: "https://config.example", hostedZoneID: "Z-config", transport: "udp" },
    };
    const { config, origins } = await resolveConfig(provider, sources);
    expect(config).toMatchObject({
      endpoint: "https://flag.example",
      hostedZoneID: "Z-config",
      transport: "udp",
      retries: 3,
    });
    expect(origins).toMatchObject({
      endpoint: "--acme-host-endpoint",
      hostedZoneID: "hostedZoneID",
      transport: "transport",
      secretId: "CLOUD_SECRET_ID",
    });
    expect(origins).not.toHaveProperty("retries");
  });

  test("takes every accepted name, the documented one first, and aliases as keys", async () => {
    const env = { ACME_HOST_SECRET_ID: "by-rule", CLOUD_SECRET_ID: "documented", ACME_HOST_SECRET_KEY: "k-by-rule" };
    const { config } = await resolveConfig(provider, { env, config: { protocol: "udp" } });
    expect(config).toMatchObject({ secretId: "documented", secretKey: "k-by-rule", transport: "udp" });
  });

  test("parses numbers and booleans as the schema says, and leaves digits in text alone", async () => {
    const env = {
      ...good,
      CLOUD_SECRET_ID: "0123",
      ACME_HOST_RETRIES: "5",
      ACME_HOST_STRICT: "yes",
      ACME_HOST_TTL: "90",
    };
    const { config, ttlSeconds } = await resolveConfig(provider, { env });
    expect(config).toMatchObject({ secretId: "0123", retries: 5, strict: true });
    expect(ttlSeconds).toBe(90);
  });

  test("reads files, drops line ends, and tells every secret to the redactor", async () => {
    const redactor = createRedactor();
    const files: Record<string, string> = { "/run/id": "file-id\n", "/run/key": "file-key\r\n\n" };
    const { config } = await resolveConfig(provider, {
      env: { CLOUD_SECRET_ID_FILE: "/run/id", TOKEN: "env-token\n" },
      config: { secretKey: { file: "/run/key" }, sessionToken: { env: "TOKEN" } },
      readFile: async (path) => files[path] ?? "",
      redactor,
    });
    expect(config).toMatchObject({ secretId: "file-id", secretKey: "file-key", sessionToken: "env-token" });
    expect(redactor.redact("file-id file-key env-token")).toBe("*** *** ***");
  });

  test("names every fault at once, each at its place", async () => {
    const issues = await issuesOf({
      env: {
        CLOUD_SECRET_ID: "a-secret",
        CLOUD_SECRET_ID_FILE: "/run/id",
        ACME_HOST_RETRIES: "many",
        ACME_HOST_TTL: "5m",
        ACME_HOST_SESSION_TOKEN: "",
      },
      flags: { endpoint: "nowhere", transport: "smoke" },
      config: { endpint: "x", strict: "perhaps" },
      configPath: "solvers[0].config",
    });
    expect(issues).toEqual([
      "solvers[0].config.endpint: is not a field of this provider; did you mean endpoint?",
      "CLOUD_SECRET_ID: is set together with CLOUD_SECRET_ID_FILE: give one of them",
      "ACME_HOST_TTL: has to be a whole number of seconds, at least 1 (without a unit)",
      "CLOUD_SECRET_KEY: is missing (the key); give it as CLOUD_SECRET_KEY, CLOUD_SECRET_KEY_FILE, ACME_HOST_SECRET_KEY, ACME_HOST_SECRET_KEY_FILE, secretKey in the configuration",
      "ACME_HOST_SESSION_TOKEN: is empty",
      "--acme-host-endpoint: invalid URL",
      "ACME_HOST_RETRIES: invalid input: expected number, received string",
      "solvers[0].config.strict: invalid input: expected boolean, received string",
      '--acme-host-transport: invalid option: expected one of "tcp"|"udp"',
    ]);
  });

  test("an empty file is an empty secret", async () => {
    const issues = await issuesOf({
      env: { ...good, CLOUD_SECRET_ID: undefined, CLOUD_SECRET_ID_FILE: "/x" },
      readFile: async () => "\n",
    });
    expect(issues).toEqual(["CLOUD_SECRET_ID_FILE: is empty"]);
  });

  test("an empty variable that is no secret counts as not set", async () => {
    const { config } = await resolveConfig(provider, {
      env: { ...good, ACME_HOST_ENDPOINT: "", ACME_HOST_RETRIES: "" },
    });
    expect(config).toMatchObject({ endpoint: "https://api.acme.host", retries: 3 });
  });

  test("a file or variable that is not there is told once", async () => {
    const issues = await issuesOf({
      env: { CLOUD_SECRET_ID_FILE: "/gone" },
      config: { secretKey: { env: "NOT_SET" } },
      readFile: () => Promise.reject(new Error("ENOENT: no such file")),
    });
    expect(issues).toEqual([
      "CLOUD_SECRET_ID_FILE: cannot read /gone: ENOENT: no such file",
      "secretKey: the environment variable NOT_SET is not set",
    ]);
  });

  test("a field given twice under two names, and odd values, are faults", async () => {
    const issues = await issuesOf({ env: good, config: { transport: "tcp", protocol: "udp", endpoint: { url: "x" } } });
    expect(issues).toEqual([
      "endpoint: has to be a plain value, { env: NAME } or { file: PATH }",
      "protocol: means the same as transport: give one of them",
    ]);
  });

  test("a literal secret is refused where that is asked for", async () => {
    const issues = await issuesOf({
      config: { secretId: "inline", secretKey: { env: "K" } },
      env: { K: "v" },
      inlineSecrets: "refuse",
    });
    expect(issues).toEqual(["secretId: is a secret and has to be { env: NAME } or { file: PATH }"]);
  });

  test("a flag never sets a secret", async () => {
    const issues = await issuesOf({ flags: { secretKey: "on-the-command-line" }, env: { CLOUD_SECRET_ID: "i" } });
    expect(issues).toHaveLength(1);
  });

  test("a rule over several fields is told at the field it points to", async () => {
    const { config } = provider;
    const path = ["retries"];
    const strict = config.refine((c) => !c.strict || c.retries === 0, { message: "Strict has no retries", path });
    const paired = config.refine((c) => c.hostedZoneID !== undefined, {
      message: "is missing",
      path: ["hostedZoneID"],
    });
    const env = { ...good, ACME_HOST_STRICT: "true" };
    await expect(resolveConfig(defineProvider({ ...provider, config: strict }), { env })).rejects.toMatchObject({
      issues: [{ path: "ACME_HOST_RETRIES", message: "strict has no retries" }],
    });
    await expect(resolveConfig(defineProvider({ ...provider, config: paired }), { env })).rejects.toMatchObject({
      issues: [
        {
          path: "ACME_HOST_HOSTED_ZONE_ID",
          message:
            "is missing; give it as --acme-host-hosted-zone-id, ACME_HOST_HOSTED_ZONE_ID, ACME_HOST_HOSTED_ZONE_ID_FILE, hostedZoneID in the configuration",
        },
      ],
    });
  });
});

test.each([
  ["dnspdo", "dnspod"],
  ["DNSPOD", "dnspod"],
  ["cloudflar", "cloudflare"],
  ["rfc2163", "rfc2136"],
  ["endpint", undefined],
  ["x", undefined],
  ["", undefined],
])("nearest to %j is %s", (word, candidate) => {
  expect(nearest(word, ["cloudflare", "dnspod", "memory", "rfc2136"])).toBe(candidate);
});

test("a TTL of 0 is for services that take it, as their field says", async () => {
  const zero = defineProvider({ ...provider, traits: { ttlSeconds: { min: 0, default: 60 } } });
  const env = { ...good, ACME_HOST_TTL: "0" };
  expect((await resolveConfig(zero, { env })).ttlSeconds).toBe(0);
  await expect(resolveConfig(provider, { env })).rejects.toMatchObject({
    issues: [{ path: "ACME_HOST_TTL", message: expect.stringContaining("at least 1 ") }],
  });
  await expect(resolveConfig(zero, { env: { ...env, ACME_HOST_TTL: "-1" } })).rejects.toMatchObject({
    issues: [{ path: "ACME_HOST_TTL", message: expect.stringContaining("at least 0 ") }],
  });
});

describe("rules over several fields", () => {
  const twoWays = (rule: (given: Readonly<Record<string, unknown>>) => string | undefined): Provider =>
    defineProvider({
      ...provider,
      connect: () => {
        throw new Error("not connected here");
      },
      config: z
        .strictObject({
          token: secret("a token").optional(),
          password: secret("a password").optional(),
          account: z.string().describe("the account"),
          endpoint: z.url({ error: "is no URL" }).optional().describe("API address"),
        })
        .superRefine((given, context) => {
          const message = rule(given);
          if (message !== undefined) context.addIssue({ code: "custom", path: ["password"], message });
        }),
    }) as unknown as Provider;
  const exclusive = twoWays(({ token, password }) => {
    if (token === undefined && password === undefined) return "is missing: give password or token";
    return token !== undefined && password !== undefined ? "is given together with token: give one of them" : undefined;
  });
  const told = async (schema: Provider, config: Readonly<Record<string, unknown>>) => {
    const error: unknown = await resolveConfig(schema, { config }).catch((e: unknown) => e);
    return error instanceof ConfigError ? error.issues.map(({ path, message }) => `${path}: ${message}`) : [];
  };

  test("are told beside the faults of fields, whichever these are", async () => {
    expect(await told(exclusive, { token: "t0ken", password: "passw0rd", endpoint: "nowhere", accont: "me" })).toEqual([
      "accont: is not a field of this provider; did you mean account?",
      expect.stringMatching(/^account: is missing \(the account\)$/),
      "endpoint: is no URL",
      "password: is given together with token: give one of them",
    ]);
  });

  test("take a faulty value for given", async () => {
    expect(await told(exclusive, { token: "", password: 5, account: "me" })).toEqual([
      "token: is empty",
      expect.stringMatching(/^password: invalid input/),
      "password: is given together with token: give one of them",
    ]);
  });

  test("are told once when nothing else is wrong", async () => {
    expect(await told(exclusive, { token: "t0ken", password: "passw0rd", account: "me" })).toEqual([
      "password: is given together with token: give one of them",
    ]);
    expect(await told(exclusive, { account: "me" })).toHaveLength(1);
    expect(await told(exclusive, { account: "me", token: "t0ken" })).toEqual([]);
  });

  test("do not trip over what is no text: a secret that cannot be read, a number", async () => {
    const strict = twoWays(({ token, account }) =>
      (token as string).startsWith("x") || (account as string).startsWith("x") ? undefined : "is for others",
    );
    const token = { env: "UNSET" };
    expect(await told(strict, { token, password: "p", account: "me" })).toEqual([
      "token: the environment variable UNSET is not set",
      "password: is for others",
    ]);
    expect(await told(strict, { token: "t", password: "p", account: 5 })).toEqual([
      expect.stringMatching(/^account: invalid input/),
      "password: is for others",
    ]);
  });

  test("that trip over a value of the wrong type say nothing", async () => {
    const fragile = twoWays(({ token }) => ((token as string).startsWith("x") ? "is wrong" : undefined));
    expect(await told(fragile, { account: 5 })).toEqual([expect.stringMatching(/^account: invalid input/)]);
  });
});
