import { expect, test } from "vitest";
import { AuthError } from "../../../src/core/errors.ts";
import { createBreaker } from "../../../src/webhook/solve/breaker.ts";
import { createVirtualClock } from "../../fakes/virtual-clock.ts";

const no = new AuthError("no");

test("opens at the third refusal in a row, lets one call find out after five minutes, and closes with the first success", async () => {
  const clock = createVirtualClock();
  const breaker = createBreaker(clock);
  expect([breaker.refused("k", no), breaker.refused("k", no)]).toEqual([undefined, undefined]);
  expect(breaker.accepted("k")).toBeUndefined();
  expect([1, 2, 3].map(() => breaker.refused("k", no))).toEqual([undefined, undefined, "open"]);
  expect(breaker.check("k")).toBe(no);
  expect(breaker.check("other")).toBeUndefined();
  await clock.advance(4 * 60_000);
  expect(breaker.check("k")).toBe(no);
  await clock.advance(60_000);
  expect(breaker.check("k")).toBeUndefined();
  // Whoever else comes in the meantime goes on waiting.
  expect(breaker.check("k")).toBe(no);
  expect(breaker.refused("k", no)).toBeUndefined();
  expect(breaker.check("k")).toBe(no);
  await clock.advance(5 * 60_000);
  expect(breaker.check("k")).toBeUndefined();
  expect(breaker.accepted("k")).toBe("closed");
  expect(breaker.check("k")).toBeUndefined();
});

test("forgets the oldest of many", () => {
  const breaker = createBreaker(createVirtualClock());
  for (let i = 0; i < 3; i++) breaker.refused("old", no);
  for (let i = 0; i < 5_000; i++) breaker.refused(`k${i}`, no);
  expect(breaker.check("old")).toBeUndefined();
});
