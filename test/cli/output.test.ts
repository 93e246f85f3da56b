import { readFileSync } from "node:fs";
import { isAbsolute } from "node:path";
import { expect, test } from "vitest";
import { asDns01Error, errorDocument, errorLine, errorText } from "../../src/cli/output.ts";
import { ConfigError, PropagationError, RejectedError } from "../../src/core/errors.ts";
import { parseName } from "../../src/core/name.ts";
import type { ServerVerdict } from "../../src/dns/types.ts";

const home = new URL("../../src/", import.meta.url);

const behind: ServerVerdict = {
  name: parseName("ns2.example.test"),
  address: "192.0.2.2",
  zone: parseName("example.test"),
  owner: parseName("_acme-challenge.example.test"),
  class: "stale",
  excused: false,
  rcode: "NOERROR",
  aa: true,
  transport: "udp",
  soaSerial: 41,
  missing: ["wanted"],
  seen: ["older-value-of-somebody"],
};

test("a failed wait shows each nameserver with what it said", () => {
  const error = new PropagationError("ns2 is behind", { details: { verdict: { servers: [behind] } } });
  const row = errorText(error, home)
    .split("\n")
    .find((line) => line.includes("192.0.2.2"));
  expect(row).toMatch(/ns2\.example\.test .*stale .*NOERROR .*yes .*udp .*41 .*older-va…/);
});

test("the page about a code is named by its path in the installed package, and left out where it was not shipped", () => {
  const path = /\n {2}more: (.+)#rejected\n/.exec(errorText(new RejectedError("desec: no"), home))?.[1] ?? "";
  expect(isAbsolute(path)).toBe(true);
  expect(readFileSync(path, "utf8")).toMatch(/^## REJECTED$/m);
  expect(errorText(new RejectedError("desec: no"), new URL("file:///app/dist/"))).not.toContain("more:");
});

test("faults of the configuration are told one a line, and all in the document", () => {
  const error = new ConfigError([
    { path: "--ca", message: "is wrong" },
    { path: "--domain", message: "is missing" },
  ]);
  expect(errorText(error, home)).toMatch(/2 faults:\n {2}--ca: is wrong\n {2}--domain: is missing/);
  expect(errorDocument(error)).toMatchObject({
    error: { code: "CONFIG", retryable: false, details: { issues: [{ path: "--ca" }, { path: "--domain" }] } },
  });
});

test("what nobody raised on purpose is a defect of ours", () => {
  const error = asDns01Error(new TypeError("x is undefined"));
  expect([error.code, error.message]).toEqual(["UNKNOWN", "TypeError: x is undefined"]);
});

test("where it broke is a member of the JSON line, with its cause, and lines of its own for people", () => {
  const error = asDns01Error(new TypeError("not a function"));
  const line = errorLine(error, new Date(0), true);
  expect(line.trimEnd()).not.toContain("\n");
  expect(JSON.parse(line)).toMatchObject({ code: "UNKNOWN", stack: expect.stringContaining("caused by TypeError") });
  expect(errorText(error, home, true)).toMatch(/\n.*caused by TypeError: not a function\n/s);
});

test("what others said moves no cursor, paints nothing and renames no window", () => {
  const said = "bad\u001b]0;pwn\u0007\u001b[2J\u009b31m zone\r\nsecond line\u202e";
  const error = new RejectedError(`desec: ${said}`, { hint: said });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  expect(errorText(error, home, true)).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]/);
  expect(errorText(error, home)).toContain("desec: bad ]0;pwn [2J 31m zone\nsecond line ");
});
