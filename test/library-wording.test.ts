import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AuthError, ConfigError, type Dns01Error } from "../src/core/errors.ts";
import { issue } from "../src/library/issue.ts";
import { optionWords, rewordError } from "../src/library/wording.ts";

let stateDir: string;

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "dns01-wording-"));
});

afterAll(async () => {
  await rm(stateDir, { recursive: true, force: true });
});

const caseOf = async (options: Partial<Parameters<typeof issue>[0]>): Promise<Dns01Error> => {
  const solvers = [{ provider: "rfc2136", config: { nameserver: "127.0.0.1:1" } }];
  const ca = "https://127.0.0.1:1/directory";
  return await issue({ domains: ["example.test"], solvers, stateDir, ca, ...options }).then(
    () => expect.unreachable(),
    (error: unknown) => error as Dns01Error,
  );
};

describe("the library names its own options", () => {
  test.each<[string, Partial<Parameters<typeof issue>[0]>, RegExp]>([
    [
      "a field that is missing",
      { solvers: [{ provider: "rfc2136" }] },
      /^solvers\[0\]\.config\.nameserver: is missing/,
    ],
    ["a provider that does not exist", { solvers: [{ provider: "nope" }] }, /^solvers\[0\]\.provider: /],
    ["a CA that does not exist", { ca: "nope" }, /^ca: /],
    ["a state folder that is a file", { stateDir: "/dev/null/x" }, /\/dev\/null/],
  ])("for %s", async (_, options, message) => {
    const error = await caseOf(options);
    expect(error.message).toMatch(message);
    const told = JSON.stringify([error.message, error.hint, error.details, (error as ConfigError).issues]);
    expect(told).not.toMatch(/(^|[\s("])--[a-z]|DNS01_|RFC2136_|--rfc2136/);
  });
});

test.each([
  ["Ask another resolver (--resolver), or name the nameservers (--nameserver).", "Ask another resolver (resolvers)."],
  [
    "Name a folder that can be written with --state or DNS01_STATE.",
    "Name a folder that can be written with stateDir.",
  ],
  ["--eab-kid (DNS01_EAB_KID)", "eab.kid"],
  ["Check --eab-kid and --eab-hmac-key (or `eab` in dns01.yaml).", "Check eab.kid and eab.hmacKey."],
  [
    "Renew it once with dns01 issue --csr FILE --force; after that …",
    "Renew it once with dns01 issue --csr FILE --force; after that …",
  ],
  ["`dns01 account deactivate --yes` puts it aside", "`dns01 account deactivate --yes` puts it aside"],
  ["It is tried again after that; --force tries now.", "It is tried again after that; force: true tries now."],
])("%s", (text, ours) => expect(optionWords(text)).toBe(ours));

test("an error keeps its class, and a frozen one its words", () => {
  const error = new ConfigError([{ path: "--profile", message: "unknown" }], { hint: "Choose another --profile." });
  expect(rewordError(error)).toBe(error);
  expect(error).toMatchObject({
    message: "profile: unknown",
    hint: "Choose another profile.",
    issues: [{ path: "profile", message: "unknown" }],
    details: { issues: [{ path: "profile", message: "unknown" }] },
  });
  const frozen = Object.freeze(new AuthError("wrong", { hint: "Check --email." }));
  expect(rewordError(frozen).hint).toBe("Check --email.");
});
