import { describe, expect, test } from "vitest";
import { toDns01Error } from "../../src/core/classify.ts";
import { headerFault, httpUrl, secret, z } from "../../src/index.ts";

function faultsOf(schema: z.ZodType, value: unknown): readonly string[] {
  return schema.safeParse(value).error?.issues.map(({ message }) => message) ?? [];
}

describe("httpUrl", () => {
  test.each(["https://api.example", "http://127.0.0.1:8081/base/", "http://[::1]:1/v1"])("takes %s", (url) => {
    expect(faultsOf(httpUrl(), url)).toEqual([]);
  });

  test.each([
    ["ftp://host/path", /^is no http/],
    ["8081", /^is no http/],
    ["http://user:pw-SECRET@host/", /^has a login in it/],
    ["https://token-SECRET@host", /^has a login in it/],
    ["http://:pw-SECRET@host/", /^has a login in it/],
    ["https://host/?token=SECRET", /^has a query or fragment/],
    ["https://host/?", /^has a query or fragment/],
    ["https://host/#SECRET", /^has a query or fragment/],
  ])("refuses %s and does not repeat it", (url, said) => {
    const faults = faultsOf(httpUrl(), url);
    expect(faults).toEqual([expect.stringMatching(said)]);
    expect(faults.join()).not.toMatch(/SECRET|user|token-/);
  });

  test("is still a URL for those who look for addresses", () => {
    expect(z.toJSONSchema(httpUrl().default("https://api.example").meta({ endpoint: true }))).toMatchObject({
      format: "uri",
      endpoint: true,
    });
  });
});

describe("secret", () => {
  test.each([
    ["a line end behind it", "s3cret\r\n", []],
    ["blanks inside", "a pass phrase", []],
    ["characters of other scripts", "pässword", []],
    ["nothing", "", ["is empty"]],
    ["a line end alone", "\n", ["is empty"]],
    ["blanks alone", " \t ", ["is empty"]],
    ["a line end inside", "s3cret\ns3cret", ["holds line ends or control characters: give it alone"]],
    ["a NUL", "s3cret\0", ["holds line ends or control characters: give it alone"]],
  ])("%s", (_what, value, expected) => {
    expect(faultsOf(secret("a secret"), value)).toEqual(expected);
  });

  test("may have lines where it is said", () => {
    expect(faultsOf(secret("a key in PEM", { lines: true }), "-----BEGIN\r\n\tabc\n-----END\n")).toEqual([]);
    expect(faultsOf(secret("a key in PEM", { lines: true }), "abc\u001bdef")).toEqual([
      "holds line ends or control characters: give it alone",
    ]);
  });

  test("that goes into a header has to be one word of ASCII", () => {
    const token = secret("a token", { header: true });
    expect(faultsOf(token, "abc-DEF_123==\n")).toEqual([]);
    for (const bad of ["a b", "a\nb", "tökén", "a\u0100"])
      expect(faultsOf(token, bad)).toEqual([
        "holds blanks, line ends or characters that cannot be sent: give it alone",
      ]);
    expect(faultsOf(token, "Bearer abcdef")).toEqual([expect.stringMatching(/give the token without "Bearer"$/)]);
    expect(headerFault("abcdef")).toBeUndefined();
  });
});

test.each([
  ["http://user:pw-SECRET@127.0.0.1:1/", {}],
  ["http://127.0.0.1:1/", { authorization: "SECRET\nSECRET" }],
  ["http://127.0.0.1:1/", { authorization: "SECR\u0100ET" }],
])("what cannot be sent at all (%s, %j) is refused once, and not repeated", async (url, headers) => {
  const thrown: unknown = await fetch(url, { headers }).catch((error: unknown) => error);
  const error = toDns01Error(thrown, { provider: "any", operation: "list", name: "example.com" });
  expect(error).toMatchObject({ code: "REJECTED", retryable: false, message: expect.stringMatching(/cannot be sent/) });
  expect(`${error.message} ${error.hint} ${JSON.stringify(error)}`).not.toMatch(/SECR/);
});
