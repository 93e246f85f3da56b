import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { connectClient, signingRegion } from "../../providers/route53/access.ts";
import route53 from "../../providers/route53.ts";
import { AbortedError } from "../../src/core/errors.ts";
import type { Dns01Event } from "../../src/core/events.ts";
import { resolveConfig } from "../../src/core/fields.ts";
import { parseName } from "../../src/core/name.ts";
import { createRedactor } from "../../src/core/redact.ts";
import { connectProvider } from "../../src/providers.ts";
import { type CredentialRules, startCredentialSources } from "../fakes/aws-credentials.ts";
import { route53Key, startRoute53 } from "../fakes/route53.ts";
import type { SigningKey } from "../fakes/sigv4.ts";

const apex = parseName("example.com");
const role = "arn:aws:iam::123456789012:role/dns01";
const keys = { accessKeyID: route53Key.accessKeyId, secretAccessKey: route53Key.secretAccessKey };

let folder = "";
let end = new AbortController();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "dns01-aws-"));
  end = new AbortController();
  // Nothing of the machine's own may decide a test.
  for (const name of Object.keys(process.env)) if (name.startsWith("AWS_")) vi.stubEnv(name, undefined);
  vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
  vi.stubEnv("AWS_CONFIG_FILE", join(folder, "config"));
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", join(folder, "credentials"));
});

afterEach(async () => {
  end.abort(new AbortedError("over"));
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

async function findZone(config: Readonly<Record<string, unknown>>, allowAmbientCredentials: boolean) {
  const resolved = await resolveConfig(route53, { config });
  const events: Dns01Event[] = [];
  const redactor = createRedactor();
  const observer = (event: Dns01Event) => events.push(event);
  const options = { signal: end.signal, allowAmbientCredentials, observer, redactor };
  const backend = await connectProvider(route53, resolved.config, {
    ...options,
    retry: { attempts: 1, baseMs: 1, maxMs: 1 },
  });
  const zone = await backend.findZone(apex, { signal: end.signal, ttlSeconds: 60 });
  return { zone, events, redact: redactor.redact };
}

/** A service that accepts nothing but what the source hands out, and the source. */
async function withSource(rules: Partial<CredentialRules>, run: (endpoint: string, source: string) => Promise<void>) {
  const source = await startCredentialSources({ role, region: "us-east-1", ...rules });
  const service = await startRoute53([apex], { keys: [source.issued] });
  vi.stubEnv("AWS_ENDPOINT_URL_STS", source.http.url);
  try {
    await run(service.http.url, source.http.url);
    expect(service.http.defects).toEqual([]);
    expect(source.http.defects).toEqual([]);
  } finally {
    await service.http.close();
    await source.http.close();
  }
}

// First, because the SDK warns once per process.
test("the SDK's warning of an old Node goes to the debug log, not to stderr", async () => {
  const warned: unknown[] = [];
  const note = (warning: unknown) => warned.push(warning);
  process.on("warning", note);
  const service = await startRoute53([apex]);
  const { events } = await findZone({ ...keys, endpoint: service.http.url }, false);
  await service.http.close();
  process.off("warning", note);
  expect(warned).toEqual([]);
  const logged = events.filter((event) => event.type === "log" && /^route53: .*node >=\d+/s.test(event.text));
  expect(logged).toHaveLength(Number(process.versions.node.split(".")[0]) < 22 ? 1 : 0);
  expect(logged.every((event) => event.type === "log" && event.level === "debug")).toBe(true);
});

describe("credentials", () => {
  test("are static keys with a session token", async () => {
    const key: SigningKey = { ...route53Key, sessionToken: "IQoJb3JpZ2luX2VjE==" };
    const service = await startRoute53([apex], { keys: [key] });
    const config = { ...keys, sessionToken: key.sessionToken, endpoint: service.http.url };
    expect((await findZone(config, false)).zone?.apex).toBe(apex);
    await expect(findZone({ ...keys, endpoint: service.http.url }, false)).rejects.toMatchObject({ code: "AUTH" });
    await service.http.close();
  });

  test.each([
    [undefined, "us-east-1"],
    ["eu-central-1", "eu-central-1"],
  ])("are a role's, assumed with static keys in region %s, with an external id", async (region, stsRegion) => {
    const rules = { callers: [route53Key], externalId: "tenant-7", region: stsRegion };
    await withSource(rules, async (endpoint) => {
      const config = { ...keys, role, endpoint, ...(region && { region }) };
      const { zone, redact } = await findZone({ ...config, externalID: "tenant-7" }, false);
      expect(zone?.apex).toBe(apex);
      expect(redact("with issued//token== and issued/secret"), "what STS handed out is masked").not.toContain("issued");
      await expect(findZone({ ...config, externalID: "tenant-8" }, false)).rejects.toThrow(
        /^route53: cannot look up the zone example\.com: .*not authorized to perform: sts:AssumeRole/,
      );
    });
  });

  test("that STS never hands out leave no connection behind when nobody waits any longer", async () => {
    const open = new Set<Socket>();
    const deaf = createServer((socket) => {
      open.add(socket);
      // What is not read hides the end of the connection.
      socket.resume();
      socket.on("close", () => open.delete(socket));
      socket.on("error", () => {});
    });
    await new Promise<void>((resolve) => deaf.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(deaf.address() as AddressInfo).port}`;
    vi.stubEnv("AWS_ENDPOINT_URL_STS", url);
    const asked = findZone({ ...keys, role, endpoint: url }, false);
    await vi.waitUntil(() => open.size > 0, { timeout: 5000, interval: 5 });
    end.abort(new AbortedError("enough"));
    await expect(asked).rejects.toThrow("enough");
    // Long enough for a second attempt, if there were one.
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(open.size).toBe(0);
    await new Promise((resolve) => deaf.close(resolve));
  });

  test("are a web identity's, as IRSA gives it", async () => {
    await writeFile(join(folder, "token"), "the-token");
    vi.stubEnv("AWS_WEB_IDENTITY_TOKEN_FILE", join(folder, "token"));
    vi.stubEnv("AWS_ROLE_ARN", role);
    await withSource({ webIdentityToken: "the-token" }, async (endpoint) => {
      expect((await findZone({ endpoint }, true)).zone?.apex).toBe(apex);
    });
    await withSource({ webIdentityToken: "another" }, async (endpoint) => {
      await expect(findZone({ endpoint }, true)).rejects.toMatchObject({ code: "AUTH" });
    });
  });

  test("are a container's, as EKS pod identity and ECS give them", async () => {
    await writeFile(join(folder, "authorization"), "pod-token");
    vi.stubEnv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", join(folder, "authorization"));
    await withSource({ authorization: "pod-token" }, async (endpoint, source) => {
      vi.stubEnv("AWS_CONTAINER_CREDENTIALS_FULL_URI", `${source}/container`);
      expect((await findZone({ endpoint }, true)).zone?.apex).toBe(apex);
    });
  });

  test("are an instance's, from the metadata service", async () => {
    vi.stubEnv("AWS_EC2_METADATA_DISABLED", undefined);
    await withSource({}, async (endpoint, source) => {
      vi.stubEnv("AWS_EC2_METADATA_SERVICE_ENDPOINT", source);
      expect((await findZone({ endpoint }, true)).zone?.apex).toBe(apex);
    });
  });

  test("are a profile's of the shared files, read anew by each connection", async () => {
    const service = await startRoute53([apex]);
    const write = (secret: string) =>
      writeFile(
        join(folder, "credentials"),
        `[dns]\naws_access_key_id = ${route53Key.accessKeyId}\naws_secret_access_key = ${secret}\n`,
      );
    await write("old");
    const config = { profile: "dns", endpoint: service.http.url };
    await expect(findZone(config, true)).rejects.toMatchObject({ code: "AUTH" });
    await write(route53Key.secretAccessKey);
    expect((await findZone(config, true)).zone?.apex).toBe(apex);
    await expect(findZone({ ...config, profile: "nobody" }, true)).rejects.toMatchObject({
      code: "AUTH",
      hint: expect.stringContaining("AWS_ACCESS_KEY_ID"),
    });
    await service.http.close();
  });

  test("are a role's that a profile names", async () => {
    const source = `[base]\naws_access_key_id = ${route53Key.accessKeyId}\naws_secret_access_key = ${route53Key.secretAccessKey}\n`;
    await writeFile(join(folder, "credentials"), source);
    await writeFile(
      join(folder, "config"),
      `[profile dns]\nrole_arn = ${role}\nsource_profile = base\nregion = eu-west-1\n`,
    );
    await withSource({ callers: [route53Key], region: "eu-west-1" }, async (endpoint) => {
      expect((await findZone({ profile: "dns", endpoint }, true)).zone?.apex).toBe(apex);
    });
  });

  test("that are nowhere are an error that says where they may come from", async () => {
    await expect(findZone({ endpoint: "http://127.0.0.1:9" }, true)).rejects.toMatchObject({
      code: "AUTH",
      hint: expect.stringMatching(/AWS_ACCESS_KEY_ID.*profile.*role/),
    });
  });

  test("of the machine are left alone where they may not be used", async () => {
    vi.stubEnv("AWS_ACCESS_KEY_ID", route53Key.accessKeyId);
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", route53Key.secretAccessKey);
    const service = await startRoute53([apex]);
    const { url } = service.http;
    for (const config of [{}, { profile: "default" }, { role }]) {
      await expect(findZone({ ...config, endpoint: url }, false), JSON.stringify(config)).rejects.toMatchObject({
        code: "CONFIG",
        message: expect.stringContaining("may not be used here"),
      });
    }
    expect(service.http.calls).toEqual([]);
    await service.http.close();
  });
});

describe("partitions", () => {
  test.each([
    ["eu-west-1", "us-east-1", "route53.amazonaws.com"],
    ["cn-north-1", "cn-northwest-1", "route53.amazonaws.com.cn"],
    ["cn-northwest-1", "cn-northwest-1", "route53.amazonaws.com.cn"],
    ["us-gov-east-1", "us-gov-west-1", "route53.us-gov.amazonaws.com"],
    ["us-iso-west-1", "us-iso-east-1", "route53.c2s.ic.gov"],
    ["us-isob-east-1", "us-isob-east-1", "route53.sc2s.sgov.gov"],
    ["eusc-de-east-1", "eusc-de-east-1", "route53.amazonaws.eu"],
  ])("%s is signed for %s at %s, and the same at another endpoint", async (region, signed, host) => {
    expect(signingRegion(region)).toBe(signed);
    for (const endpoint of [undefined, "http://127.0.0.1:9"]) {
      const given = route53.config.parse({ ...keys, region, ...(endpoint && { endpoint }) });
      const http = () => () => Promise.reject(new Error("no HTTP here"));
      const deps = { http, signal: end.signal, allowAmbientCredentials: false, warn: () => {} };
      const { aws, client } = await connectClient(given, deps);
      let sent = { hostname: "", headers: { authorization: "" } };
      client.middlewareStack.add(
        () => async (args) => {
          sent = args.request as typeof sent;
          throw new Error("not sent");
        },
        { step: "deserialize", priority: "low" },
      );
      await expect(client.send(new aws.GetChangeCommand({ Id: "C1" }))).rejects.toThrow("not sent");
      expect(sent.hostname).toBe(endpoint === undefined ? host : "127.0.0.1");
      expect(sent.headers.authorization).toContain(`/${signed}/route53/aws4_request`);
    }
  });

  test("follow from the profile's region, or from the role", async () => {
    await writeFile(join(folder, "config"), "[profile beijing]\nregion = cn-north-1\n");
    const credentials = `[beijing]\naws_access_key_id = ${route53Key.accessKeyId}\naws_secret_access_key = ${route53Key.secretAccessKey}\n`;
    await writeFile(join(folder, "credentials"), credentials);
    const china = await startRoute53([apex], { region: "cn-northwest-1" });
    expect((await findZone({ profile: "beijing", endpoint: china.http.url }, true)).zone?.apex).toBe(apex);
    await china.http.close();

    const chinese = "arn:aws-cn:iam::123456789012:role/dns01";
    const sources = await startCredentialSources({ role: chinese, region: "cn-northwest-1", callers: [route53Key] });
    const service = await startRoute53([apex], { region: "cn-northwest-1", keys: [sources.issued] });
    vi.stubEnv("AWS_ENDPOINT_URL_STS", sources.http.url);
    const config = { ...keys, role: chinese, endpoint: service.http.url };
    expect((await findZone(config, false)).zone?.apex).toBe(apex);
    await Promise.all([service.http.close(), sources.http.close()]);
  });
});

test("fields have the names of cert-manager's solver and of lego", async () => {
  const resolved = await resolveConfig(route53, {
    env: {
      AWS_ACCESS_KEY_ID: "AKIA1",
      AWS_SECRET_ACCESS_KEY: "s1\n",
      AWS_SESSION_TOKEN: "t1",
      AWS_REGION: "eu-west-1",
      AWS_HOSTED_ZONE_ID: "/hostedzone/Z123",
      AWS_ASSUME_ROLE_ARN: role,
      AWS_EXTERNAL_ID: "x1",
      AWS_PRIVATE_ZONE: "true",
      ROUTE53_ENDPOINT: "http://127.0.0.1:4566",
    },
  });
  expect(resolved.config).toEqual({
    accessKeyID: "AKIA1",
    secretAccessKey: "s1",
    sessionToken: "t1",
    region: "eu-west-1",
    hostedZoneID: "Z123",
    role,
    externalID: "x1",
    privateZone: true,
    waitForInsync: false,
    endpoint: "http://127.0.0.1:4566",
  });
});

test("contradictions in the credentials are told all at once", async () => {
  const issues = async (config: Readonly<Record<string, unknown>>) => {
    const error = await resolveConfig(route53, { config }).catch((e: unknown) => e);
    return String((error as Error).message);
  };
  const told = await issues({
    accessKeyID: "AKIA1",
    profile: "p",
    externalID: "x",
    endpoint: "nowhere",
    hostedZoneID: "Z/1",
  });
  for (const part of ["secretAccessKey", "profile", "externalID", "endpoint", "hostedZoneID"])
    expect(told).toContain(part);
  expect(await issues({ sessionToken: "t" })).toContain("sessionToken");
  expect(await issues({ secretAccessKey: "s" })).toContain("accessKeyID");
  expect(await issues({ role: "dns01" })).toContain("arn:aws:iam::");
});

/** Errors of AWS as its SDK throws them. */
const awsError = (name: string, message: string) =>
  Object.assign(new Error(message), { name, $metadata: { httpStatusCode: 400 } });

test.each([
  [
    "ExpiredTokenException",
    (at: number) => `Token expired: current date/time ${at} must be before the expiration date/time ${at - 3600}`,
    "the temporary credentials have expired (ExpiredTokenException)",
  ],
  [
    "InvalidIdentityToken",
    (at: number) => `Token expired: current date/time ${at} must be before the expiration date/time ${at - 3600}`,
    "the web identity's token has expired (InvalidIdentityToken)",
  ],
  [
    "RequestExpired",
    (at: number) =>
      `Request timestamp: ${new Date(at * 1000).toUTCString()} expired. It must be within 300 secs of server time`,
    "the signature's time is too far from the service's (RequestExpired)",
  ],
  [
    "InvalidSignatureException",
    (at: number) => `Signature expired: ${at} is now earlier than ${at + 900} (${at + 1200} - 5 min.)`,
    "the signature's time is too far from the service's (InvalidSignatureException)",
  ],
])("%s is told without AWS's times", (name, said, expected) => {
  const messages = [1_617_207_234, 1_717_207_999].map((at) => route53.classify?.(awsError(name, said(at))));
  for (const error of messages) expect(error).toMatchObject({ code: "AUTH", message: expected });
});

test("the token of a web identity is not repeated", () => {
  const error = route53.classify?.(awsError("IDPRejectedClaim", "no claim in eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl"));
  expect(error).toMatchObject({ code: "AUTH", message: "no claim in … (IDPRejectedClaim)" });
});
