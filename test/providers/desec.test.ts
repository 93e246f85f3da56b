import { afterEach, beforeEach, expect, test } from "vitest";
import desec from "../../providers/desec.ts";
import { parseName } from "../../src/core/name.ts";
import { type DesecFake, startDesecFake, token } from "../fakes/desec.ts";
import { callsOf, type ProgramOptions, startProgram } from "./program.ts";

const apex = parseName("example.com");
const owner = parseName("_acme-challenge.www.example.com");

let fake: DesecFake;
const running: { stop(): void }[] = [];

async function program(options: ProgramOptions = {}) {
  const started = await startProgram(desec, fake, { zoneCut: apex, ...options });
  running.push(started);
  return started;
}

beforeEach(async () => {
  fake = await startDesecFake([apex]);
});
afterEach(async () => {
  for (const started of running.splice(0)) started.stop();
  await fake.http.close();
});

test.each([
  ["with the API's path", "/api/v1"],
  ["with a slash behind it", "/api/v1/"],
  ["without a path", ""],
])("takes an endpoint %s", async (_how, path) => {
  await (await program({ config: { endpoint: `${fake.http.url}${path}` } })).present(owner, "value");
  expect(fake.domain(apex).rrsets).toEqual([
    { subname: "_acme-challenge.www", type: "TXT", ttl: 3600, records: ['"value"'] },
  ]);
});

test("asks for the zone that DNS names, then reads and writes", async () => {
  await (await program()).present(owner, "value");
  const path = `/domains/${apex}/rrsets/_acme-challenge.www/TXT/`;
  expect(callsOf(fake)).toEqual([`GET /domains/${apex}/`, `GET ${path}`, `PATCH /domains/${apex}/rrsets/`]);
});

test("writes at the apex, which a bulk request spells differently", async () => {
  await fake.http.close();
  fake = await startDesecFake([owner]);
  const { present, cleanUp } = await program({ zoneCut: owner });
  await present(owner, "one", "two");
  expect(fake.values(owner, owner)).toEqual(["one", "two"]);
  await cleanUp(owner, "one", "two");
  expect(fake.domain(owner).rrsets).toEqual([]);
});

test("a TTL below the domain's minimum is raised to it once, with a warning", async () => {
  const { present, warnings } = await program({ config: { ttl: 60 } });
  await present(owner, "value");
  await present("_acme-challenge.example.com", "value");
  expect(fake.domain(apex).rrsets.map(({ ttl }) => ttl)).toEqual([3600, 3600]);
  expect(warnings()).toEqual([expect.stringContaining("example.com does not take a TTL of 60 s; 3600 s is used")]);
  expect(fake.http.calls.filter(({ status }) => status === 400)).toHaveLength(1);
});

test("a set with a TTL below the domain's minimum is written and keeps it", async () => {
  const old = { subname: "_acme-challenge.www", type: "TXT", ttl: 60, records: ['"theirs"', '"old"'] };
  fake.domain(apex).rrsets.push(old);
  const { present, cleanUp } = await program();
  await present(owner, "value");
  expect(fake.domain(apex).rrsets).toEqual([{ ...old, records: ['"theirs"', '"old"', '"value"'] }]);
  await cleanUp(owner, "value", "old");
  expect(fake.domain(apex).rrsets).toEqual([{ ...old, records: ['"theirs"'] }]);
});

test("a set that somebody takes away between reading and writing is not brought back", async () => {
  fake.domain(apex).rrsets.push({ subname: "_acme-challenge.www", type: "TXT", ttl: 3600, records: ['"theirs"'] });
  const { present } = await program();
  fake.http.inject({
    kind: "reply",
    when: ({ write }) => write,
    reply: () => {
      fake.domain(apex).rrsets.splice(0);
      return { status: 400, body: [{ ttl: ["This field is required."] }] };
    },
  });
  await present(owner, "value");
  expect(fake.values(apex, owner)).toEqual(["value"]);
});

test("a domain that allows short TTLs gets them", async () => {
  fake.domain(apex).minimumTtl = 60;
  const { present, warnings } = await program({ config: { ttl: 60 } });
  await present(owner, "value");
  expect(fake.domain(apex).rrsets[0]?.ttl).toBe(60);
  expect(warnings()).toEqual([]);
});

test("a CNAME in the way is told", async () => {
  fake.domain(apex).rrsets.push({ subname: "_acme-challenge.www", type: "CNAME", ttl: 3600, records: ["a.test."] });
  const error = await (await program()).fail(owner, "value");
  expect(error).toMatchObject({ code: "REJECTED", hint: expect.stringContaining("Remove the CNAME") });
  expect(error.message).toBe(
    "desec: cannot write TXT in example.com: HTTP status 400: RRset with conflicting type present: database (CNAME). (No other RRsets are allowed alongside CNAME.)",
  );
});

test("a token that may not write there, and one that is wrong, are told apart", async () => {
  fake.tokens.set(token, new Set(["example.net"]));
  const limited = await (await program()).fail(owner, "value");
  expect(limited).toMatchObject({ code: "AUTH", hint: expect.stringContaining("policy") });
  expect(limited.message).toContain("Insufficient token permissions.");
  fake.tokens.clear();
  const wrong = await (await program()).fail(owner, "value");
  expect(wrong).toMatchObject({ code: "AUTH", hint: expect.stringContaining("Check token") });
});

test("a throttle says how long, in a field and not in words", async () => {
  fake.http.inject({ kind: "throttleRetryAfter", retryAfterSeconds: 7000, times: Number.POSITIVE_INFINITY });
  const error = await (await program()).fail(owner, "value");
  expect(error).toMatchObject({ code: "RATE_LIMITED", retryAfterMs: 7_000_000 });
  expect(error.message).toBe("desec: cannot look up the zone example.com: the account has used up its requests");
  expect(fake.http.calls).toHaveLength(1);
});

test("a domain that has used up its changes does not stop the account's other domains", async () => {
  const other = parseName("example.net");
  await fake.http.close();
  fake = await startDesecFake([apex, other]);
  const { present, fail } = await program();
  fake.http.inject({ kind: "throttleRetryAfter", retryAfterSeconds: 7000, when: ({ write }) => write });
  const error = await fail(owner, "value");
  expect(error).toMatchObject({ code: "RATE_LIMITED", retryAfterMs: 7_000_000 });
  expect(error.message).toBe("desec: cannot write TXT in example.com: the domain has used up its changes");
  await present(parseName("_acme-challenge.example.net"), "value");
  expect(fake.values(other, parseName("_acme-challenge.example.net"))).toEqual(["value"]);
});

test("two writes that met in the service's database are made again", async () => {
  const reply = () => ({ status: 409, body: { detail: "Conflict: duplicate key value violates unique constraint" } });
  fake.http.inject({ kind: "reply", when: ({ write }) => write, reply });
  await (await program()).present(owner, "value");
  expect(fake.values(apex, owner)).toEqual(["value"]);
});

test("a change that somebody else overwrote is made again when it is looked at again", async () => {
  const { present } = await program();
  await present(owner, "value");
  // Another writer replaces the set with what it had read before.
  const theirs = { subname: "_acme-challenge.www", type: "TXT", ttl: 3600, records: ['"theirs"'] };
  fake.domain(apex).rrsets.splice(0, 1, theirs);
  await present(owner, "value");
  expect([...fake.values(apex, owner)].sort()).toEqual(["theirs", "value"]);
});

test("foreign values stay as they are written there, their strings and octets too", async () => {
  const foreign = ['"part one " "part two"', '"bin\\255\\000z"', '"ab"', '"a" "b"'];
  fake.domain(apex).rrsets.push({ subname: "_acme-challenge.www", type: "TXT", ttl: 3600, records: foreign });
  const { present, cleanUp } = await program();
  await present(owner, "value");
  expect(fake.domain(apex).rrsets[0]?.records).toEqual([...foreign, '"value"']);
  await cleanUp(owner, "value");
  expect(fake.domain(apex).rrsets[0]?.records).toEqual(foreign);
});

test("an absent page of a proxy is not an absent value", async () => {
  fake.http.inject({ kind: "reply", nth: 2, reply: () => ({ status: 404, body: "<html>Not Found</html>" }) });
  const error = await (await program({ once: true })).fail(owner, "value");
  expect(error).toMatchObject({ code: "REJECTED" });
  expect(fake.http.calls.some(({ write }) => write)).toBe(false);
});
