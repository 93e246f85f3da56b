import { afterEach, beforeEach, expect, test } from "vitest";
import hetzner from "../../providers/hetzner.ts";
import { parseName } from "../../src/core/name.ts";
import { type HetznerFake, startHetznerFake, token } from "../fakes/hetzner.ts";
import { callsOf, type ProgramOptions, startProgram } from "./program.ts";

const apex = parseName("example.com");
const owner = parseName("_acme-challenge.www.example.com");
const set = "_acme-challenge.www/TXT";

let fake: HetznerFake;
const running: { stop(): void }[] = [];

async function program(options: ProgramOptions = {}) {
  const started = await startProgram(hetzner, fake, { zoneCut: apex, ...options });
  running.push(started);
  return started;
}

beforeEach(async () => {
  fake = await startHetznerFake([apex]);
});
afterEach(async () => {
  for (const started of running.splice(0)) started.stop();
  await fake.http.close();
});

test.each([
  ["with the API's path", "/v1"],
  ["without a path", ""],
])("takes an endpoint %s", async (_how, path) => {
  await (await program({ config: { endpoint: `${fake.http.url}${path}` } })).present(owner, "value");
  expect(fake.values(apex, owner)).toEqual(["value"]);
});

test("waits until the action has ended before it says that the value is there", async () => {
  fake.polls = 5;
  fake.endsUnasked = false;
  await (await program()).present(owner, "value");
  expect(fake.values(apex, owner)).toEqual(["value"]);
  expect(callsOf(fake).filter((call) => call.startsWith("GET /actions/"))).toHaveLength(5);
});

test("an action that fails is tried again, and told if it keeps failing", async () => {
  fake.outcome = "error";
  const error = await (await program({ once: true })).fail(owner, "value");
  expect(error).toMatchObject({ code: "TRANSIENT" });
  expect(error.message).toContain("the action failed: Action failed (action_failed)");
  const { present } = await program();
  setTimeout(() => {
    fake.outcome = "success";
  }, 30);
  await present(owner, "value");
  expect(fake.values(apex, owner)).toEqual(["value"]);
});

test.each([
  [403, "forbidden", "TRANSIENT"],
  [429, "rate_limit_exceeded", "RATE_LIMITED"],
])("whoever is not told what became of a change (%i) does not take it for refused", async (status, code, expected) => {
  const reply = () => ({ status, body: { error: { code, message: "no", details: null } } });
  fake.polls = 100;
  fake.http.inject({ kind: "reply", when: ({ poll }) => poll === true, reply });
  const error = await (await program({ once: true })).fail(owner, "value");
  expect(error).toMatchObject({ code: expected, nothingWritten: false });
  expect(error.message).toContain("what became of the change is not known");
});

test("a zone that another action holds is waited for", async () => {
  fake.zone(apex).running = 4711;
  const wasRefused = () => fake.http.calls.some(({ status }) => status === 423);
  // The other action ends once it has been in the way, however slow this machine is.
  const watch = setInterval(() => {
    if (wasRefused()) fake.zone(apex).running = undefined;
  }, 5);
  const { present } = await program();
  await present(owner, "value").finally(() => clearInterval(watch));
  expect(fake.values(apex, owner)).toEqual(["value"]);
  expect(wasRefused()).toBe(true);
});

test("a value that somebody else added meanwhile is no error", async () => {
  const { present } = await program();
  let came = false;
  fake.http.inject({
    kind: "throttle",
    // After the list and before the write is handled.
    when: ({ write }) => {
      if (write && !came) fake.put(apex, owner, ["value"], 60);
      came ||= write;
      return false;
    },
  });
  const [solved] = await present(owner, "value");
  expect(solved?.changed).toBe(false);
  expect(fake.values(apex, owner)).toEqual(["value"]);
});

test("a value that somebody else removed meanwhile, with its set or without, is removed", async () => {
  for (const others of [[], ["theirs"]]) {
    const { present, cleanUp } = await program();
    fake.put(apex, owner, others, 60);
    await present(owner, "value");
    fake.http.inject({
      kind: "throttle",
      when: ({ write }) => {
        const kept =
          fake
            .zone(apex)
            .rrsets.get(set)
            ?.records.filter(({ value }) => value !== '"value"') ?? [];
        if (write && kept.length > 0) fake.zone(apex).rrsets.set(set, { ttl: 60, records: kept });
        else if (write) fake.zone(apex).rrsets.delete(set);
        return false;
      },
    });
    await cleanUp(owner, "value");
    fake.http.calm();
    expect(fake.values(apex, owner)).toEqual(others);
  }
});

test.each([
  ["a TTL of their own", 4321],
  ["the zone's TTL", null],
])("values that stand there with %s keep it", async (_what, ttl) => {
  fake.zone(apex).rrsets.set(set, { ttl, records: [{ value: '"theirs"', comment: "keep" }] });
  await (await program()).present(owner, "value");
  expect(fake.zone(apex).rrsets.get(set)?.ttl).toBe(ttl);
  expect(fake.values(apex, owner)).toEqual(["theirs", "value"]);
});

test("values that came meanwhile with another TTL are joined", async () => {
  const { present } = await program();
  let came = false;
  fake.http.inject({
    kind: "throttle",
    when: ({ write }) => {
      if (write && !came) fake.put(apex, owner, ["theirs"], 4321);
      came ||= write;
      return false;
    },
  });
  await present(owner, "value");
  expect(fake.zone(apex).rrsets.get(set)?.ttl).toBe(4321);
  expect(fake.values(apex, owner)).toEqual(["theirs", "value"]);
});

test("a secondary zone is passed over for a parent, or told", async () => {
  await fake.http.close();
  fake = await startHetznerFake([parseName("www.example.com"), apex]);
  fake.zone("www.example.com").mode = "secondary";
  await (await program()).present(owner, "value");
  expect(fake.values(apex, owner)).toEqual(["value"]);
  fake.zone(apex).mode = "secondary";
  const error = await (await program({ zoneCut: "www.example.com" })).fail(owner, "other");
  expect(error.code).toBe("ZONE_NOT_FOUND");
  expect(error.message).toContain("www.example.com is a secondary zone");
});

test("what is wrong with the token is told", async () => {
  fake.tokens.set(token, "read");
  const readOnly = await (await program()).fail(owner, "value");
  expect(readOnly).toMatchObject({ code: "AUTH", hint: "Make a token with Read & Write." });
  expect(readOnly.message).toContain("(token_readonly)");
  fake.tokens.clear();
  const unknown = await (await program()).fail(owner, "value");
  expect(unknown).toMatchObject({ code: "AUTH", hint: expect.stringContaining("old DNS Console") });
});

test("a protected set is a refusal, not a matter of credentials", async () => {
  fake.zone(apex).rrsets.set(set, { ttl: 60, records: [{ value: '"theirs"' }], protected: true });
  const error = await (await program()).fail(owner, "value");
  expect(error).toMatchObject({ code: "REJECTED", serviceCode: "protected" });
  expect(error.hint).toContain("protection");
});

test("a refused request names the field", async () => {
  const reply = () => ({
    status: 422,
    body: {
      error: {
        code: "invalid_input",
        message: "invalid input in field 'name'",
        details: { fields: [{ name: "name", messages: ["too long", "not lower case"] }] },
      },
    },
  });
  fake.http.inject({ kind: "reply", when: ({ write }) => write, reply, times: 2 });
  const error = await (await program()).fail(owner, "value");
  expect(error).toMatchObject({ code: "REJECTED", serviceCode: "invalid_input" });
  expect(error.message).toContain("invalid input in field 'name'; name: too long, not lower case (invalid_input)");
});
