import { inspect } from "node:util";
import { expect, test } from "vitest";
import { toDns01Error } from "../../src/core/classify.ts";
import { AuthError } from "../../src/core/errors.ts";
import { thrownText } from "../../src/core/thrown.ts";

const trap = (): never => {
  throw new Error("do not touch");
};
const traps = { has: trap, get: trap, getPrototypeOf: trap, ownKeys: trap, getOwnPropertyDescriptor: trap };
const marked = Object.defineProperty({}, Symbol.for("dns01.error"), { value: true });

const thrown: readonly (readonly [what: string, value: unknown, said: RegExp])[] = [
  ["undefined", undefined, /undefined/],
  ["null", null, /null/],
  ["text", "no more zones", /no more zones/],
  ["a number", 42, /42/],
  ["a symbol", Symbol("odd"), /Symbol\(odd\)/],
  ["a function", () => {}, /a function/],
  ["a plain object", { status: 500, reason: "x" }, /no error \(with status, reason\)/],
  ["an object with a message", { message: "quota used up" }, /quota used up/],
  ["an object without a prototype", Object.create(null), /no error/],
  ["an error without a message", new TypeError(""), /TypeError/],
  ["an error whose message is no text", Object.assign(new Error("x"), { message: 7 }), /Error/],
  ["an error whose message throws", Object.defineProperty(new Error(""), "message", { get: trap }), /cannot be shown/],
  ["a proxy that lets nobody look", new Proxy({}, traps), /cannot be shown/],
  [
    "an error that is its own cause",
    Object.assign(new Error("round"), {
      get cause() {
        return this;
      },
    }),
    /round/,
  ],
  ["our mark without an error", marked, /no error/],
  [
    "our mark on an error without a code",
    Object.assign(new Error("half"), { [Symbol.for("dns01.error")]: true }),
    /half/,
  ],
  ["a frozen error of ours", Object.freeze(new AuthError("frozen token")), /frozen token/],
];

test.each(thrown)("%s becomes one of our errors that says who failed, at what and where", (_what, value, said) => {
  const error = toDns01Error(value, {
    provider: "acmehost",
    operation: "list",
    name: "_acme-challenge.example.com",
    zone: "example.com",
    plugin: "/etc/dns01/acmehost.mjs",
  });
  expect(error.message).toMatch(/^acmehost: cannot list TXT at _acme-challenge\.example\.com: /);
  expect(error.message).toMatch(said);
  expect(error.message).toMatch(/ \(in the plugin \/etc\/dns01\/acmehost\.mjs\)$/);
  expect(error.details).toEqual({ plugin: "/etc/dns01/acmehost.mjs" });
  expect(error.code).toBe("UNKNOWN");
  expect(inspect(error)).toContain("acmehost");
});

test("an error that the plugin raised on purpose keeps its class and words; the plugin is in the details", () => {
  const error = toDns01Error(new AuthError("the token may not edit"), {
    provider: "acmehost",
    operation: "create",
    name: "example.com",
    plugin: "/p.mjs",
  });
  expect(error.code).toBe("AUTH");
  expect(error.message).toBe("acmehost: cannot create TXT at example.com: the token may not edit");
  expect(error.details).toEqual({ plugin: "/p.mjs" });
});

test("text is made of anything without throwing", () => {
  for (const [, value, said] of thrown.filter(([what]) => !what.startsWith("our mark"))) {
    expect(thrownText(value)).toMatch(said);
  }
});
