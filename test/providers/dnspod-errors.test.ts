import { expect, test } from "vitest";
import dnspod from "../../providers/dnspod.ts";
import { resolveConfig } from "../../src/core/fields.ts";
import { parseName } from "../../src/core/name.ts";
import { fakeKey, startDnspod } from "../fakes/dnspod.ts";
import { connectDnspod, failureOf } from "./dnspod-program.ts";

const apex = parseName("example.com");
const owner = parseName("_acme-challenge.example.com");

test.each([
  ["RequestLimitExceeded", "RATE_LIMITED"],
  ["RequestLimitExceeded.RequestLimitExceeded", "RATE_LIMITED"],
  ["RequestLimitExceeded.UinLimitExceeded", "RATE_LIMITED"],
  ["RequestLimitExceeded.IPLimitExceeded", "RATE_LIMITED"],
  ["RequestLimitExceeded.GlobalRegionUinLimitExceeded", "RATE_LIMITED"],
  ["FailedOperation.FrequencyLimit", "RATE_LIMITED"],
  ["InvalidParameter.OperationIsTooFrequent", "RATE_LIMITED"],
  ["InvalidParameter.DomainIsModifyingDns", "RATE_LIMITED"],
  ["InternalError", "TRANSIENT"],
  ["InternalError.UndefinedError", "TRANSIENT"],
  ["FailedOperation.UnknowError", "TRANSIENT"],
  ["FailedOperation.TemporaryError", "TRANSIENT"],
  ["InvalidParameter.OperateFailed", "TRANSIENT"],
  ["AuthFailure.SecretIdNotFound", "AUTH"],
  ["AuthFailure.SignatureFailure", "AUTH"],
  ["AuthFailure.SignatureExpire", "AUTH"],
  ["AuthFailure.TokenFailure", "AUTH"],
  ["AuthFailure.InvalidSecretId", "AUTH"],
  ["AuthFailure.InvalidAuthorization", "AUTH"],
  ["AuthFailure.MFAFailure", "AUTH"],
  ["AuthFailure.UnauthorizedOperation", "AUTH"],
  ["UnauthorizedOperation", "AUTH"],
  ["UnauthorizedOperation.CamNoAuth", "AUTH"],
  ["OperationDenied.AccessDenied", "AUTH"],
  ["OperationDenied.DomainOwnerAllowedOnly", "AUTH"],
  ["OperationDenied.NoPermissionToOperateDomain", "AUTH"],
  ["InvalidParameter.PermissionDenied", "AUTH"],
  ["FailedOperation.NotResourceOwner", "ZONE_NOT_FOUND"],
  ["InvalidParameterValue.DomainNotExists", "ZONE_NOT_FOUND"],
  ["InvalidParameter.DomainIdInvalid", "ZONE_NOT_FOUND"],
  ["FailedOperation.NotDomainOwner", "ZONE_NOT_FOUND"],
  ["FailedOperation.DomainIsLocked", "REJECTED"],
  ["FailedOperation.DomainIsSpam", "REJECTED"],
  ["InvalidParameter.DomainNotAllowedModifyRecords", "REJECTED"],
  ["InvalidParameter.DomainIsAliaser", "REJECTED"],
  ["LimitExceeded.RecordTtlLimit", "REJECTED"],
  ["LimitExceeded.SubdomainRollLimit", "REJECTED"],
  ["LimitExceeded.SubdomainLevelLimit", "REJECTED"],
  ["InvalidParameter.RecordValueLengthInvalid", "REJECTED"],
  ["SomethingNew.Entirely", "REJECTED"],
])("%s at a write is %s, and names the code", async (serviceCode, code) => {
  const fake = await startDnspod([apex]);
  fake.refuse(serviceCode, "CreateRecord");
  const { present, stop } = await connectDnspod(fake, {}, { once: true });
  const error = await failureOf(present(owner, "value"));
  expect(error.code).toBe(code);
  expect(error.message).toMatch(/^dnspod: cannot create TXT at _acme-challenge\.example\.com: /);
  expect(error.message).toContain(`(${serviceCode})`);
  await stop();
});

test.each([
  "InvalidParameterValue.DomainNotExists",
  "InvalidParameter.DomainInvalid",
  "InvalidParameter.DomainIdInvalid",
  "OperationDenied.NoPermissionToOperateDomain",
  "FailedOperation.NotDomainOwner",
  "FailedOperation.NotResourceOwner",
  "InvalidParameter.DomainTooLong",
  "ResourceNotFound",
  "ResourceNotFound.NoDataOfDomain",
])("%s for a zone only means that it is not ours", async (serviceCode) => {
  const fake = await startDnspod([apex]);
  fake.refuse(serviceCode, "DescribeDomain");
  const { present, stop } = await connectDnspod(fake);
  expect((await failureOf(present(owner, "value"))).code).toBe("ZONE_NOT_FOUND");
  await stop();
});

test.each([
  "FailedOperation.NotResourceOwner",
  "InvalidParameter.DomainTooLong",
  "InvalidParameter.PermissionDenied",
  "ResourceNotFound",
  "UnauthorizedOperation",
])("%s at a longer name does not end the search for the zone", async (serviceCode) => {
  const fake = await startDnspod([apex]);
  fake.http.inject({
    kind: "reply",
    times: Number.POSITIVE_INFINITY,
    when: ({ operation }, { body }) => operation === "DescribeDomain" && !body.includes('"example.com"'),
    reply: () => ({ body: { Response: { Error: { Code: serviceCode, Message: "" }, RequestId: "r" } } }),
  });
  const { present, stop } = await connectDnspod(fake);
  await present(parseName("_acme-challenge.a.b.example.com"), "value");
  expect(fake.values(apex, parseName("_acme-challenge.a.b.example.com"))).toEqual(["value"]);
  await stop();
});

test.each([
  ["InvalidParameter.OperationIsTooFrequent", "whatever"],
  ["InvalidParameter.Common", "当前操作过于频繁，请 1 分钟后重试。"],
  ["InvalidParameter.Common", "The operation is too frequent. Please try again in 1 minute."],
])("after %s (%s) the service is left alone for a minute", async (Code, Message) => {
  const Response = { Error: { Code, Message }, RequestId: "r" };
  const fake = await startDnspod([apex]);
  fake.http.inject({ kind: "reply", when: ({ write }) => write, reply: () => ({ body: { Response } }) });
  const { present, retries, stop } = await connectDnspod(fake);
  await present(owner, "value");
  expect(fake.values(apex, owner)).toEqual(["value"]);
  expect(retries()).toEqual([expect.objectContaining({ code: "RATE_LIMITED" })]);
  expect(retries()[0]?.waitMs).toBeGreaterThanOrEqual(60_000);
  await stop();
});

test("InvalidParameter.Common with other words is a refusal", async () => {
  const fake = await startDnspod([apex]);
  fake.refuse("InvalidParameter.Common", "CreateRecord");
  const { present, stop } = await connectDnspod(fake, {}, { once: true });
  expect((await failureOf(present(owner, "value"))).code).toBe("REJECTED");
  await stop();
});

test.each([
  ["默认", true],
  ["Default", true],
  ["境外", false],
])("a listed record without the id of its line is judged by the line's name (%s)", async (Line, isOurs) => {
  const fake = await startDnspod([apex]);
  const RecordList = [{ RecordId: 7, Value: "value", Line, Name: "_acme-challenge", Type: "TXT", TTL: 600 }];
  const Response = { RecordCountInfo: { TotalCount: 1 }, RecordList, RequestId: "r" };
  const when = ({ operation }: { readonly operation: string }) => operation === "DescribeRecordList";
  fake.http.inject({ kind: "reply", when, reply: () => ({ body: { Response } }) });
  fake.http.inject({ kind: "reply", when: ({ write }) => write, reply: () => ({ body: { Response } }) });
  const { cleanUp, stop } = await connectDnspod(fake, {}, { once: true });
  expect((await cleanUp(owner, "value"))[0]?.changed).toBe(isOurs);
  await stop();
});

test("a record that is gone when it is to be deleted is looked for once more", async () => {
  const fake = await startDnspod([apex]);
  fake.put(apex, owner, ["value", "foreign"], 600);
  const { cleanUp, stop } = await connectDnspod(fake);
  // Somebody else makes the record anew under another id between list and delete.
  fake.http.inject({
    kind: "reply",
    when: ({ operation }) => operation === "DeleteRecord",
    reply: () => ({
      body: { Response: { Error: { Code: "InvalidParameter.RecordIdInvalid", Message: "" }, RequestId: "r" } },
    }),
  });
  await cleanUp(owner, "value");
  expect(fake.values(apex, owner)).toEqual(["foreign"]);
  await stop();
});

test("an empty list that is told as an error is an empty list", async () => {
  const fake = await startDnspod([apex]);
  fake.refuse("ResourceNotFound.NoDataOfRecord", "DescribeRecordList");
  const { present, cleanUp, stop } = await connectDnspod(fake);
  await present(owner, "value");
  expect(fake.values(apex, owner)).toEqual(["value"]);
  await cleanUp(owner, "other");
  await stop();
});

test("a clock that is wrong is told as such", async () => {
  const fake = await startDnspod([apex], { clockAheadMs: 400_000 });
  const { present, stop } = await connectDnspod(fake);
  const error = await failureOf(present(owner, "value"));
  expect(error.message).toContain("(AuthFailure.SignatureExpire)");
  expect(error.hint).toContain("NTP");
  await stop();
});

test("a SecretKey of another SecretId is told as such", async () => {
  const fake = await startDnspod([apex]);
  const { present, stop } = await connectDnspod(fake, { secretKey: "not-the-key-of-this-id" });
  const error = await failureOf(present(owner, "value"));
  expect(error).toMatchObject({ code: "AUTH", message: expect.stringContaining("(AuthFailure.SignatureFailure)") });
  expect(error.hint).toContain("secretKey");
  await stop();
});

test.each([{}, { Response: {} }, { Response: null }, [], null, "text", { errors: "none of the API's" }])(
  "an answer that is not the API's (%j) is temporary, and nothing is believed",
  async (body) => {
    const fake = await startDnspod([apex]);
    fake.http.inject({ kind: "reply", reply: () => ({ body: JSON.stringify(body) }), times: 20 });
    const { present, stop } = await connectDnspod(fake, {}, { once: true });
    expect((await failureOf(present(owner, "value"))).code).toBe("TRANSIENT");
    await stop();
  },
);

test.each([{ Response: {} }, { Response: [] }, { Response: null }, null])(
  "a write that is answered with %j is not believed: the list decides",
  async (body) => {
    const fake = await startDnspod([apex]);
    const { present, cleanUp, stop } = await connectDnspod(fake);
    const reply = () => ({ body: JSON.stringify(body) });
    fake.http.inject({ kind: "reply", when: ({ write }) => write, reply });
    await present(owner, "value");
    expect(fake.values(apex, owner)).toEqual(["value"]);
    fake.http.inject({ kind: "reply", when: ({ write }) => write, reply });
    await cleanUp(owner, "value");
    expect(fake.values(apex, owner)).toEqual([]);
    await stop();
  },
);

test("a list of nothing may be no list at all", async () => {
  const fake = await startDnspod([apex]);
  const { present, stop } = await connectDnspod(fake, {}, { once: true });
  const Response = {
    RecordCountInfo: { SubdomainCount: 0, ListCount: 0, TotalCount: 0 },
    RecordList: null,
    RequestId: "r",
  };
  const when = ({ operation }: { readonly operation: string }) => operation === "DescribeRecordList";
  fake.http.inject({ kind: "reply", when, reply: () => ({ body: { Response } }) });
  await present(owner, "value");
  expect(fake.values(apex, owner)).toEqual(["value"]);
  await stop();
});

test.each([
  [408, "TRANSIENT"],
  [429, "RATE_LIMITED"],
  [502, "TRANSIENT"],
  [403, "REJECTED"],
])("HTTP status %i comes from something in between and is %s", async (status, code) => {
  const fake = await startDnspod([apex]);
  fake.http.inject({ kind: "reply", reply: () => ({ status, body: "<html>" }), times: 20 });
  const { present, stop } = await connectDnspod(fake, {}, { once: true });
  const error = await failureOf(present(owner, "value"));
  expect([error.code, error.message.includes(`HTTP status ${status}`)]).toEqual([code, true]);
  await stop();
});

test("a certificate that is not trusted is no passing trouble", () => {
  const said = "request to https://dnspod.tencentcloudapi.com/ failed, reason: self-signed certificate";
  const error = dnspod.classify?.(Object.assign(new Error(said), { traceId: "t" }));
  expect(error).toMatchObject({ code: "REJECTED", hint: expect.stringContaining("NODE_EXTRA_CA_CERTS") });
});

const faults = async (config: Readonly<Record<string, unknown>>): Promise<string> => {
  const error = await failureOf(resolveConfig(dnspod, { config, configPath: "here", env: {} }));
  return error.message;
};

test("credentials of the other kind are recognised, and it is said which", async () => {
  expect(await faults({ secretId: "13490", secretKey: "6b5976c68aba5b14a0558b77c17c3932" })).toMatch(
    /here\.secretId: is of the DNSPod console .* give "ID,Token" as loginToken \(DNSPOD_API_KEY\)/,
  );
  expect(await faults({ secretId: "AKIDabc", secretKey: "13490,6b5976c68aba5b14a0558b77c17c3932" })).toMatch(
    /here\.secretKey: is of the DNSPod console/,
  );
  expect(await faults({ loginToken: fakeKey.secretId })).toMatch(
    /here\.loginToken: is a SecretId of Tencent Cloud: give secretId and secretKey/,
  );
  expect(await faults({ loginToken: "6b5976c68aba5b14a0558b77c17c3932" })).toMatch(
    /here\.loginToken: has to be "ID,Token"/,
  );
  expect(await faults({ loginToken: "1,a", endpoint: "https://dnspod.tencentcloudapi.com" })).toMatch(
    /here\.endpoint: /,
  );
  expect(await faults({ secretId: "AKIDa", secretKey: "b", endpoint: "https://dnsapi.cn" })).toMatch(
    /here\.endpoint: /,
  );
});

test("missing credentials are told all at once, with every way to give them and what they must be allowed", async () => {
  const message = await faults({});
  for (const part of [
    "TENCENTCLOUD_SECRET_ID_FILE",
    "TENCENTCLOUD_SECRET_KEY",
    "DNSPOD_API_KEY",
    "dnspod:DescribeDomain",
  ]) {
    expect(message).toContain(part);
  }
});
