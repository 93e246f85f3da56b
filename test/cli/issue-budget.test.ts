import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";

const main = process.env["DNS01_TEST_CLI"] ?? fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const skewed = fileURLToPath(new URL("../real/skew.mjs", import.meta.url));
const HOUR = 3_600_000;
let box: Sandbox;
let dir: string;

beforeEach(async () => {
  box = await startSandbox({ orderLimit: { count: 1, perMs: 48 * HOUR } });
  dir = await mkdtemp(join(tmpdir(), "dns01-issue-budget-"));
});
afterEach(async () => {
  await box.close();
  await rm(dir, { recursive: true, force: true });
});

function issue(domain: string, args: readonly string[] = [], aheadMs = 0) {
  return new Promise<{ status: number | null; stdout: string; stderr: string }>((resolve) => {
    const child = spawn(process.execPath, [main, "issue", "-p", "rfc2136", "-d", domain, "--json", "-q", ...args], {
      cwd: dir,
      env: {
        PATH: process.env["PATH"],
        HOME: dir,
        DNS01_STATE: join(dir, "state"),
        ...box.env,
        ...(aheadMs === 0 ? {} : { NODE_OPTIONS: `--import ${skewed}`, DNS01_TEST_SKEW_MS: String(aheadMs) }),
      },
    });
    const said = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => {
        said[name] += text;
      });
    }
    child.on("close", (status) => resolve({ status, ...said }));
  });
}

/** Makes all that is kept of failures older: the servers' signatures allow no clock that is days ahead. */
async function age(ms: number): Promise<void> {
  const folder = join(dir, "state", "budget");
  for (const name of await readdir(folder, { recursive: true })) {
    if (!name.endsWith(".json")) continue;
    const text = await readFile(join(folder, name), "utf8");
    const older = JSON.parse(text, (_, value: unknown) =>
      Number(value) > 1e12 ? Number(value) - ms : value,
    ) as unknown;
    await writeFile(join(folder, name), JSON.stringify(older));
  }
}

const errorOf = (stdout: string) =>
  (JSON.parse(stdout) as { readonly error: { readonly code: string; readonly message: string; readonly hint: string } })
    .error;

test("after a 429 every further start asks nobody, with exit status 4 and the same words, until the time is over", async () => {
  expect((await issue("a.example.test")).status).toBe(0);
  const limited = await issue("b.example.test");
  expect(limited.status, limited.stderr).toBe(4);
  const asked = box.log.entries.length;
  const again = await issue("b.example.test");
  expect(again.status).toBe(4);
  expect(errorOf(again.stdout)).toMatchObject({ code: "RATE_LIMITED" });
  expect(errorOf(again.stdout).message).toContain(`${box.directoryUrl} is not asked for "b.example.test" before 2`);
  expect(errorOf(again.stdout).hint).toContain("another CA with --ca");
  const forced = await issue("b.example.test", ["--force"], 24 * HOUR);
  expect(forced.status).toBe(4);
  expect(errorOf(forced.stdout).message).toBe(errorOf(again.stdout).message);
  // Neither the CA nor DNS.
  expect(box.log.entries.length).toBe(asked);
  Object.assign(box.ca.state.behaviour, { orderLimit: undefined });
  await age(49 * HOUR);
  const later = await issue("b.example.test");
  expect(later.status, later.stderr).toBe(0);
});
