import { expect, test } from "vitest";
import { readFlags } from "../../src/cli/args.ts";
import type { FlagSpec } from "../../src/cli/spec.ts";
import { parseEndpoint } from "../../src/config/endpoints.ts";
import { formatMs, parseDuration } from "../../src/core/duration.ts";

const specs: readonly FlagSpec[] = [
  { name: "domain", short: "d", kind: "string", repeatable: true, help: "" },
  { name: "ca", kind: "string", default: "letsencrypt", help: "" },
  { name: "force", kind: "boolean", help: "" },
  { name: "propagation-timeout", kind: "duration", default: "5m", help: "" },
  { name: "dns-port", kind: "integer", help: "" },
  { name: "key-type", kind: "string", choices: ["ec256", "rsa2048"], help: "" },
  { name: "eab-hmac-key", kind: "string", secretFile: true, help: "" },
];

test("the command line wins over the environment, that over the default, and each value knows its source", () => {
  const env = { DNS01_CA: "zerossl", DNS01_DOMAIN: "a.test, b.test", DNS01_FORCE: "yes", DNS01_DNS_PORT: "5300" };
  const { flags, issues } = readFlags(["--ca", "google", "-d", "x.test,y.test", "-d", "z.test"], specs, env);
  expect(issues).toEqual([]);
  expect([flags.text("ca"), flags.source("ca")]).toEqual(["google", "--ca"]);
  expect(flags.list("domain")).toEqual(["x.test", "y.test", "z.test"]);
  expect([flags.on("force"), flags.source("force")]).toEqual([true, "DNS01_FORCE"]);
  expect(flags.integer("dns-port")).toBe(5300);
  expect([flags.duration("propagation-timeout"), flags.source("propagation-timeout")]).toEqual([300_000, "default"]);
  expect(readFlags([], specs, env).flags.list("domain")).toEqual(["a.test", "b.test"]);
});

test("every fault is told at once, each with its place and the nearest name", () => {
  const { issues } = readFlags(
    [
      "--domian",
      "a",
      "--propagation-timeout",
      "90",
      "--dns-port=x",
      "--key-type",
      "ec265",
      "--ca",
      "--force",
      "--ca=a",
      "--ca=b",
    ],
    specs,
    { DNS01_FORCE: "maybe" },
  );
  const text = issues.map((i) => `${i.path}: ${i.message}`);
  expect(text).toContainEqual(expect.stringMatching(/^--domian: .*--domain/));
  expect(text).toContainEqual(expect.stringMatching(/^--propagation-timeout: "90" is no duration/));
  expect(text).toContainEqual(expect.stringMatching(/^--dns-port: "x"/));
  expect(text).toContainEqual(expect.stringMatching(/^--key-type: "ec265" .*"ec256"/));
  expect(text).toContainEqual(expect.stringMatching(/^--ca: needs a value/));
  expect(text).toContainEqual(expect.stringMatching(/^--ca: is given twice/));
});

test("a secret's environment form is never read as the flag's file path", () => {
  const { flags } = readFlags([], specs, { DNS01_EAB_HMAC_KEY: "c2VjcmV0" });
  expect(flags.text("eab-hmac-key")).toBeUndefined();
});

test("a wildcard or a value that begins with a dash inside = is taken as it is", () => {
  const { flags, issues } = readFlags(["-d", "*.example.test", "--ca=--odd"], specs, {});
  expect(issues).toEqual([]);
  expect([flags.list("domain"), flags.text("ca")]).toEqual([["*.example.test"], "--odd"]);
});

test.each([
  ["90s", 90_000],
  ["5m", 300_000],
  ["1h30m", 5_400_000],
  ["250ms", 250],
  ["0.5s", 500],
])("the duration %s is %d ms", (text, ms) => expect(parseDuration(text)).toBe(ms));

test.each(["90", "", "5 m", "-5s", "s", "5x", "1e3s", "99999999h"])("%j is no duration", (text) =>
  expect(parseDuration(text)).toBeUndefined(),
);

test("milliseconds for people", () => {
  expect([412.4, 5_230, 200_000].map(formatMs)).toEqual(["412 ms", "5.2 s", "3 m 20 s"]);
});

test.each([
  ["192.0.2.1", { address: "192.0.2.1", port: 53 }],
  ["192.0.2.1:5353", { address: "192.0.2.1", port: 5353 }],
  ["2001:db8::1", { address: "2001:db8::1", port: 53 }],
  ["[2001:db8::1]:5353", { address: "2001:db8::1", port: 5353 }],
])("the address %s", (text, endpoint) => expect(parseEndpoint(text, 53)).toEqual(endpoint));

test.each(["x", "192.0.2.1:0", "192.0.2.1:70000", "192.0.2.1:", "dns.example", "[::1", "1.2.3"])(
  "%s is no address",
  (text) => expect(parseEndpoint(text, 53)).toBeUndefined(),
);

test("a challenge value that begins with a hyphen is an argument, as is everything after --", () => {
  const value = `-${"a".repeat(42)}`;
  for (const one of [value, `-${value.slice(0, -1)}`]) {
    const { flags, issues } = readFlags(["fqdn", one, "--force"], specs, {});
    expect([flags.positionals, flags.on("force"), issues]).toEqual([["fqdn", one], true, []]);
  }
  expect(readFlags(["--ca", value], specs, {}).flags.text("ca")).toBe(value);
  expect(readFlags(["--force", "--", "fqdn", "-d"], specs, {}).flags.positionals).toEqual(["fqdn", "-d"]);
  expect(readFlags([`${value}a`], specs, {}).issues).not.toEqual([]);
});

test("what a deploy hook is told of its certificate does not name that of a dns01 which the hook runs", () => {
  const named: readonly FlagSpec[] = [{ name: "name", kind: "string", help: "" }];
  const env = { DNS01_NAME: "outer" };
  expect(readFlags([], named, env).flags.text("name")).toBe("outer");
  const inHook = { ...env, DNS01_FULLCHAIN: "/state/fullchain.pem" };
  expect(readFlags([], named, inHook).flags.text("name")).toBeUndefined();
  expect(readFlags(["--name", "inner"], named, inHook).flags.text("name")).toBe("inner");
});
