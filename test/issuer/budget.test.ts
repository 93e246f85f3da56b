import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DAY, HOUR, MINUTE } from "../../src/issuer/budget-limits.ts";
import { BudgetWorld, letsEncrypt } from "./budget-world.ts";

describe("back-off of a certificate", () => {
  test("a minute, ten, a hundred, then a day, also for another process; a success forgets it", async () => {
    const world = new BudgetWorld();
    for (const wait of [MINUTE, 10 * MINUTE, 100 * MINUTE, DAY, DAY]) {
      await world.fails(world.attempt(), { kind: "refused" });
      expect(await world.waits(world.attempt())).toBe(wait);
      world.start();
      expect(await world.waits(world.attempt())).toBe(wait);
      world.pass(wait - 1);
      expect(await world.waits(world.attempt())).toBe(1);
      world.pass(1);
      expect(await world.waits(world.attempt())).toBe(0);
    }
    await world.succeeds(world.attempt());
    await world.fails(world.attempt(), { kind: "refused" });
    expect(await world.waits(world.attempt())).toBe(MINUTE);
  });

  test("what failed on the way to the CA holds at every CA, what a CA refused only there", async () => {
    const world = new BudgetWorld();
    const other = { directoryUrl: "https://other.test/directory" };
    await world.fails(world.attempt(), { kind: "refused" });
    expect(await world.waits(world.attempt(other))).toBe(0);
    await world.fails(world.attempt(), { kind: "local" });
    expect(await world.waits(world.attempt(other))).toBe(MINUTE);
    expect(await world.waits(world.attempt({ certificate: "another", names: ["b.example.test"] }))).toBe(0);
  });

  test("a changed configuration forgives what failed on the way, not what the CA refused", async () => {
    const world = new BudgetWorld();
    await world.fails(world.attempt(), { kind: "local" });
    await world.budget.forgive("c");
    expect(await world.waits(world.attempt())).toBe(0);
    expect(world.store.values.size).toBe(1);
    await world.fails(world.attempt(), { kind: "refused" });
    await world.budget.forgive("c");
    expect(await world.waits(world.attempt())).toBe(MINUTE);
  });

  test("Retry-After is kept, where it is longer, and by another process", async () => {
    const world = new BudgetWorld();
    await world.fails(world.attempt(), { kind: "limited", of: "names", retryAfterMs: 26 * HOUR });
    world.start();
    expect(await world.waits(world.attempt())).toBe(26 * HOUR);
    // The limit was the domain's: others of it wait as well, and strangers do not.
    expect(await world.waits(world.attempt({ certificate: "d", names: ["x.example.test"] }))).toBe(26 * HOUR);
    expect(await world.waits(world.attempt({ certificate: "d", names: ["x.stranger.test"] }))).toBe(0);
    await world.fails(world.attempt({ certificate: "e", names: ["e.test"] }), { kind: "limited", retryAfterMs: HOUR });
    expect(await world.waits(world.attempt({ certificate: "d", names: ["x.stranger.test"] }))).toBe(HOUR);
  });
});

test("how long an order takes the CA holds for its certificate, and not for somebody who looks again", async () => {
  const world = new BudgetWorld();
  await world.fails(world.attempt(), { kind: "limited", of: "order", code: "RATE_LIMITED", retryAfterMs: DAY });
  expect(await world.waits(world.attempt())).toBe(DAY);
  expect(await world.waits(world.attempt({ isByHand: true }))).toBe(0);
  expect(await world.waits(world.attempt({ certificate: "d", names: ["b.example.test"] }))).toBe(0);
});

test("by hand only what the CA counts or has said holds", async () => {
  const world = new BudgetWorld();
  const byHand = world.attempt({ isByHand: true });
  await world.fails(byHand, { kind: "refused" });
  await world.fails(byHand, { kind: "unavailable" });
  expect(await world.waits(byHand)).toBe(0);
  expect(await world.waits(world.attempt())).toBeGreaterThan(0);
  const names = byHand.names;
  for (let n = 0; n < 3; n++) await world.fails(byHand, { kind: "invalid", names });
  expect(await world.waits(byHand)).toBe(0);
  // Five an hour, and the last is left alone.
  await world.fails(byHand, { kind: "invalid", names });
  expect(await world.waits(byHand)).toBe(HOUR / 5);
  await world.fails(byHand, { kind: "limited", of: "account", retryAfterMs: DAY });
  expect(await world.waits(byHand)).toBe(DAY);
});

describe("failed authorizations", () => {
  test("not twice an hour for a name, whichever certificate it is in", async () => {
    const world = new BudgetWorld();
    await world.fails(world.attempt({ names: ["a.example.test", "b.example.test"] }), {
      kind: "invalid",
      names: ["a.example.test"],
    });
    expect(await world.waits(world.attempt({ certificate: "d", names: ["*.a.example.test"] }))).toBe(HOUR);
    expect(await world.waits(world.attempt({ certificate: "d", names: ["b.example.test"] }))).toBe(0);
    world.pass(HOUR);
    expect(await world.waits(world.attempt({ certificate: "d", names: ["a.example.test"] }))).toBe(0);
  });

  test("an hour stays an hour when the clock is set forward", async () => {
    const world = new BudgetWorld();
    await world.fails(world.attempt(), { kind: "invalid" });
    world.wall += 30 * DAY;
    expect(await world.waits(world.attempt({ certificate: "d" }))).toBe(HOUR);
  });

  test("an hour stays an hour when the clock is set back by years, also for another process", async () => {
    const world = new BudgetWorld();
    await world.fails(world.attempt(), { kind: "invalid" });
    world.wall -= 2000 * DAY;
    world.start();
    expect(await world.waits(world.attempt({ certificate: "d" }))).toBe(HOUR);
    world.pass(HOUR);
    expect(await world.waits(world.attempt({ certificate: "d" }))).toBe(0);
  });

  test("the last failure that a CA would take is never used, whatever happens when", async () => {
    const seed = Number(process.env["DNS01_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
    const pauses = fc.array(fc.integer({ min: 0, max: 3 * HOUR }), { minLength: 1, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(pauses, async (list) => {
        const world = new BudgetWorld();
        const at: number[] = [];
        for (const [n, pause] of list.entries()) {
          world.pass(pause);
          // Every time another certificate, so that only the name's own count is in the way.
          const attempt = world.attempt({ certificate: `c${n}` });
          if ((await world.waits(attempt)) > 0) continue;
          at.push(world.wall);
          await world.fails(attempt, { kind: "invalid" });
        }
        for (const [i, time] of at.entries())
          expect(at.filter((t, j) => j <= i && time - t < HOUR).length).toBeLessThanOrEqual(1);
      }),
      { seed, numRuns: 60 },
    );
  });

  test("before the CA pauses a name for its failures in a row, it is left alone", async () => {
    const world = new BudgetWorld();
    let tries = 0;
    // An hour each: a day gives one back, so that they run out after 1,151 and some.
    while ((await world.waits(world.attempt({ certificate: `c${tries}` }))) === 0 && tries < 2000) {
      await world.fails(world.attempt({ certificate: `c${tries}` }), { kind: "invalid" });
      tries++;
      world.pass(HOUR);
    }
    expect(tries).toBeGreaterThan(1150);
    expect(tries).toBeLessThan(1152 + 1152 / 23);
  });
});

describe("orders and certificates at Let's Encrypt", () => {
  test("300 orders in three hours, from which renewals are exempt", async () => {
    const world = new BudgetWorld();
    const attempt = (n: number) => world.attempt({ certificate: `c${n}`, names: [`a.d${n}.test`], kind: "new" });
    for (let n = 0; n < 300; n++) {
      expect(await world.waits(attempt(n))).toBe(0);
      await world.budget.begin(attempt(n));
    }
    expect(await world.waits(attempt(300))).toBe((3 * HOUR) / 300);
    expect(await world.waits({ ...attempt(300), kind: "same-set" })).toBe(0);
    expect(await world.waits({ ...attempt(300), directoryUrl: "https://other.test/directory" })).toBe(0);
  });

  test("50 new certificates of a domain in a week", async () => {
    const world = new BudgetWorld();
    const attempt = (n: number) => world.attempt({ certificate: `c${n}`, names: [`n${n}.example.test`], kind: "new" });
    for (let n = 0; n < 50; n++) await world.succeeds(attempt(n));
    expect(await world.waits(attempt(50))).toBe((7 * DAY) / 50);
    expect(await world.waits({ ...attempt(50), kind: "same-set" })).toBe(0);
  });

  test("5 certificates of a set in a week, renewals too, but not those in the CA's window", async () => {
    const world = new BudgetWorld();
    const names = ["b.example.test", "a.example.test"];
    for (let n = 0; n < 5; n++) await world.succeeds(world.attempt({ names }));
    expect(await world.waits(world.attempt({ names: names.toReversed() }))).toBe((7 * DAY) / 5);
    expect(await world.waits(world.attempt({ names, kind: "ari" }))).toBe(0);
    expect(await world.waits(world.attempt({ names: ["a.example.test"] }))).toBe(0);
  });
});

describe("a CA that cannot be reached", () => {
  test("a second failure in a row keeps everybody away for a minute, longer each time; a success lets all in", async () => {
    const world = new BudgetWorld();
    const attempt = (n: number) => world.attempt({ certificate: `c${n}`, names: [`n${n}.test`] });
    await world.fails(attempt(0), { kind: "unavailable" });
    expect(await world.waits(attempt(9))).toBe(0);
    for (const [n, wait] of [MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, HOUR].entries()) {
      await world.fails(attempt(n), { kind: "unavailable" });
      const permit = await world.budget.check(attempt(9));
      expect(permit).toMatchObject({ allowed: false, until: world.wall + wait, elsewhere: true });
      world.pass(wait);
    }
    await world.succeeds(attempt(0));
    expect(await world.waits(attempt(9))).toBe(0);
  });

  test("orders that were under way when it broke down are one outage, however many", async () => {
    const world = new BudgetWorld();
    const attempt = (n: number) => world.attempt({ certificate: `c${n}`, names: [`n${n}.test`] });
    for (let n = 0; n < 8; n++) await world.fails(attempt(n), { kind: "unavailable" });
    expect(await world.waits(attempt(9))).toBe(MINUTE);
    world.pass(MINUTE);
    for (let n = 0; n < 8; n++) await world.fails(attempt(n), { kind: "unavailable" });
    expect(await world.waits(attempt(9))).toBe(5 * MINUTE);
    await world.fails(attempt(0), { kind: "unavailable", retryAfterMs: 10 * MINUTE });
    expect(await world.waits(attempt(9))).toBe(10 * MINUTE);
  });
});

test("files that somebody spoilt are as good as none", async () => {
  const world = new BudgetWorld();
  await world.fails(world.attempt(), { kind: "invalid" });
  for (const key of [...world.store.values.keys()]) world.store.values.set(key, { at: "yesterday", record: [] });
  expect(await world.waits(world.attempt({ certificate: "d" }))).toBe(HOUR);
  world.start();
  expect(await world.waits(world.attempt())).toBe(0);
  expect(letsEncrypt).toContain("letsencrypt");
});
