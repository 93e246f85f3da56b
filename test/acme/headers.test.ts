import { describe, expect, it } from "vitest";
import { linksOf, readProblem } from "../../src/acme/problem.ts";
import { byOurClock, inWords, retryAfterMs } from "../../src/acme/retry-after.ts";

describe("Retry-After (RFC 9110 §10.2.3)", () => {
  const now = Date.parse("2026-11-25T10:00:00Z");
  it.each([
    ["120", undefined, 120_000],
    ["0", undefined, 0],
    ["Wed, 25 Nov 2026 10:01:00 GMT", undefined, 60_000],
    ["Wed, 25 Nov 2026 09:00:00 GMT", undefined, 0],
    // Our clock is an hour off; the server's own Date counts.
    ["Wed, 25 Nov 2026 11:00:05 GMT", "Wed, 25 Nov 2026 11:00:00 GMT", 5000],
    ["soon", undefined, undefined],
    ["-5", undefined, undefined],
    ["", undefined, undefined],
    [undefined, undefined, undefined],
  ])("%s with Date %s is %s ms", (value, date, expected) => {
    expect(retryAfterMs({ "retry-after": value, date }, now)).toBe(expected);
  });

  it("is said in words", () => {
    expect([500, 90_000, 600_000, 86_400_000].map(inWords)).toEqual(["1 s", "90 s", "10 min", "24 h"]);
  });
});

describe("an instant of the CA's", () => {
  const date = "Thu, 26 Nov 2026 12:00:00 GMT";
  const served = Date.parse(date);
  const hour = 3_600_000;
  it("is told by the CA's own clock where ours is wrong", () => {
    expect(byOurClock("2026-11-26T13:00:00Z", { date }, served + 8 * hour)).toBe("2026-11-26T21:00:00.000Z");
    expect(byOurClock("2026-11-26T13:00:00Z", { date }, served - 8 * hour)).toBe("2026-11-26T05:00:00.000Z");
  });

  it("stays as it is where the clocks agree, and where one of the times cannot be read", () => {
    const time = "2026-11-26T13:00:00Z";
    expect(byOurClock(time, { date }, served + 5_000)).toBe(time);
    expect(byOurClock(time, {}, served + hour)).toBe(time);
    expect(byOurClock(time, { date: "yesterday" }, served + hour)).toBe(time);
    expect(byOurClock("soon", { date }, served + hour)).toBe("soon");
    expect(byOurClock(undefined, { date }, served + hour)).toBeUndefined();
  });
});

describe("Link (RFC 8288)", () => {
  it.each([
    ['<https://a.test/1>;rel="alternate"', [["https://a.test/1", "alternate"]]],
    ["<https://a.test/1>; rel=alternate", [["https://a.test/1", "alternate"]]],
    [
      '<https://a.test/dir>;rel="index", <https://a.test/1,2>;title="x, y";rel="alternate",<../3>; REL="up Alternate"',
      [
        ["https://a.test/dir", "index"],
        ["https://a.test/1,2", "alternate"],
        ["../3", "up"],
        ["../3", "alternate"],
      ],
    ],
    ["<https://a.test/1>", []],
    ["nonsense", []],
    [undefined, []],
  ])("%s", (header, expected) => {
    expect(linksOf(header).map(({ url, rel }) => [url, rel])).toEqual(expected);
  });
});

describe("problem documents (RFC 7807)", () => {
  it("keep what is unknown and drop what is of the wrong type", () => {
    const read = readProblem({
      type: "t",
      detail: 7,
      status: "x",
      futureMember: 1,
      subproblems: [{ detail: "a" }, 3, null],
    });
    expect(read).toEqual({ type: "t", futureMember: 1, subproblems: [{ type: "about:blank", detail: "a" }] });
  });

  it("bring no control characters to the terminal", () => {
    expect(readProblem({ type: "t", detail: "a\u001b[2J\nb\u202e" })?.detail).toBe("a [2J b");
  });

  it("are objects with a type or a detail", () => {
    for (const x of [null, "text", [], {}, { message: "Forbidden" }]) expect(readProblem(x)).toBeUndefined();
  });
});
