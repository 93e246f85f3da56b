import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import dnspod from "../../providers/dnspod.ts";
import { resolveConfig } from "../../src/core/fields.ts";
import { parseName } from "../../src/core/name.ts";
import { createRedactor } from "../../src/core/redact.ts";
import { type FakeDnspod, startDnspod } from "../fakes/dnspod.ts";
import { connectDnspod, failureOf } from "./dnspod-program.ts";

const apex = parseName("example.com");
const owner = parseName("_acme-challenge.example.com");
const roleArn = "qcs::cam::uin/100000000001:roleName/dns01";

/** Keys are left out of what the fake would give. */
const keyless = { secretId: undefined, secretKey: undefined };

const sts = (fake: FakeDnspod) => ({ stsEndpoint: fake.http.url });

test("temporary keys are sent with their token", async () => {
  const fake = await startDnspod([apex]);
  const temporary = { secretId: "AKIDtemporary", secretKey: "temporary-key", token: "temporary-token" };
  fake.keys.push(temporary);
  const { token: sessionToken, ...keys } = temporary;
  const { present, stop } = await connectDnspod(fake, { ...keys, sessionToken });
  await present(owner, "value");
  expect(fake.values(apex, owner)).toEqual(["value"]);
  const without = await connectDnspod(fake, { ...keys, sessionToken: "of-another-key" });
  expect((await failureOf(without.present(owner, "other"))).message).toContain("(AuthFailure.TokenFailure)");
  await without.stop({ fakeToo: false });
  await stop();
});

test("a role is assumed once, with the key, for as long as its keys live", async () => {
  const fake = await startDnspod([apex]);
  const { present, cleanUp, stop } = await connectDnspod(fake, { ...sts(fake), roleArn });
  await present(owner, "value");
  await cleanUp(owner, "value");
  expect(fake.sessions).toEqual([
    { action: "AssumeRole", region: "ap-guangzhou", RoleArn: roleArn, RoleSessionName: "dns01" },
  ]);
  const tokens = new Set(fake.http.calls.map(({ request }) => request.headers["x-tc-token"]));
  expect(tokens.size).toBe(2);
  await stop();
});

test("keys of a role are renewed before they end", async () => {
  const fake = await startDnspod([apex], { sessionSeconds: 600 });
  const { present, stop } = await connectDnspod(fake, { ...sts(fake), roleArn });
  await present(owner, "a");
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 250_000 });
  try {
    await present(owner, "b");
    expect(fake.sessions).toHaveLength(1);
    vi.setSystemTime(Date.now() + 60_000);
    await present(owner, "c");
    expect(fake.sessions).toHaveLength(2);
  } finally {
    vi.useRealTimers();
  }
  await stop();
});

test("a role that is refused is told with the service's code, and asked for again the next time", async () => {
  const fake = await startDnspod([apex]);
  fake.refuse("UnauthorizedOperation", "AssumeRole");
  const { present, stop } = await connectDnspod(fake, { ...sts(fake), roleArn });
  const error = await failureOf(present(owner, "value"));
  expect(error).toMatchObject({ code: "AUTH", message: expect.stringContaining("(UnauthorizedOperation)") });
  fake.refuse(undefined, "AssumeRole");
  fake.http.inject({ kind: "reset", when: ({ operation }) => operation === "AssumeRole" });
  await present(owner, "value");
  expect(fake.values(apex, owner)).toEqual(["value"]);
  await stop();
});

test("the workload identity of TKE signs in by its token, read anew each time", async () => {
  const folder = await mkdtemp(join(tmpdir(), "dns01-dnspod-"));
  const file = join(folder, "token");
  await writeFile(file, "header.payload.signature\n");
  const env = {
    TKE_WEB_IDENTITY_TOKEN_FILE: file,
    TKE_ROLE_ARN: roleArn,
    TKE_PROVIDER_ID: "cls-12345678",
    TKE_REGION: "ap-hongkong",
  };
  const { config } = await resolveConfig(dnspod, { env });
  const fake = await startDnspod([apex]);
  const given = { ...config, ...keyless, ...sts(fake) };
  const { present, stop } = await connectDnspod(fake, given, { allowAmbientCredentials: true });
  await present(owner, "value");
  expect(fake.values(apex, owner)).toEqual(["value"]);
  expect(fake.sessions).toEqual([
    {
      action: "AssumeRoleWithWebIdentity",
      region: "ap-hongkong",
      ProviderId: "cls-12345678",
      WebIdentityToken: "header.payload.signature",
      RoleArn: roleArn,
      RoleSessionName: "dns01",
    },
  ]);
  await stop();
  await rm(folder, { recursive: true });
});

test("the role of a CVM instance signs in by the metadata service, and may assume another", async () => {
  const fake = await startDnspod([apex]);
  const instance = { secretId: "AKIDinstance", secretKey: "instance-key", token: "instance-token" };
  fake.keys.push(instance);
  const asked: string[] = [];
  const metadata: typeof fetch = async (url) => {
    asked.push(String(url));
    return Response.json({
      TmpSecretId: instance.secretId,
      TmpSecretKey: instance.secretKey,
      Token: instance.token,
      ExpiredTime: Math.floor(Date.now() / 1000) + 7200,
      Code: "Success",
    });
  };
  const config = { ...keyless, ...sts(fake), cvmRole: "dns-role", roleArn };
  const { present, stop } = await connectDnspod(fake, config, { allowAmbientCredentials: true, fetch: metadata });
  await present(owner, "value");
  expect(fake.values(apex, owner)).toEqual(["value"]);
  expect(asked).toEqual(["http://metadata.tencentyun.com/latest/meta-data/cam/security-credentials/dns-role"]);
  expect(fake.sessions).toHaveLength(1);
  await stop();
});

test.each([
  ["cvmRole", { cvmRole: "dns-role" }],
  [
    "webIdentityTokenFile",
    { webIdentityTokenFile: "/etc/hostname", webIdentityRoleArn: roleArn, webIdentityProviderId: "p" },
  ],
])("%s is refused where the machine's own identity may not be used", async (field, config) => {
  const fake = await startDnspod([apex]);
  const error = await failureOf(connectDnspod(fake, { ...keyless, ...config }));
  expect(error).toMatchObject({ code: "CONFIG", message: expect.stringContaining(field) });
  await fake.http.close();
});

test("keys that are given win over an identity that the environment offers", async () => {
  const fake = await startDnspod([apex]);
  const { present, stop } = await connectDnspod(fake, { webIdentityTokenFile: "/does/not/exist" });
  await present(owner, "value");
  expect([fake.values(apex, owner), fake.sessions]).toEqual([["value"], []]);
  await stop();
});

/** Keys of a machine's role, as the metadata service gives them. */
const metadataOf = (secretId: string, secretKey: string, token: string) => async () =>
  Response.json({
    TmpSecretId: secretId,
    TmpSecretKey: secretKey,
    Token: token,
    ExpiredTime: Math.floor(Date.now() / 1000) + 7200,
    Code: "Success",
  });

test("keys that were only learnt are masked when the service repeats them", async () => {
  const fake = await startDnspod([apex]);
  fake.keys.push({ secretId: "AKIDinstance", secretKey: "instance-key", token: "instance-token" });
  const Message = "no idea what instance-key and instance-token are";
  const Response = { Error: { Code: "SomethingNew.Entirely", Message }, RequestId: "r" };
  fake.http.inject({ kind: "reply", reply: () => ({ body: { Response } }), times: 20 });
  const { present, stop } = await connectDnspod(
    fake,
    { ...keyless, cvmRole: "dns-role" },
    {
      allowAmbientCredentials: true,
      fetch: metadataOf("AKIDinstance", "instance-key", "instance-token"),
      redactor: createRedactor(),
    },
  );
  const { message } = await failureOf(present(owner, "value"));
  expect(message).toMatch(/the service says "no idea what \*\*\* and \*\*\* are" \(SomethingNew\.Entirely\)$/);
  await stop();
});

test("an OIDC token is masked when the token service repeats it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "dns01-dnspod-"));
  const file = join(folder, "token");
  await writeFile(file, "header.payload.signature\n");
  const fake = await startDnspod([apex]);
  const Response = { Error: { Code: "Odd", Message: "header.payload.signature is odd" }, RequestId: "r" };
  fake.http.inject({ kind: "reply", reply: () => ({ body: { Response } }), times: 20 });
  const identity = { webIdentityTokenFile: file, webIdentityRoleArn: roleArn, webIdentityProviderId: "p" };
  const { present, stop } = await connectDnspod(
    fake,
    { ...keyless, ...sts(fake), ...identity },
    { allowAmbientCredentials: true, redactor: createRedactor() },
  );
  expect((await failureOf(present(owner, "value"))).message).toMatch(/the service says "\*\*\* is odd" \(Odd\)$/);
  await stop();
  await rm(folder, { recursive: true });
});

test("keys that cannot be sent are refused once, and not repeated", async () => {
  const fake = await startDnspod([apex]);
  const { present, stop } = await connectDnspod(
    fake,
    { ...keyless, cvmRole: "dns-role" },
    { allowAmbientCredentials: true, fetch: metadataOf("AKID\u0100nstance", "instance-key", "instance-token") },
  );
  const error = await failureOf(present(owner, "value"));
  expect(error).toMatchObject({ code: "REJECTED", hint: expect.stringContaining("secretId") });
  expect(error.message).not.toMatch(/nstance|Signature/);
  expect(fake.http.calls).toEqual([]);
  await stop();
});

test.each([
  [{ loginToken: "123,abcdef", cvmRole: "r" }, "cvmRole: is given together with loginToken"],
  [{ loginToken: "123,abcdef", sessionToken: "t" }, "sessionToken: is given together with loginToken"],
  [{ cvmRole: "r", sessionToken: "t" }, "sessionToken: is given without the temporary keys"],
  [
    { cvmRole: "r", webIdentityTokenFile: "/f", webIdentityRoleArn: roleArn, webIdentityProviderId: "p" },
    "cvmRole: is given together with webIdentityTokenFile",
  ],
])("%j is a fault: one of them would not count", async (config, said) => {
  const error = await failureOf(resolveConfig(dnspod, { config }));
  expect(error).toMatchObject({ code: "CONFIG", message: expect.stringContaining(said) });
});

test("an identity that every container of TKE has does not count beside a login token, which is told", async () => {
  const fake = await startDnspod([apex]);
  const config = { ...keyless, loginToken: "123,abcdef", webIdentityTokenFile: "/does/not/exist" };
  const { warnings, stop } = await connectDnspod(fake, config);
  expect(warnings()).toEqual(["dnspod: webIdentityTokenFile is not used, because loginToken is given"]);
  await stop();
});
