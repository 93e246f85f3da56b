import { expect, test } from "vitest";
import { steady } from "../../src/index.ts";

test.each([
  ["the record is locked", "the record is locked"],
  ["at 2026-11-24 20:00:00 the quota ended", "at … the quota ended"],
  ["at 2026-11-24T20:00:00.123Z, again", "at …, again"],
  ["at 20261124T200000Z", "at …"],
  ["until 2026/11/24 20:00:00 +0800.", "until …."],
  ["since Tue, 24 Nov 2026 20:00:00 GMT only", "since … only"],
  ["next try at 20:00:07", "next try at …"],
  ["now 1617207234, sent 1617207234123", "now …, sent …"],
  ["request 0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f failed\n  twice", "request … failed twice"],
  ["TTL 600, port 8080, record 12345678", "TTL 600, port 8080, record 12345678"],
])("%s", (said, expected) => {
  expect(steady(said)).toBe(expected);
});

test("a long text is cut between words, so that no half of a secret is left", () => {
  const secret = "s".repeat(30);
  const said = `${"word ".repeat(37)}${secret} and more`;
  expect(steady(said)).toBe(`${"word ".repeat(37).trim()}…`);
  expect(steady("x".repeat(300))).toBe("…");
});
