import { expect, test } from "vitest";
import dnspod from "../../providers/dnspod.ts";
import { resolveConfig } from "../../src/core/fields.ts";
import { parseName } from "../../src/core/name.ts";
import { testProvider } from "../../src/testing/index.ts";
import { fakeLoginToken, startDnspod } from "../fakes/dnspod.ts";
import { connectDnspod, failureOf } from "./dnspod-program.ts";
import { runCheck } from "./trial/lab.ts";
import type { AdapterTrial } from "./trial/subject.ts";
import { checks, perRecord, subjectOf } from "./trial.ts";

const trial: AdapterTrial = {
  provider: dnspod,
  shape: "record",
  economy: perRecord,
  start: (zones) => startDnspod(zones, { signIn: "loginToken", pageCap: 50 }),
  skip: { "errors.retry-after": "neither of the two APIs says for how long" },
};
const seed = Number(process.env["SEED"] ?? 20_240_301);

testProvider(test, subjectOf(trial), { seed, operations: 20 });

// What depends on the protocol; the rest is the same code as with keys of Tencent Cloud.
const wanted = /^(economy|faults\.(present|clean-up)|interleavings|messages\.credentials|secrecy)/;
for (const check of checks.filter(({ id }) => wanted.test(id))) {
  test(`login token: ${check.id} ${check.title}`, () => runCheck(check, trial, { seed, rounds: 8 }));
}

const apex = parseName("example.com");
const owner = parseName("_acme-challenge.example.com");

test("a TTL below the plan's minimum is raised here too", async () => {
  const fake = await startDnspod([apex], { signIn: "loginToken" });
  const { present, warnings, stop } = await connectDnspod(fake, { ttl: 120 });
  await present(owner, "value");
  expect(fake.ttlSeconds?.(apex, owner)).toBe(600);
  expect(warnings()).toEqual(["dnspod: example.com does not take a TTL of 120 s; 600 s is used"]);
  await stop();
});

test.each(["ascii", "unicode"] as const)("a zone that is no ASCII is found by its %s name", async (spelling) => {
  const idn = parseName("bücher.example");
  const fake = await startDnspod([idn], { signIn: "loginToken", spelling });
  const { present, stop } = await connectDnspod(fake);
  await present(parseName("_acme-challenge.bücher.example"), "value");
  expect(fake.values(idn, parseName("_acme-challenge.bücher.example"))).toEqual(["value"]);
  await stop();
});

test("records of the international site, which have no ids of lines, are seen", async () => {
  const fake = await startDnspod([apex], { signIn: "loginToken", defaultLine: "Default", lineIds: false });
  fake.put(apex, owner, ["theirs"], 600);
  const { present, cleanUp, stop } = await connectDnspod(fake);
  await present(owner, "mine");
  expect(fake.values(apex, owner)).toEqual(["theirs", "mine"]);
  await cleanUp(owner, "mine");
  expect(fake.values(apex, owner)).toEqual(["theirs"]);
  await stop();
});

test.each([13490, "13490"])("the ID of the token may stand beside it: apiID %j", async (apiID) => {
  const fake = await startDnspod([apex], { signIn: "loginToken" });
  const apiToken = fakeLoginToken.split(",")[1];
  const { present, stop } = await connectDnspod(fake, { loginToken: undefined, apiID, apiToken });
  await present(owner, "value");
  expect(fake.values(apex, owner)).toEqual(["value"]);
  await stop();
});

test.each([
  [{ apiID: 1, loginToken: "2,token" }, "apiID: is not the ID in loginToken"],
  [{ apiID: 1, secretId: "AKIDa", secretKey: "b" }, ": is missing: apiID is the ID of a token"],
  [{ apiID: "AKID", loginToken: "token" }, "apiID: "],
])("an apiID that does not go with the rest is a fault: %j", async (config, fault) => {
  await expect(resolveConfig(dnspod, { config })).rejects.toThrow(fault);
});

test("pages are read to their end", async () => {
  const fake = await startDnspod([apex], { signIn: "loginToken", pageCap: 2 });
  fake.put(apex, owner, ["a", "b", "c", "d", "mine"], 600);
  const { cleanUp, stop } = await connectDnspod(fake);
  await cleanUp(owner, "mine");
  expect(fake.values(apex, owner)).toEqual(["a", "b", "c", "d"]);
  await stop();
});

test.each([{ records: null }, {}])("a list of nothing may be no list at all: %j", async (list) => {
  const fake = await startDnspod([apex], { signIn: "loginToken" });
  const { present, stop } = await connectDnspod(fake, {}, { once: true });
  const body = { status: { code: "1", message: "" }, info: { record_total: "0" }, ...list };
  const when = ({ operation }: { readonly operation: string }) => operation === "Record.List";
  fake.http.inject({ kind: "reply", when, reply: () => ({ body }) });
  await present(owner, "value");
  expect(fake.values(apex, owner)).toEqual(["value"]);
  await stop();
});

test("every status says what it is about", async () => {
  const said = async (reply: (code: string) => string, code: string): Promise<string> => {
    const fake = await startDnspod([apex], { signIn: "loginToken" });
    const { present, stop } = await connectDnspod(fake, {}, { once: true });
    fake.http.inject({
      kind: "reply",
      when: ({ operation }) => operation === "Record.Create",
      reply: () => ({ body: { status: { code, message: reply(code), created_at: "2024-01-01 00:00:00" } } }),
      times: 2,
    });
    const { code: ours, message } = await failureOf(present(owner, "value"));
    await stop();
    return `${ours} ${message.replace(/^dnspod: cannot create TXT at \S+: /, "")}`;
  };
  const words = (code: string) => `told ${code} for request 4f6e0ad2-44b1-4b13-a2c3-5dd2a1e3c8f0`;
  const codes = ["-1", "10003", "83", "7", "13", "21", "25", "500025", "26", "3", "-2", "99"];
  expect(await Promise.all(codes.map((code) => said(words, code)))).toEqual([
    "AUTH the login token is not accepted (-1)",
    "AUTH the login token is not accepted (10003)",
    "AUTH the account does not let this key in (83)",
    "AUTH the key may not do this (7)",
    "ZONE_NOT_FOUND the account has no such domain (13)",
    "REJECTED the domain cannot be changed now (21)",
    "REJECTED the name has as many values as the zone's plan allows (25)",
    "REJECTED the name has as many values as the zone's plan allows (500025)",
    "REJECTED there is no such record line (26)",
    "TRANSIENT the service failed for the moment (3)",
    "RATE_LIMITED too many requests (-2)",
    'REJECTED the service says "told 99 for request …" (99)',
  ]);
});

test("the program names itself and whom to write to, as the service demands, and sends its token in the body only", async () => {
  const fake = await startDnspod([apex], { signIn: "loginToken" });
  const { present, stop } = await connectDnspod(fake);
  await present(owner, "value");
  for (const { request } of fake.http.calls) {
    expect(request.headers["user-agent"]).toMatch(/^dns01\/[\d.]+ \(\S+@\S+\)$/);
    expect(`${request.path}${request.rawQuery}${JSON.stringify(request.headers)}`).not.toContain(fakeLoginToken);
  }
  await stop();
});
