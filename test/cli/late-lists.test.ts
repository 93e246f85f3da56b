import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { parseName } from "../../src/core/name.ts";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { type FakeDnspod, startDnspod } from "../fakes/dnspod.ts";
import { cli, type Env, issueArgs, startCli } from "../real/lab/cli.ts";

/** Every command is a process of its own here: nothing but the journal tells the second one what the first one wrote. */
const apex = parseName("example.test");
const owner = parseName("_acme-challenge.example.test");

let box: Sandbox;
let fake: FakeDnspod;
let dir: string;
let env: Env;
beforeAll(async () => {
  box = await startSandbox({ seed: 4 });
});
afterAll(() => box.close());
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "dns01-late-"));
  fake = await startDnspod([apex], { listLagMs: 2500 });
  const { secretId, secretKey, endpoint } = fake.config as Record<string, string>;
  env = {
    ...box.env,
    DNS01_STATE: join(dir, "state"),
    TENCENTCLOUD_SECRET_ID: secretId,
    TENCENTCLOUD_SECRET_KEY: secretKey,
    DNSPOD_ENDPOINT: endpoint,
  };
});
afterEach(async () => {
  rmSync(dir, { recursive: true, force: true });
  await fake.http.close();
});

const values = () => fake.values(apex, owner);
const issue = (...more: readonly string[]) => [
  ...issueArgs(["example.test"], ...more).filter((arg, i, all) => arg !== "-p" && all[i - 1] !== "-p"),
  "-p",
  "dnspod",
];

/** Leaves a value behind: the sandbox's nameservers never show what the fake has. */
async function crash(): Promise<void> {
  const run = startCli(issue(), env);
  while (values().length === 0) await pause(10);
  run.child.kill("SIGKILL");
  await run.done;
}

test("cleanup right after present takes out what the service's list does not show yet", async () => {
  for (const command of ["present", "cleanup"]) {
    const { status, stderr } = await cli([command, owner, "of-this-test", "-p", "dnspod"], env);
    expect(status, stderr).toBe(0);
    expect(values()).toEqual(command === "present" ? ["of-this-test"] : []);
  }
});

test("what a run left that was killed right after writing is taken out by cleanup --leftovers", async () => {
  await crash();
  const { status, stderr } = await cli(["cleanup", "--leftovers", "-p", "dnspod"], env);
  expect(status, stderr).toBe(0);
  expect(values()).toEqual([]);
});

test("and by the next run", async () => {
  await crash();
  const { status, stderr } = await cli(issue("--propagation-timeout", "1s"), env);
  expect(status, stderr).toBe(4);
  expect(values()).toEqual([]);
});
