import { spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const main = process.env["DNS01_TEST_CLI"] ?? fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "dns01-line-"));

/** Exit status, and the faults that `--json` or the text tells. */
function run(...args: string[]) {
  return runIn({}, ...args);
}

function runIn(more: Readonly<Record<string, string>>, ...args: string[]) {
  const env = { PATH: process.env["PATH"], HOME: dir, DNS01_STATE: join(dir, "state"), ...more };
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { cwd: dir, env, encoding: "utf8" });
  return { status, stdout, stderr };
}

test.each([
  [["--versoin"], "--versoin: unknown option; did you mean --version?"],
  [["--hlep"], "--hlep: unknown option; did you mean --help?"],
  [["help", "isue"], 'unknown command "isue"; did you mean "issue"?'],
])("%j names the nearest real one", (args, message) => {
  const { status, stderr } = run(...args);
  expect(status).toBe(2);
  expect(stderr).toContain(message);
});

test.each([
  ["issue", "-d", "example.com", "-p", "memory"],
  ["renew"],
  ["run"],
  ["present", "_acme-challenge.example.com", "x", "-p", "memory"],
  ["providers"],
  ["webhook"],
  ["webhook", "check"],
])("NODE_TLS_REJECT_UNAUTHORIZED=0 stops %s before it does anything", (...args) => {
  const { status, stderr } = runIn({ NODE_TLS_REJECT_UNAUTHORIZED: "0" }, ...args);
  expect(status).toBe(2);
  expect(stderr).toMatch(/^error CONFIG: NODE_TLS_REJECT_UNAUTHORIZED: "0" switches off .*--ca-root FILE/s);
});

test("any other value of NODE_TLS_REJECT_UNAUTHORIZED changes nothing", () => {
  expect(runIn({ NODE_TLS_REJECT_UNAUTHORIZED: "1" }, "providers").status).toBe(0);
});

test("an option of some command that stands alone is not called unknown", () => {
  expect(run("--resolver", "192.0.2.1").stderr).toMatch(/^error CONFIG: no command given/);
});

test.each([
  [["--config", "/dev/null", "-p", "memory", "issue"]],
  [["--propagation-timeout", "5m", "--state", join(dir, "other"), "--quiet", "issue", "-p", "memory"]],
])("%j: options may stand before the command, with their values", (args) => {
  const { status, stderr } = run(...args);
  expect(status).toBe(2);
  expect(stderr).toMatch(/^error CONFIG: --domain: is missing/);
});

test("--config and --plugin are taken by every command; one that needs neither does not read them", () => {
  for (const args of [["list"], ["delete", "none"], ["show", "none"], ["account", "show"]]) {
    const { stderr } = run(...args, "--config", "/dev/null", "--plugin", "nowhere.mjs");
    expect(stderr).not.toMatch(/unknown option|nowhere/);
  }
  expect(run("delete", "none", "--config", "nowhere.yaml").stderr).not.toContain("nowhere");
  // What is declared is part of the list.
  expect(run("list", "--config", "nowhere.yaml").stderr).toContain("nowhere.yaml does not exist");
});

test("check refuses to ask nobody", () => {
  const check = ["check", "_acme-challenge.example.test", "value"];
  const { status, stdout } = run(...check, "--propagation", "none", "--json");
  expect(status).toBe(2);
  expect(JSON.parse(stdout)).toMatchObject({
    error: {
      code: "CONFIG",
      details: { issues: [{ path: "--propagation", message: expect.stringContaining("nobody") }] },
    },
  });
});

test("a propagation time-out of nothing is refused before a value is written", () => {
  const { status, stderr } = run("issue", "-d", "a.example.test", "-p", "memory", "--propagation-timeout", "0s");
  expect(status).toBe(2);
  expect(stderr).toMatch(/^error CONFIG: --propagation-timeout: leaves no time/);
});

test.each([
  ["192.0.2.1", "is an IP address"],
  ["_acme-challenge.192.0.2.1", "ends in a number"],
  ["*.example.test", "has a wildcard"],
])("present and cleanup of %s end before anybody is asked", (fqdn, message) => {
  for (const command of ["present", "cleanup"]) {
    const { status, stderr } = run(command, fqdn, "value", "-p", "memory");
    expect(status).toBe(2);
    expect(stderr).toContain(`error CONFIG: FQDN: "${fqdn}" ${message}`);
  }
});

test.each([[`-${"p".repeat(42)}`], [`--${"q".repeat(41)}`], ["--", "-p"]])(
  "present, cleanup and check take %j for a value",
  (...value) => {
    for (const command of [["present", "-p", "memory"], ["cleanup", "-p", "memory"], ["check"]]) {
      const { status, stderr } = run(...command, "--state", "x", "*.example.test", ...value);
      expect(status).toBe(2);
      expect(stderr).toContain('FQDN: "*.example.test" has a wildcard');
      expect(stderr).not.toMatch(/VALUE|usage|option|faults/);
    }
  },
);

test.each([[["--version"]], [["issue", "--version"]], [["--version", "account", "show"]]])(
  "%j prints the version and does nothing else, with --json as a document",
  (args) => {
    const { status, stdout, stderr } = run(...args);
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\S*\n$/);
    expect(JSON.parse(run(...args, "--json").stdout)).toEqual({ version: stdout.trim() });
  },
);

test.skipIf(process.platform === "win32")("a working directory that is gone is told in words", () => {
  const gone = mkdtempSync(join(dir, "gone-"));
  const script = `cd ${gone} && rmdir ${gone} && exec "$0" "$@"`;
  const args = ["-c", script, process.execPath, main, "list", "--state", "here"];
  const { status, stderr } = spawnSync("sh", args, { encoding: "utf8" });
  expect(status).toBe(2);
  expect(stderr).toMatch(/^error CONFIG: the working directory is not there any more/);
});

test("a secret that was written where its file belongs is not repeated", () => {
  const secret = "9z7i2mWH-iLr5DYVwsyXW0gj4mwFNbT489Vyw6uU0Rc";
  const env = { RFC2136_TSIG_SECRET_FILE: secret, RFC2136_TSIG_KEY_NAME: "k", RFC2136_NAMESERVER: "192.0.2.53" };
  const line = ["issue", "-d", "a.example.test", "-p", "rfc2136", "--eab-kid", "x", "--json", "--log-level", "debug"];
  const runs = [
    runIn(env, ...line, "--eab-hmac-key", secret, "--pfx-password-file", secret),
    runIn(env, ...line, "--show-config"),
  ];
  for (const { stdout, stderr } of runs) expect(stdout + stderr).not.toContain(secret.slice(1, -1));
  expect(runs[0]?.stderr).toMatch(/3 faults:/);
});

test("an empty variable for the HMAC key of a binding is none", () => {
  const { stderr } = runIn({ DNS01_EAB_HMAC_KEY: "", DNS01_EAB_HMAC_KEY_FILE: "" }, "issue", "-p", "memory");
  expect(stderr).toMatch(/^error CONFIG: --domain: is missing/);
});

test.each([[["issue", "--bogus", "--log-level", "debug"]], [["issue", "--bogus", "--show-config"]]])(
  "%j: every line on stderr is JSON where that was asked for",
  (args) => {
    const { status, stderr } = run(...args, "--log-format", "json");
    expect(status).toBe(2);
    const codes = stderr
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as { code?: string }).code);
    expect(codes).toContain("CONFIG");
  },
);
