import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import alidns from "../../providers/alidns.ts";
import { resolveConfig } from "../../src/core/fields.ts";
import { parseName } from "../../src/core/name.ts";
import { createRedactor } from "../../src/core/redact.ts";
import { type AlidnsFake, startAlidns } from "../fakes/alidns.ts";
import {
  type IdentityFake,
  type IdentityOptions,
  providerArn,
  roleArn,
  startIdentity,
} from "../fakes/alidns-identity.ts";
import { failureOf, type ProgramOptions, startProgram } from "./program.ts";

const apex = parseName("example.com");
const owner = parseName("_acme-challenge.example.com");
const token = "header.payload.signature";

let folder: string;
let file: string;
let api: AlidnsFake;
let identity: IdentityFake;
const running: { stop(): void }[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "dns01-alidns-"));
  file = join(folder, "token");
  await writeFile(file, `${token}\n`);
});
afterEach(async () => {
  for (const { stop } of running.splice(0)) stop();
  await Promise.all([api?.http.close(), identity?.http.close()]);
  await rm(folder, { recursive: true });
});

/** A program without an AccessKey, on a machine with this identity. */
async function start(options: IdentityOptions, config: Readonly<Record<string, unknown>>, more: ProgramOptions = {}) {
  identity = await startIdentity(options);
  api = await startAlidns([apex], { keys: identity.keys });
  const keyless = { accessKey: undefined, secretKey: undefined, stsEndpoint: identity.http.url };
  const program = await startProgram(alidns, api, {
    config: { ...keyless, ...config },
    allowAmbientCredentials: true,
    fetch: identity.fetch,
    ...more,
  });
  running.push(program);
  return program;
}

const operations = () => identity.http.calls.map(({ operation }) => operation);
const rrsa = () => ({ oidcTokenFile: file, oidcProviderArn: providerArn, roleArn });

test("a pod of ACK signs in by its OIDC token, once for as long as the keys live", async () => {
  const env = {
    ALIBABA_CLOUD_OIDC_TOKEN_FILE: file,
    ALIBABA_CLOUD_OIDC_PROVIDER_ARN: providerArn,
    ALIBABA_CLOUD_ROLE_ARN: roleArn,
    ALIBABA_CLOUD_ROLE_SESSION_NAME: "pod",
  };
  const { config } = await resolveConfig(alidns, { env });
  const { endpoint: _usual, ...given } = config;
  const { present, cleanUp } = await start({ tokens: [token] }, given);
  await present(owner, "value");
  expect(api.values(apex, owner)).toEqual(["value"]);
  await cleanUp(owner, "value");
  expect(operations()).toEqual(["AssumeRoleWithOIDC"]);
});

test("keys are renewed before they end, with the token that the file holds then", async () => {
  const tokens = [token];
  const { present } = await start({ tokens, lifeSeconds: 900 }, rrsa());
  await present(owner, "a");
  tokens.splice(0, 1, "next.payload.signature");
  await writeFile(file, "next.payload.signature");
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 601_000 });
  try {
    await present(owner, "b");
  } finally {
    vi.useRealTimers();
  }
  expect(operations()).toEqual(["AssumeRoleWithOIDC", "AssumeRoleWithOIDC"]);
  expect(api.values(apex, owner)).toEqual(["a", "b"]);
});

test.each([
  ["a token that has expired", {}, /\(AuthenticationFail\.OIDCToken\.Expired\)/],
  ["a role that is not there", { roleArn: `${roleArn}-2` }, /\(EntityNotExist\.Role\)/],
  ["a file that is not there", { oidcTokenFile: "/does/not/exist" }, /oidcTokenFile cannot be read \(ENOENT\)/],
])("%s is an AUTH error with what to check, and shows no token", async (_what, config, message) => {
  const { fail } = await start({}, { ...rrsa(), ...config }, { redactor: createRedactor() });
  const error = await fail(owner, "value");
  expect(error).toMatchObject({ code: "AUTH", message: expect.stringMatching(message), hint: expect.any(String) });
  expect(JSON.stringify([error, String(error.cause)])).not.toContain(token);
});

test.each(["normal", "hardened", "old"] as const)(
  "the role of an ECS instance signs in (%s metadata)",
  async (metadata) => {
    const { present } = await start({ metadata }, { ramRole: "dns-role" });
    await present(owner, "value");
    expect(api.values(apex, owner)).toEqual(["value"]);
    expect(operations()).toEqual(["/latest/api/token", "/latest/meta-data/ram/security-credentials/dns-role"]);
  },
);

test("a role that is not bound to the instance leads to ramRole", async () => {
  const { fail } = await start({}, { ramRole: "other-role" });
  expect(await fail(owner, "value")).toMatchObject({ code: "REJECTED", hint: expect.stringContaining("ramRole") });
});

test.each([
  ["ramRole", () => ({ ramRole: "dns-role" })],
  ["oidcTokenFile", rrsa],
])("%s is refused where the machine's own identity may not be used", async (field, config) => {
  const error = await failureOf(start({ tokens: [token] }, config(), { allowAmbientCredentials: false }));
  expect(error).toMatchObject({ code: "CONFIG", message: expect.stringContaining(field) });
  expect(operations()).toEqual([]);
});

test("keys that are given win over an identity that the environment offers", async () => {
  identity = await startIdentity();
  api = await startAlidns([apex]);
  const program = await startProgram(alidns, api, { config: { ...rrsa(), ramRole: "dns-role" } });
  running.push(program);
  await program.present(owner, "value");
  expect([api.values(apex, owner), operations()]).toEqual([["value"], []]);
});

test("the region chooses the token service, and nothing else", async () => {
  const asked: string[] = [];
  const hosts: typeof fetch = (url, init) => {
    asked.push(new URL(String(url)).host);
    const here = String(url).replace(/^https:\/\/sts\.cn-beijing\.aliyuncs\.com\//, `${identity.http.url}/`);
    return fetch(here, init);
  };
  const config = { ...rrsa(), regionId: "cn-beijing", stsEndpoint: undefined };
  const { present } = await start({ tokens: [token] }, config, { fetch: hosts });
  await present(owner, "value");
  expect(asked[0]).toBe("sts.cn-beijing.aliyuncs.com");
  expect(api.values(apex, owner)).toEqual(["value"]);
});

test.each([
  [{}, "is missing: the id of an AccessKey"],
  [{ accessKey: "LTAI" }, "is missing: the secret that belongs to accessKey"],
  [{ oidcTokenFile: "/token", roleArn }, "is missing: the OIDC token needs its identity provider"],
  [{ oidcTokenFile: "/token", ...{ roleArn, oidcProviderArn: providerArn }, ramRole: "r" }, "is given together with"],
  [{ ramRole: "r", roleArn: "dns01" }, "is not an ARN"],
  [{ ramRole: "r", regionId: "evil.example/x" }, "is not a region"],
  [{ ramRole: "r", securityToken: "t" }, "is given without the temporary keys"],
])("bad configuration is a fault before anything is asked: %j", async (config, fault) => {
  await expect(resolveConfig(alidns, { config })).rejects.toThrow(fault);
});
