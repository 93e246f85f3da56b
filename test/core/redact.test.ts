import fc from "fast-check";
import { expect, test } from "vitest";
import { toDns01Error } from "../../src/core/classify.ts";
import { RejectedError } from "../../src/core/errors.ts";
import { createRedactor, redactDeep, safeCause } from "../../src/core/redact.ts";
import { steady } from "../../src/core/steady.ts";

const bytes = (text: string) => Buffer.from(text, "utf8");

test("masks a secret in every form it takes on the way", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "grapheme", minLength: 12, maxLength: 40 }),
      fc.string({ maxLength: 5 }),
      (raw, user) => {
        const secret = raw.trim();
        fc.pre(secret.length >= 12 && !secret.includes("*"));
        const redactor = createRedactor();
        redactor.add(secret);
        const forms = [
          secret,
          JSON.stringify(secret).slice(1, -1),
          bytes(secret).toString("base64"),
          bytes(secret).toString("base64url"),
          bytes(secret).toString("hex"),
          bytes(secret).toString("hex").toUpperCase(),
          encodeURIComponent(secret),
          new URLSearchParams({ s: secret }).toString().slice(2),
        ];
        for (const form of forms) expect(redactor.redact(`before ${form} after`)).toBe("before *** after");
        // Within "user:secret" the first and last characters of the encoding belong to the neighbours too.
        const basic = bytes(`${user}:${secret}`).toString("base64");
        const shown = redactor.redact(basic);
        expect(shown).toContain("***");
        expect(shown.length).toBeLessThan(basic.length - bytes(secret).length + 8);
      },
    ),
  );
});

test("masks the decoded bytes of a base64 secret", () => {
  const redactor = createRedactor();
  const key = bytes("0123456789abcdef0123456789abcdef");
  redactor.add(key.toString("base64"));
  expect(redactor.redact(`key ${key.toString("hex")}`)).toBe("key ***");
});

test("masks each line of a key of several lines, and leaves everything else alone", () => {
  const redactor = createRedactor();
  redactor.add("-----BEGIN-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\n-----END-----\n");
  expect(redactor.redact("x MIIEvQIBADANBgkqhkiG9w0BAQ y")).toBe("x *** y");
  expect(redactor.redact("nothing here")).toBe("nothing here");
});

test("masks the longer of two secrets as a whole, and ignores what is too short to be one", () => {
  const redactor = createRedactor();
  for (const secret of ["secret", "secret-longer", "", "abc"]) redactor.add(secret);
  expect(redactor.redact("abc secret-longer secret")).toBe("abc *** ***");
});

test("keeps of a cause what helps, and nothing that could hold a request", () => {
  const inner = Object.assign(new Error("inner token-12345"), { code: "E1", request: { headers: "token-12345" } });
  const outer = Object.assign(new Error("outer", { cause: inner }), {
    statusCode: 500,
    requestId: "r-1",
    $response: {},
  });
  const redactor = createRedactor();
  redactor.add("token-12345");
  const copy = safeCause(outer, redactor.redact) as Error & Record<string, unknown>;
  expect(copy).toMatchObject({ message: "outer", statusCode: 500, requestId: "r-1", name: "Error" });
  expect(copy).not.toHaveProperty("$response");
  expect(copy.cause).toMatchObject({ message: "inner ***", code: "E1" });
  expect(copy.cause).not.toHaveProperty("request");
});

test("masks secrets anywhere in plain data, and leaves the rest as it is", () => {
  const when = new Date(0);
  const redact = (text: string) => text.replaceAll("s3cret", "***");
  const data = { a: ["s3cret", { b: "x s3cret" }], n: 1, u: undefined, when };
  expect(redactDeep(data, redact)).toEqual({ a: ["***", { b: "x ***" }], n: 1, u: undefined, when });
  const ring: Record<string, unknown> = {};
  ring["self"] = ring;
  expect(() => redactDeep(ring, redact)).not.toThrow();
});

test("masks a secret before an adapter takes out of a message what looks like an id", () => {
  const secret = "tok_91dd0ed8-c0e7-4f9c-8d02-18fe10dddafe_efd3dddfffeb6db813";
  const { add, redact } = createRedactor();
  add(secret);
  const classify = (cause: unknown) => new RejectedError(steady((cause as Error).message), { cause });
  const attempted = { provider: "lab", operation: "create", name: "example.test" };
  const thrown = Object.freeze(new Error(`no such token ${secret}`));
  for (const cause of [new Error(`no such token ${secret}`), thrown]) {
    const error = toDns01Error(cause, attempted, { classify, redact });
    expect(`${error.message} ${error.stack} ${String(error.cause)}`).not.toMatch(/efd3ddd|91dd0ed8/);
    expect(error.message).toContain("no such token ***");
  }
});
