import { domainToASCII } from "node:url";
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodePunycode } from "../../src/core/punycode.ts";

// RFC 3492 §7.1, examples (A), (B) and (L).
test.each([
  ["egbpdaj6bu4bxfgehfvwxn", "ليهمابتكلموشعربي؟"],
  ["ihqwcrb4cv8a8dqg056pqjye", "他们为什么不说中文"],
  ["3b-ww4c5e180e575a65lsy2b", "3年b組金八先生"],
])("%s decodes", (encoded, text) => expect(decodePunycode(encoded)).toBe(text));

test.each(["a", "zzzzzz99999", "Ö", "-!", "99999999"])(
  "%j does not decode to a label that encodes to it",
  (encoded) => {
    const decoded = decodePunycode(encoded);
    if (decoded !== undefined) expect(domainToASCII(`${decoded}.x`)).not.toBe(`xn--${encoded}.x`);
  },
);

test("decoding what Node encodes gives the label back", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(..."äöüéñçабв中文字例あいう012abc"), { minLength: 1, maxLength: 20 }),
      (chars) => {
        const [label = ""] = domainToASCII(`${chars.join("")}.x`).split(".");
        if (!label.startsWith("xn--")) return;
        expect(decodePunycode(label.slice(4))).toBe(chars.join(""));
      },
    ),
  );
});
