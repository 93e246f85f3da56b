import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeFileName, encodeCa, encodeFileName } from "../../src/store/file-name.ts";

const anyName = fc.oneof(
  fc.domain(),
  fc.domain().map((d) => `*.${d}`),
  fc.string({ minLength: 1 }),
  fc.string({ minLength: 1, unit: "grapheme" }),
  fc.stringMatching(/^[-._%*~a-zA-Z0-9/\\:]{1,40}$/),
  fc.constantFrom(
    "con",
    "CON.example",
    "nul.txt",
    "com1",
    "..",
    ".",
    "/",
    "../x",
    "_wildcard",
    "_wildcard.a",
    "*",
    "*.*",
    "a.",
    "%2a",
    "-x",
    "a%~b",
  ),
);

/** Lone surrogates are no text: they have no octets of their own. */
const isText = (name: string) => Buffer.from(name).toString() === name;

describe("a name as a file name", () => {
  test.each([
    ["example.com", "example.com"],
    ["*.example.com", "_wildcard.example.com"],
    ["_wildcard.example.com", "%5fwildcard.example.com"],
    ["_acme.example.com", "_acme.example.com"],
    ["Web", "%57eb"],
    ["con.example.com", "%63on.example.com"],
    ["../etc", "%2e.%2fetc"],
    ["..", "%2e%2e"],
    ["a*b", "a%2ab"],
    ["ünï", "%c3%bcn%c3%af"],
  ])("%s is %s", (name, segment) => {
    expect(encodeFileName(name)).toBe(segment);
    expect(decodeFileName(segment)).toBe(name);
  });

  test("comes back from it, and is a harmless segment on every system", () => {
    fc.assert(
      fc.property(anyName, (name) => {
        fc.pre(isText(name));
        const segment = encodeFileName(name);
        expect(segment).toMatch(/^[a-z0-9_%][a-z0-9._%~-]*$/);
        expect(segment).not.toMatch(/\.$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/);
        expect(segment.length).toBeLessThanOrEqual(200);
        if (!segment.includes("%~")) expect(decodeFileName(segment)).toBe(name);
      }),
      { numRuns: 2000 },
    );
  });

  test("is another one for every name", () => {
    fc.assert(
      fc.property(anyName, anyName, (a, b) => {
        fc.pre(a !== b && isText(a) && isText(b));
        expect(encodeFileName(a)).not.toBe(encodeFileName(b));
      }),
      { numRuns: 2000 },
    );
  });

  test("is cut and told apart by a hash when it is too long", () => {
    const long = `*.${"é".repeat(120)}.test`;
    expect(encodeFileName(long).length).toBeLessThanOrEqual(200);
    expect(encodeFileName(long)).not.toBe(encodeFileName(`${long}x`));
    expect(decodeFileName(encodeFileName(long))).toBeUndefined();
  });

  test("needs to be there", () => {
    expect(() => encodeFileName("")).toThrow("the name is empty");
  });

  test("that somebody else made is none", () => {
    for (const segment of ["lost+found", "UPPER", "con", "%zz", "%2A", "a%2", "%61", ""]) {
      expect(decodeFileName(segment)).toBeUndefined();
    }
  });
});

describe("a CA's folder", () => {
  test.each([
    ["https://acme-v02.api.letsencrypt.org/directory", "acme-v02.api.letsencrypt.org+directory"],
    ["https://127.0.0.1:14000/dir", "127.0.0.1%3a14000+dir"],
    ["http://127.0.0.1:14000/dir", "http%3a++127.0.0.1%3a14000+dir"],
    ["https://acme.zerossl.com/v2/DV90", "acme.zerossl.com+v2+%44%5690"],
  ])("%s is %s", (url, segment) => {
    expect(encodeCa(url)).toBe(segment);
  });

  test("differs by directory URL", () => {
    const urls = [
      "https://a/b",
      "https://a+b",
      "https://a//b",
      "https://a/b/",
      "http://a/b",
      `https://a/${"b".repeat(300)}`,
      `https://a/${"b".repeat(301)}`,
    ];
    expect(new Set(urls.map(encodeCa)).size).toBe(urls.length);
    expect(Math.max(...urls.map((u) => encodeCa(u).length))).toBeLessThanOrEqual(200);
  });
});
