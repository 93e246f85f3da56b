import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { cli, type Env, issueArgs, startCli } from "../real/lab/cli.ts";

const owner = "_acme-challenge.example.test";
const names = ["example.test", "*.example.test"];

let box: Sandbox;
let dir: string;
let env: Env;
beforeAll(async () => {
  box = await startSandbox({ seed: 4 });
});
afterAll(() => box.close());
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "dns01-after-"));
  env = { ...box.env, DNS01_STATE: join(dir, "state") };
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await pause(10);
}

const ordersMade = () =>
  box.log.entries.filter((e) => e.kind === "acme" && e.path === "/new-order" && e.status === 201);

test("what a killed run left in DNS is taken out by cleanup --leftovers, and nothing while it runs", async () => {
  // The second nameserver never follows: the run waits with its values in DNS.
  box.zone.setLag(Number.POSITIVE_INFINITY);
  const run = startCli(issueArgs(names), env);
  await until(() => box.zone.txt(owner).length === 2);
  const during = await cli(["cleanup", "--leftovers", "-d", "example.test", "--yes", "-p", "rfc2136", "--json"], env);
  expect(during.status, during.stderr).toBe(0);
  expect(JSON.parse(during.stdout)).toMatchObject({
    leftovers: [{ kind: "in-use", removed: false }, { kind: "in-use" }],
  });
  expect(box.zone.txt(owner)).toHaveLength(2);
  run.child.kill("SIGKILL");
  await run.done;
  box.zone.setLag(0);
  // Without a provider it says which one it needs.
  const without = await cli(["cleanup", "--leftovers"], env);
  expect([without.status, without.stderr]).toEqual([2, expect.stringContaining("--provider")]);
  const after = await cli(["cleanup", "--leftovers", "-p", "rfc2136", "--json"], env);
  expect(after.status, after.stderr).toBe(0);
  expect(JSON.parse(after.stdout)).toMatchObject({ leftovers: [{ kind: "left", removed: true }, { kind: "left" }] });
  expect(box.zone.txt(owner)).toEqual([]);
  expect(JSON.parse((await cli(["cleanup", "--leftovers", "--json"], env)).stdout)).toEqual({ leftovers: [] });
});

test("a hook that was running when dns01 was killed, or that failed, runs at the next call, without an order", async () => {
  const ran = join(dir, "ran");
  const killed = startCli(issueArgs(["example.test"], "--deploy-hook", `echo $$ > ${ran}; sleep 60`), env);
  await until(() => existsSync(ran) && readFileSync(ran, "utf8").endsWith("\n"));
  killed.child.kill("SIGKILL");
  await killed.done;
  process.kill(-Number(readFileSync(ran, "utf8")), "SIGKILL");
  const orders = ordersMade().length;

  const failed = await cli(issueArgs(["example.test"], "--deploy-hook", "echo no >&2; exit 3"), env);
  expect(failed.status, failed.stderr).toBe(7);
  expect(JSON.parse(failed.stdout)).toMatchObject({
    error: { code: "HOOK", retryable: true, details: { output: "no", certificate: { reused: true } } },
  });
  for (let i = 0; i < 2; i++) {
    const done = await cli(issueArgs(["example.test"], "--deploy-hook", `echo done >> ${ran}.done`), env);
    expect(done.status, done.stderr).toBe(0);
  }
  expect(readFileSync(`${ran}.done`, "utf8")).toBe("done\n");
  expect(ordersMade()).toHaveLength(orders);
});

test("a wrong deployment is refused whole, before anything is called", async () => {
  const flags = ["--out-mode", "999", "--pfx-legacy", "--deploy-timeout", "1m", "--out-owner", "root"];
  const before = box.log.entries.length;
  const stranger = await cli(issueArgs(["example.test"], "--out", "tls", "--out-owner", "nobody-of-this-name"), env);
  expect([stranger.status, stranger.stdout]).toEqual([2, expect.stringContaining("there is no user")]);
  const refused = await cli(issueArgs(["example.test"], ...flags), env);
  expect(refused.status).toBe(2);
  const { details } = JSON.parse(refused.stdout).error as { details: { issues: { path: string }[] } };
  expect(details.issues.map(({ path }) => path).sort()).toEqual(
    ["--deploy-timeout", "--out-mode", "--out-mode", "--out-owner", "--pfx-legacy"].sort(),
  );
  const hurried = await cli(issueArgs(["example.test"], "--deploy-hook", "true", "--deploy-timeout", "0s"), env);
  expect([hurried.status, hurried.stdout]).toEqual([2, expect.stringContaining("leaves the hook no time")]);
  expect(box.log.entries).toHaveLength(before);
});
