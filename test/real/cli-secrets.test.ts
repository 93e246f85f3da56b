import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { cli, type Env, type Finished, issueArgs, labEnv } from "./lab/cli.ts";
import { describeInLab } from "./lab/suite.ts";

/** Every form in which a secret could slip out. */
function formsOf(secret: string): ReadonlyMap<string, string> {
  const decoded = Buffer.from(secret, "base64");
  return new Map([
    ["raw", secret],
    ["base64", Buffer.from(secret).toString("base64")],
    ["base64url", Buffer.from(secret).toString("base64url")],
    ["hex", Buffer.from(secret).toString("hex")],
    ["URL-encoded", encodeURIComponent(secret)],
    ["JSON-escaped", JSON.stringify(secret).slice(1, -1).replaceAll("/", "\\/")],
    ["decoded, hex", decoded.toString("hex")],
    ["decoded, base64", decoded.toString("base64").replace(/=+$/, "")],
    ["decoded, base64url", decoded.toString("base64url")],
    ["decoded, octets", decoded.toString("latin1")],
  ]);
}

function filesIn(dir: string): readonly string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    return entry.isDirectory() ? filesIn(path) : statSync(path).isFile() ? [path] : [];
  });
}

/** Where a secret was found: nothing, if all is well. */
function leaks(run: Finished, env: Env, secrets: readonly string[]): readonly string[] {
  const places = new Map<string, string>([
    ["stdout", run.stdout],
    ["stderr", run.stderr],
  ]);
  const state = env["DNS01_STATE"] ?? "";
  for (const file of existing(state)) places.set(file, readFileSync(file, "latin1"));
  return secrets.flatMap((secret) =>
    [...formsOf(secret)].flatMap(([form, text]) =>
      [...places]
        .filter(([, content]) => content.toLowerCase().includes(text.toLowerCase()))
        .map(([place]) => `${form} in ${place}`),
    ),
  );
}

function existing(dir: string): readonly string[] {
  try {
    return filesIn(dir);
  } catch {
    return [];
  }
}

const levels = [{ format: "text" }, { format: "json" }];
const atDebug = (format: string) => ["--log-level", "debug", "--log-format", format];

describeInLab("planted secrets", (inLab) => {
  test("the search finds what it is meant to find", () => {
    const secret = `${randomBytes(33).toString("base64")}+/=`;
    const run = { status: 0, signal: null, elapsedMs: 0, stderr: "" };
    for (const [form, text] of formsOf(secret)) {
      expect(leaks({ ...run, stdout: `x${text}y` }, {}, [secret]), form).not.toEqual([]);
    }
  });

  test.each(levels)("a successful run shows none in its $format log", async ({ format }) => {
    const lab = inLab();
    const hmac = randomBytes(40).toString("base64url");
    const ca = await lab.startCa({ eab: { "kid-1": hmac } });
    const env = {
      ...labEnv(lab, { ca: ca.directory }),
      DNS01_EAB_KID: "kid-1",
      DNS01_EAB_HMAC_KEY: hmac,
    };
    const run = await cli(issueArgs(["zone0.test"], ...atDebug(format)), env);
    expect(run.status, run.stderr).toBe(0);
    expect(leaks(run, env, [lab.keys["hmac-sha256"].secret, hmac])).toEqual([]);
  });

  test.each(levels)("a run that is refused shows none in its $format log", async ({ format }) => {
    const lab = inLab();
    const secret = randomBytes(40).toString("base64");
    const env = { ...labEnv(lab), RFC2136_TSIG_SECRET: secret };
    const run = await cli(issueArgs(["zone0.test"], ...atDebug(format)), env);
    expect(run.status).toBe(3);
    expect(leaks(run, env, [secret])).toEqual([]);
  });

  test("a malformed secret is not repeated in the complaint about it", async () => {
    const lab = inLab();
    const secret = "certainly!not=base64 but secret";
    const env = { ...labEnv(lab), RFC2136_TSIG_SECRET: secret };
    const run = await cli(issueArgs(["zone0.test"], "--log-level", "debug"), env);
    expect(run.status).toBe(2);
    expect(run.stdout + run.stderr).not.toContain("certainly");
  });

  test("--show-config masks them", async () => {
    const lab = inLab();
    const env = labEnv(lab);
    const run = await cli(["issue", "-p", "rfc2136", "-d", "zone0.test", "--show-config"], env);
    expect(run.status).toBe(0);
    expect(run.stdout).toContain("zone0.test");
    expect(leaks(run, env, [lab.keys["hmac-sha256"].secret])).toEqual([]);
  });
});
