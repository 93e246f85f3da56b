import { afterEach, beforeEach, expect, test } from "vitest";
import { issue } from "../../src/issuer/issue.ts";
import { openWorld, updatesOf, type World } from "../issuer/world.ts";
import { authorizationsOf, newOrder, type Order, orderOf, settled } from "./acme-steps.ts";
import { type RawAcme, rawAcme, txtFor } from "./raw-acme.ts";

/*
 * The case dns01 exists for: apex and wildcard share one challenge name and need two values there. A client that proves
 * them one after the other, replacing the value, meets a resolver that still holds the first answer; after a failure it
 * waits 1, 2, 4, … 32 hours, as cert-manager does. Ten failures in a row are eight days.
 */

const names = ["example.test", "*.example.test"];
const owner = "_acme-challenge.example.test";
const hour = 3_600_000;
const backOffHours = [1, 2, 4, 8, 16, 32, 32, 32, 32, 32];

let passed: number;
let world: World;
let client: RawAcme;
beforeEach(async () => {
  passed = 0;
  world = await openWorld({
    cachingResolver: true,
    now: () => new Date(Date.now() + passed),
    pendingSeconds: 30 * 86_400,
  });
  client = await rawAcme(world.box);
  await client.register();
});
afterEach(async () => {
  client.close();
  await world.close();
});

/** One attempt of a client that replaces the value: each challenge gets the name for itself, is answered, and settles. */
async function oneAfterTheOther(): Promise<Order> {
  const order = orderOf(await newOrder(client, names));
  for (const { challenges } of await authorizationsOf(client, order)) {
    const challenge = challenges.find(({ type }) => type === "dns-01");
    if (challenge === undefined) throw new Error("no dns-01 challenge");
    world.box.zone.remove(owner);
    world.box.zone.addTxt(owner, await txtFor(client.key, challenge.token), 60);
    await client.post(challenge.url, {});
    await settled(client, challenge.url);
    // It looks until its own view is right, which takes a few seconds; the resolver's memory is longer.
    passed += 5_000;
  }
  world.box.zone.remove(owner);
  return settled(client, order.url);
}

test("replacing one value after the other fails for eight days; all values at once pass the first time", async () => {
  const attempts: Order[] = [];
  for (const hours of backOffHours) {
    attempts.push(await oneAfterTheOther());
    passed += hours * hour;
  }
  expect(attempts.map(({ status }) => status)).toEqual(Array(10).fill("invalid"));
  for (const { error } of attempts)
    expect(error?.detail).toMatch(/^incorrect TXT record "[\w-]{43}" found at _acme-challenge/);
  expect(passed / 86_400_000).toBeGreaterThan(7.9);

  const before = updatesOf(world.box).length;
  const result = await issue(world.request(names), await world.deps({ now: () => new Date(Date.now() + passed) }));
  expect(result).toMatchObject({ reused: false, domains: names });
  expect(result.challenges.map(({ owner: at, status }) => [at, status])).toEqual(Array(2).fill([owner, "valid"]));
  // Both values in one write, both out again in another.
  expect(
    updatesOf(world.box)
      .slice(before)
      .map((changes) => changes.length),
  ).toEqual([2, 2]);
  expect(world.box.zone.txt(owner)).toEqual([]);
  const validations = world.box.log.entries.filter((entry) => entry.kind === "validation");
  expect(validations.slice(-2).map(({ valid }) => valid)).toEqual([true, true]);
});

test("without the resolver's memory the same client would have passed: it is what makes the case", async () => {
  world.box.ca.state.behaviour = { ...world.box.ca.state.behaviour, cachingResolver: false };
  expect((await oneAfterTheOther()).status).toBe("ready");
});

test("waiting for the TTL between the two is a way out, at a minute for each", async () => {
  const order = orderOf(await newOrder(client, names));
  for (const { challenges } of await authorizationsOf(client, order)) {
    const challenge = challenges.find(({ type }) => type === "dns-01");
    world.box.zone.remove(owner);
    world.box.zone.addTxt(owner, await txtFor(client.key, challenge?.token ?? ""), 60);
    await client.post(challenge?.url ?? "", {});
    await settled(client, challenge?.url ?? "");
    passed += 61_000;
  }
  expect((await settled(client, order.url)).status).toBe("ready");
});
