import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { dns01, main, updatePlugin } from "./program.ts";

// Most of the time goes to starting Node, and a busy machine takes its own.
vi.setConfig({ testTimeout: 60_000 });

let dir: string;
let box: Sandbox | undefined;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "dns01-live-zone-"));
  await writeFile(join(dir, "updatehost.mjs"), updatePlugin);
  await writeFile(join(dir, "clinging.mjs"), updatePlugin.replace("add, remove }));", "add, remove: [] }));"));
});

afterEach(() => box?.close());

afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

/** Every name that was written to, and what stands there now. */
function written({ log, zone }: Sandbox): ReadonlyMap<string, readonly string[]> {
  const changes = log.entries.flatMap((entry) => (entry.kind === "update" ? entry.changes : []));
  const names = changes.flatMap((change) => /^\+ (\S+) TXT/.exec(change)?.[1] ?? []);
  return new Map(names.map((name) => [name, zone.txt(name)]));
}

const line = (plugin: string, ...rules: readonly string[]) => [
  "plugin",
  "test",
  plugin,
  "--zone",
  "example.test",
  "--rule",
  rules.join(","),
  "--seed",
  "7",
  "--json",
];

interface Report {
  readonly passed: number;
  readonly failed: number;
  readonly rules: readonly { readonly id: string; readonly outcome: string; readonly reason?: string }[];
}

test("whatever is written is below a name of its own and taken out again; nameservers may be late", async () => {
  box = await startSandbox({ lagMs: 300 });
  box.zone.addTxt("_acme-challenge.example.test", "somebody-else");
  const rules = ["adding", "removing", "siblings", "restarts", "concurrency.adding", "names.digits", "names.repeated"];
  const { status, stdout, stderr } = await dns01(line("updatehost.mjs", ...rules), { cwd: dir, env: box.env });
  const { passed, rules: results } = JSON.parse(stdout) as Report;
  expect(
    results.filter(({ outcome }) => outcome === "fail"),
    stderr,
  ).toEqual([]);
  expect(passed).toBeGreaterThan(15);
  expect(status).toBe(0);
  const names = written(box);
  expect(names.size).toBeGreaterThan(15);
  for (const [name, values] of names) {
    expect(name).toMatch(/(^|\.)dns01-test-[0-9a-f]{6}-\d+\.example\.test$/);
    expect(values, name).toEqual([]);
  }
  expect(box.zone.txt("_acme-challenge.example.test")).toEqual(["somebody-else"]);
}, 60_000);

test("a rule that does not hold says what the nameservers show", async () => {
  box = await startSandbox();
  const args = [...line("clinging.mjs", "removing.value"), "--propagation-timeout", "500ms"];
  const { status, stdout } = await dns01(args, { cwd: dir, env: box.env });
  const { failed, rules } = JSON.parse(stdout) as Report;
  expect(failed).toBe(1);
  expect(rules[0]?.reason).toContain("value-1");
  expect(status).toBe(3);
});

test("Ctrl-C in the middle takes out what was written", async () => {
  box = await startSandbox({ lagMs: 60_000 });
  const child = spawn(process.execPath, [main, ...line("updatehost.mjs", "adding")], {
    cwd: dir,
    env: { PATH: process.env["PATH"], ...box.env },
    stdio: "ignore",
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  await expect.poll(() => (box === undefined ? 0 : written(box).size), { timeout: 15_000 }).toBeGreaterThan(0);
  child.kill("SIGINT");
  expect(await ended).toBe(130);
  expect([...written(box).values()].flat()).toEqual([]);
});

test("a zone that the account does not hold is told, by the words of the provider", async () => {
  box = await startSandbox();
  const args = ["plugin", "test", "updatehost.mjs", "--zone", "www.example.test", "--rule", "adding.new"];
  const { status, stdout } = await dns01(args, { cwd: dir, env: box.env });
  expect(stdout).toMatch(/adding\.new .*\n.*holds/);
  expect(status).toBe(3);
});
