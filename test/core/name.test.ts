import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/core/errors.ts";
import {
  isWithin,
  labelsOf,
  nameFromLabels,
  parentOf,
  parseIdentifier,
  parseName,
  relativeTo,
  rootName,
  selfAndParents,
} from "../../src/core/name.ts";

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$/).filter((l) => !l.startsWith("xn--"));
const hostName = fc
  .array(label, { minLength: 2, maxLength: 5 })
  .map((labels) => [...labels.slice(0, -1), `t${labels.at(-1)}`].join("."));

describe("parseName", () => {
  test.each([
    ["Example.COM", "example.com"],
    ["example.com.", "example.com"],
    [".", "."],
    ["bücher.example", "xn--bcher-kva.example"],
    ["BÜCHER.example", "xn--bcher-kva.example"],
    ["faß.de", "xn--fa-hia.de"],
    ["example。com．", "example.com"],
    ["ｅｘａｍｐｌｅ.com", "example.com"],
    ["_acme-challenge.bücher.example", "_acme-challenge.xn--bcher-kva.example"],
    ["xn--BCHER-kva.example", "xn--bcher-kva.example"],
    ["4711.example.com", "4711.example.com"],
  ])("reads %j as %s", (text, name) => {
    expect(parseName(text)).toBe(name);
  });

  test.each([
    "",
    "..",
    "a..b",
    ".a",
    " a.de",
    "a.de\n",
    "a b.de",
    "a/b.de",
    "a.de:53",
    "a@b.de",
    "a%2eb.de",
    "ａ／b.de",
  ])("refuses %j", (text) => {
    expect(() => parseName(text, "--x")).toThrow(ConfigError);
  });

  test("refuses a label of 64 and a name of 254 octets, and takes 63 and 253", () => {
    const long = `${"a".repeat(63)}.`.repeat(3);
    expect(parseName(`${long}${"b".repeat(61)}`)).toHaveLength(253);
    expect(() => parseName(`${long}${"b".repeat(62)}`)).toThrow(/longer than 253/);
    expect(() => parseName(`${"a".repeat(64)}.de`)).toThrow(/more than 63/);
  });

  test("counts the octets of the encoded form", () => {
    expect(() => parseName(`${"ü".repeat(60)}.de`)).toThrow(/more than 63/);
  });

  test("reads its own output to the same name", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 30 }), (text) => {
        let name: string | undefined;
        try {
          name = parseName(text);
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError);
        }
        if (name !== undefined) expect(parseName(name)).toBe(name);
      }),
    );
  });
});

describe("parseIdentifier", () => {
  test("tells base and wildcard apart", () => {
    expect(parseIdentifier("*.Bücher．example。")).toEqual({
      text: "*.xn--bcher-kva.example",
      base: "xn--bcher-kva.example",
      wildcard: true,
    });
    expect(parseIdentifier("example.com")).toEqual({ text: "example.com", base: "example.com", wildcard: false });
  });

  test.each([
    ["", /is empty/],
    ["  ", /is empty/],
    ["exa mple", /white space/],
    ["example.com\n", /white space/],
    ["https://example.com/", /is a URL/],
    ["example.com:443", /has a port/],
    ["me@example.com", /mail address/],
    ["a..example.com", /empty label/],
    ["*.*.example.com", /"\*" where it cannot stand/],
    ["www.*.example.com", /"\*" where it cannot stand/],
    ["w*.example.com", /"\*" where it cannot stand/],
    ["**.example.com", /"\*" where it cannot stand/],
    ["*", /at least two labels/],
    ["*.com", /at least two labels/],
    ["localhost", /one label only/],
    ["com.", /one label only/],
    ["192.0.2.1", /IP address/],
    ["192.0.2.1.", /IP address/],
    ["１９２.0.2.1", /IP address/],
    ["0x7f.0.0.0x1", /IP address/],
    ["2130706433", /IP address/],
    ["::1", /IP address/],
    ["[2001:db8::1]", /IP address/],
    ["fe80::1%eth0", /IP address/],
    ["www.example.123", /ends in a number/],
    ["a_b.example.com", /"_"/],
    ["-a.example.com", /begins or ends with "-"/],
    ["a-.example.com", /begins or ends with "-"/],
    ["xn--a.example.com", /no valid internationalized label/],
    ["xn--.example.com", /no valid internationalized label/],
    ["*.xn--zzzzzz99999.com", /no valid internationalized label/],
    [`${"a".repeat(64)}.com`, /more than 63/],
    [`${"a.".repeat(127)}com`, /longer than 253/],
    [`${"a.".repeat(118)}com`, /too long for DNS-01/],
  ])("refuses %j with its own words", (text, words) => {
    const error = catchError(() => parseIdentifier(text, "--domain"));
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as ConfigError).issues).toEqual([{ path: "--domain", message: expect.stringMatching(words) }]);
  });

  test("shortens what it quotes", () => {
    const error = catchError(() => parseIdentifier("a".repeat(100_000)));
    expect((error as Error).message.length).toBeLessThan(400);
  });

  test("takes every host name, in capitals, with a final dot, with a wildcard", () => {
    fc.assert(
      fc.property(hostName, (name) => {
        const wild = parseIdentifier(`*.${name.toUpperCase()}.`);
        expect(wild).toEqual({ text: `*.${name}`, base: name, wildcard: true });
        expect(parseIdentifier(name).base).toBe(name);
      }),
    );
  });
});

describe("names within names", () => {
  test("notexample.com is not within example.com", () => {
    expect(isWithin(parseName("notexample.com"), parseName("example.com"))).toBe(false);
    expect(isWithin(parseName("a.example.com"), parseName("example.com"))).toBe(true);
    expect(isWithin(parseName("example.com"), parseName("a.example.com"))).toBe(false);
  });

  test("an escaped dot is no boundary", () => {
    const odd = nameFromLabels(["a\\.example", "com"]);
    expect(isWithin(odd, parseName("example.com"))).toBe(false);
    expect(labelsOf(odd)).toEqual(["a\\.example", "com"]);
    expect(isWithin(nameFromLabels(["b", "a\\.example", "com"]), odd)).toBe(true);
  });

  test("within means: one of the ancestors, on label boundaries", () => {
    fc.assert(
      fc.property(hostName, hostName, fc.boolean(), (a, b, glued) => {
        const apex = parseName(a);
        const name = parseName(glued ? `x${a}` : `${b}.${a}`);
        expect(isWithin(name, apex)).toBe(selfAndParents(name).includes(apex));
        expect(isWithin(name, apex)).toBe(!glued);
        if (!glued) expect(`${relativeTo(name, apex)}.${apex}`).toBe(name);
      }),
    );
  });

  test("everything is within the root, and the root has no parent", () => {
    expect(isWithin(parseName("a.b"), rootName)).toBe(true);
    expect(parentOf(rootName)).toBeUndefined();
    expect(parentOf(parseName("com"))).toBe(rootName);
    expect(relativeTo(parseName("a.b"), rootName)).toBe("a.b");
    expect(relativeTo(parseName("a.b"), parseName("a.b"))).toBe("@");
  });
});

function catchError(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}
