import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import alidns from "../../../providers/alidns.ts";
import dnspod from "../../../providers/dnspod.ts";
import route53 from "../../../providers/route53.ts";
import { startAlidns } from "../../fakes/alidns.ts";
import { providerArn, roleArn, startIdentity } from "../../fakes/alidns-identity.ts";
import { startCredentialSources } from "../../fakes/aws-credentials.ts";
import { startDnspod } from "../../fakes/dnspod.ts";
import { route53Key, startRoute53 } from "../../fakes/route53.ts";
import { createCluster, messageOf, name, ok, startReplica } from "./world.ts";

const apex = name("example.com");
const owner = name("_acme-challenge.example.com");
let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "dns01-ambient-"));
  for (const key of Object.keys(process.env)) if (key.startsWith("AWS_")) vi.stubEnv(key, undefined);
  vi.stubEnv("AWS_CONFIG_FILE", join(folder, "config"));
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", join(folder, "credentials"));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

test("scenario 14: Route 53's whole chain of credentials is left alone unless the challenge allows it", async () => {
  const source = await startCredentialSources({
    role: "arn:aws:iam::1:role/x",
    region: "us-east-1",
    authorization: "pass",
  });
  const fake = await startRoute53([apex], { keys: [source.issued, route53Key] });
  // Each place where the SDK would look by itself.
  vi.stubEnv("AWS_ACCESS_KEY_ID", route53Key.accessKeyId);
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", route53Key.secretAccessKey);
  vi.stubEnv("AWS_CONTAINER_CREDENTIALS_FULL_URI", `${source.http.url}/container`);
  vi.stubEnv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "pass");
  vi.stubEnv("AWS_EC2_METADATA_SERVICE_ENDPOINT", source.http.url);
  vi.stubEnv("AWS_ENDPOINT_URL_STS", source.http.url);
  const keys = `aws_access_key_id = ${route53Key.accessKeyId}\naws_secret_access_key = ${route53Key.secretAccessKey}\n`;
  await writeFile(join(folder, "credentials"), `[default]\n${keys}`);
  const allowed = [fake.http.url];
  const replica = await startReplica([route53], {
    solver: "route53",
    cluster: createCluster(),
    env: process.env,
    allowed,
  });
  const role = "arn:aws:iam::123456789012:role/dns01";
  for (const config of [{}, { region: "us-east-1" }, { role }]) {
    const answer = await replica.present({ config: { ...config, endpoint: fake.http.url } });
    expect(answer).toMatchObject({ code: "CONFIG", reason: "Invalid" });
    expect(messageOf(answer)).toMatch(/the credentials of this machine may not be used here: give accessKeyID/);
    // Nothing was written with such a configuration: its clean-up ends.
    expect(await replica.cleanUp({ config: { ...config, endpoint: fake.http.url } })).toEqual(ok);
  }
  expect(fake.http.calls).toEqual([]);
  expect(source.http.calls).toEqual([]);
  const ambient = { allowAmbientCredentials: true, config: { endpoint: fake.http.url } };
  expect(await replica.present(ambient)).toEqual(ok);
  expect(fake.values(apex, owner)).toHaveLength(1);
  // The connection of one is never lent to the other.
  expect(await replica.present({ ...ambient, allowAmbientCredentials: false })).toMatchObject({ code: "CONFIG" });
  await replica.solving.close();
  await fake.http.close();
  await source.http.close();
});

test("DNSPod takes keys of the pod's environment or files only where that is allowed", async () => {
  const fake = await startDnspod([apex]);
  await writeFile(join(folder, "key"), `${String(fake.config["secretKey"])}\n`);
  const env = {
    TENCENTCLOUD_SECRET_ID: String(fake.config["secretId"]),
    TENCENTCLOUD_SECRET_KEY_FILE: join(folder, "key"),
  };
  const config = { endpoint: fake.http.url };
  const replica = await startReplica([dnspod], { solver: "dnspod", cluster: createCluster(), env, config });
  expect(messageOf(await replica.present({}))).toMatch(/config\.secretIdSecretRef is missing/);
  const cvm = await replica.present({ config: { ...config, cvmRole: "admin" } });
  expect(messageOf(cvm)).toBe("dnspod: cvmRole is of this machine, and its identity may not be used here");
  expect(fake.http.calls).toEqual([]);
  expect(await replica.present({ allowAmbientCredentials: true })).toEqual(ok);
  expect(fake.values(apex, owner)).toHaveLength(1);
  await replica.solving.close();
  await fake.http.close();
});

test("Alibaba Cloud takes the pod's OIDC token or the instance's role only where that is allowed", async () => {
  const identity = await startIdentity({ tokens: ["header.payload.signature"] });
  const fake = await startAlidns([apex], { keys: identity.keys });
  await writeFile(join(folder, "token"), "header.payload.signature\n");
  const env = {
    ALIBABA_CLOUD_OIDC_TOKEN_FILE: join(folder, "token"),
    ALIBABA_CLOUD_OIDC_PROVIDER_ARN: providerArn,
    ALIBABA_CLOUD_ROLE_ARN: roleArn,
    ALIDNS_STS_ENDPOINT: identity.http.url,
  };
  const config = { endpoint: fake.http.url };
  const replica = await startReplica([alidns], { solver: "alidns", cluster: createCluster(), env, config });
  expect(messageOf(await replica.present({}))).toMatch(/config\.accessKeySecretRef is missing/);
  const instance = await replica.present({ config: { ...config, ramRole: "admin" } });
  expect(messageOf(instance)).toBe("alidns: ramRole is of this machine, and its identity may not be used here");
  // A file is of the machine even where its credentials may be used.
  const file = { ...config, oidcTokenFile: "/etc/shadow", roleArn, oidcProviderArn: providerArn };
  const chosen = await replica.present({ config: file, allowAmbientCredentials: true });
  expect(messageOf(chosen)).toMatch(/config\.oidcTokenFile names something of the machine/);
  expect([...fake.http.calls, ...identity.http.calls]).toEqual([]);
  expect(await replica.present({ allowAmbientCredentials: true })).toEqual(ok);
  expect(fake.values(apex, owner)).toHaveLength(1);
  await replica.solving.close();
  await fake.http.close();
  await identity.http.close();
});
