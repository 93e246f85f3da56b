import { expect, test } from "vitest";
import dnspod from "../../providers/dnspod.ts";
import { fieldsOf, resolveConfig } from "../../src/core/fields.ts";
import { parseName } from "../../src/core/name.ts";
import { startDnspod } from "../fakes/dnspod.ts";
import { connectDnspod, failureOf } from "./dnspod-program.ts";

const apex = parseName("example.com");
const owner = parseName("_acme-challenge.example.com");

test("a TTL below the plan's minimum is raised, with a warning, and later records get it at once", async () => {
  const fake = await startDnspod([apex]);
  const { present, warnings, stop } = await connectDnspod(fake, { ttl: 60 });
  await present(owner, "a", "b");
  expect(fake.values(apex, owner)).toEqual(["a", "b"]);
  expect(fake.ttlSeconds?.(apex, owner)).toBe(600);
  expect(warnings()).toEqual(["dnspod: example.com does not take a TTL of 60 s; 600 s is used"]);
  expect(fake.http.calls.filter(({ operation }) => operation === "CreateRecord")).toHaveLength(3);
  await stop();
});

test("a paid plan keeps a low TTL", async () => {
  const fake = await startDnspod([apex], { minTtl: 60 });
  const { present, warnings, stop } = await connectDnspod(fake, { ttl: 60 });
  await present(owner, "a");
  expect([fake.ttlSeconds?.(apex, owner), warnings()]).toEqual([60, []]);
  await stop();
});

test("what lists do not show yet is neither made twice nor taken for gone", async () => {
  const fake = await startDnspod([apex], { listLagMs: 150 });
  const first = await connectDnspod(fake);
  const second = await connectDnspod(fake);
  const creates = () => fake.http.calls.filter(({ operation }) => operation === "CreateRecord").length;
  expect((await first.present(owner, "value"))[0]?.changed).toBe(true);
  expect((await first.present(owner, "value"))[0]?.changed).toBe(false);
  // Another replica, to which the list shows nothing: the service's word is proof.
  expect((await second.present(owner, "value"))[0]?.changed).toBe(false);
  expect(creates()).toBeLessThanOrEqual(3);
  expect(fake.values(apex, owner)).toEqual(["value"]);
  expect((await second.cleanUp(owner, "value"))[0]?.changed).toBe(true);
  expect(fake.values(apex, owner)).toEqual([]);
  // The list still shows what is gone: it is made anew all the same.
  expect((await second.present(owner, "value"))[0]?.changed).toBe(true);
  expect(fake.values(apex, owner)).toEqual(["value"]);
  await first.stop({ fakeToo: false });
  await second.stop();
});

test.each(["key", "loginToken"] as const)(
  "programs without a common state wait for late lists (%s)",
  async (signIn) => {
    const fake = await startDnspod([apex], { listLagMs: 150, signIn });
    const programs = await Promise.all(Array.from({ length: 3 }, () => connectDnspod(fake)));
    const [first, second, third] = programs;
    await first?.present(owner, "value");
    expect((await second?.cleanUp(owner, "value"))?.[0]?.changed).toBe(true);
    expect(fake.values(apex, owner)).toEqual([]);
    // The list still shows it.
    expect((await third?.present(owner, "value"))?.[0]?.changed).toBe(true);
    expect(fake.values(apex, owner)).toEqual(["value"]);
    await Promise.all(programs.slice(1).map((program) => program.stop({ fakeToo: false })));
    await first?.stop();
  },
);

test("pages are read to their end, however short the service makes them", async () => {
  const fake = await startDnspod([apex], { pageCap: 2 });
  fake.put(apex, owner, ["a", "b", "c", "d", "mine"], 600);
  const { present, cleanUp, stop } = await connectDnspod(fake);
  await present(owner, "mine");
  await cleanUp(owner, "mine");
  expect(fake.values(apex, owner)).toEqual(["a", "b", "c", "d"]);
  await stop();
});

test("lists longer than one page of the service are complete", async () => {
  const fake = await startDnspod([apex], { rollLimit: 10_000 });
  fake.put(apex, owner, [...Array.from({ length: 3000 }, (_, i) => `foreign-${i}`), "mine"], 600);
  const { cleanUp, stop } = await connectDnspod(fake);
  await cleanUp(owner, "mine");
  expect(fake.values(apex, owner)).toHaveLength(3000);
  const lists = fake.http.calls.filter(({ operation }) => operation === "DescribeRecordList");
  expect(lists).toHaveLength(2);
  await stop();
});

test.each(["ascii", "unicode"] as const)("a zone that is no ASCII is found by its %s name", async (spelling) => {
  const idn = parseName("bücher.example");
  const name = parseName("_acme-challenge.straße.bücher.example");
  const fake = await startDnspod([idn], { spelling });
  const { present, cleanUp, stop } = await connectDnspod(fake);
  await present(name, "value");
  expect(fake.values(idn, name)).toEqual(["value"]);
  await cleanUp(name, "value");
  expect(fake.values(idn, name)).toEqual([]);
  await stop();
});

test("a line of one's own is used by its name, and values on other lines are not one's own", async () => {
  const fake = await startDnspod([apex]);
  fake.put(apex, owner, ["value"], 600);
  const { present, cleanUp, stop } = await connectDnspod(fake, { recordLine: "境外" });
  await present(owner, "value");
  const lines = () =>
    fake.store.standing(fake.store.byApex(apex)).flatMap(({ type, line }) => (type === "TXT" ? [line.id] : []));
  expect(lines()).toEqual(["0", "3=0"]);
  await cleanUp(owner, "value");
  expect(lines()).toEqual(["0"]);
  await stop();
});

test.each(["", "默认", "Default", " default "])(
  "%j is the default line, on the international site too",
  async (recordLine) => {
    for (const defaultLine of ["默认", "Default"]) {
      const fake = await startDnspod([apex], { defaultLine });
      const { present, cleanUp, stop } = await connectDnspod(fake, { recordLine });
      await present(owner, "value");
      expect(fake.values(apex, owner)).toEqual(["value"]);
      await cleanUp(owner, "value");
      expect(fake.values(apex, owner)).toEqual([]);
      await stop();
    }
  },
);

test("a line that the plan does not have is named as the fault", async () => {
  const fake = await startDnspod([apex]);
  const { present, stop } = await connectDnspod(fake, { recordLine: "月球" });
  const error = await failureOf(present(owner, "value"));
  expect(error).toMatchObject({ code: "REJECTED", serviceCode: "InvalidParameter.RecordLineInvalid" });
  expect(error.hint).toContain("recordLine");
  await stop();
});

test("left-overs that fill a name are told with the way out", async () => {
  const fake = await startDnspod([apex], { rollLimit: 2 });
  fake.put(apex, owner, ["left", "over"], 600);
  const { present, stop } = await connectDnspod(fake);
  const error = await failureOf(present(owner, "value"));
  expect(error.message).toContain("(LimitExceeded.SubdomainRollLimit)");
  expect(error.hint).toContain("earlier challenges");
  await stop();
});

test("two programs that remove one record at the same moment both succeed", async () => {
  const fake = await startDnspod([apex]);
  fake.put(apex, owner, ["value", "foreign"], 600);
  const programs = await Promise.all([connectDnspod(fake), connectDnspod(fake)]);
  fake.http.setLatency(() => 30);
  await Promise.all(programs.map(({ cleanUp }) => cleanUp(owner, "value")));
  expect(fake.http.calls.filter(({ operation }) => operation === "DeleteRecord")).toHaveLength(2);
  expect(fake.values(apex, owner)).toEqual(["foreign"]);
  await Promise.all(programs.map(({ stop }) => stop()));
});

test.each(["key", "loginToken"] as const)("a value whose record is switched off is made anew (%s)", async (signIn) => {
  const fake = await startDnspod([apex], { signIn });
  fake.put(apex, owner, ["value", "foreign"], 600);
  const { records } = fake.store.byApex(apex);
  for (const record of records) if (record.type === "TXT") record.isOff = true;
  const { present, cleanUp, stop } = await connectDnspod(fake);
  expect((await present(owner, "value"))[0]?.changed).toBe(true);
  const standing = fake.store.standing(fake.store.byApex(apex)).filter(({ type }) => type === "TXT");
  expect(standing.map(({ value, isOff = false }) => [value, isOff])).toEqual([
    ["foreign", true],
    ["value", false],
  ]);
  await cleanUp(owner, "value");
  expect(fake.values(apex, owner)).toEqual(["foreign"]);
  await stop();
});

test("a domain that is paused is warned of", async () => {
  const fake = await startDnspod([apex]);
  fake.store.byApex(apex).status = "PAUSE";
  const { present, warnings, stop } = await connectDnspod(fake);
  await present(owner, "value");
  expect(warnings()).toEqual(["dnspod: example.com is paused: its records are not served"]);
  await stop();
});

test("a domain of somebody else's account is passed over", async () => {
  const fake = await startDnspod([apex, parseName("www.example.com")]);
  fake.store.byApex(parseName("www.example.com")).foreign = true;
  const { present, stop } = await connectDnspod(fake);
  await present(parseName("_acme-challenge.www.example.com"), "value");
  expect(fake.values(apex, parseName("_acme-challenge.www.example.com"))).toEqual(["value"]);
  await stop();
});

test("fields are named as existing issuers and other programs name them", async () => {
  const fields = fieldsOf(dnspod);
  expect(fields.find(({ name }) => name === "secretId")?.references).toContain("secretIdRef");
  expect(fields.find(({ name }) => name === "secretKey")?.references).toContain("secretKeyRef");
  const keys = { secretId: "AKIDa", secretKey: "b" };
  const issuer = await resolveConfig(dnspod, { config: { ...keys, ttl: 600, recordLine: "" } });
  expect(issuer).toMatchObject({ ttlSeconds: 600, config: { ...keys, recordLine: "" } });
  for (const prefix of ["TENCENTCLOUD", "DNSPOD"]) {
    const env = { [`${prefix}_SECRET_ID`]: "AKIDa\n", [`${prefix}_SECRET_KEY`]: "b" };
    expect((await resolveConfig(dnspod, { env })).config).toMatchObject(keys);
  }
  for (const name of ["TENCENTCLOUD_SESSION_TOKEN", "TENCENTCLOUD_TOKEN"]) {
    expect((await resolveConfig(dnspod, { config: keys, env: { [name]: "t" } })).config.sessionToken).toBe("t");
  }
  expect((await resolveConfig(dnspod, { env: { DNSPOD_API_KEY: "123,abc" } })).config.loginToken).toBe("123,abc");
});
