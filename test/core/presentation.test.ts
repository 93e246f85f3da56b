import fc from "fast-check";
import { expect, test } from "vitest";
import { quoteTxt, rewriteTxt, unquoteTxt } from "../../src/core/presentation.ts";

test("any value comes back from its quoted form, in strings of at most 255 octets", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 600 }), (value) => {
      const text = quoteTxt(value);
      expect(unquoteTxt(text)).toBe(value);
      expect(text).toMatch(/^"(\\.|[ -~])*"$/);
      for (const [, inside = ""] of text.matchAll(/"((?:[^"\\]|\\.)*)"/g)) {
        expect(inside.replace(/\\(\d{3}|.)/g, "x").length).toBeLessThanOrEqual(255);
      }
    }),
  );
});

test.each([
  ["LPsIwTo7o8BoG0-vjCyGQGBW", '"LPsIwTo7o8BoG0-vjCyGQGBW"'],
  ["", '""'],
  ['say "so"\\', '"say \\"so\\"\\\\"'],
  ["ü\n", '"\\195\\188\\010"'],
  ["a".repeat(256), `"${"a".repeat(255)}" "a"`],
])("%j is written %s", (value, text) => {
  expect(quoteTxt(value)).toBe(text);
});

test.each([
  ["bare stays what it is", "v=spf1 -all", "v=spf1 -all"],
  ["a quote inside a bare text is part of it", 'a"b"', 'a"b"'],
  ["strings are joined without a gap", '"ab"  "cd""ef"', "abcdef"],
  ["escapes that nobody needs are read", '"\\a\\065"', "aA"],
])("%s", (_what, text, value) => {
  expect(unquoteTxt(text)).toBe(value);
});

test("a set is rewritten around what stands in it as it is written there", () => {
  const written = ['"a" "b"', '"ab"', '"\\255"', "bare", '"gone"'];
  const values = ["new", "bare", "ab", "\ufffd", "ü"];
  expect(rewriteTxt(written, values)).toEqual(['"a" "b"', '"ab"', '"\\255"', "bare", '"new"', '"\\195\\188"']);
  expect(rewriteTxt(written, [])).toEqual([]);
});
