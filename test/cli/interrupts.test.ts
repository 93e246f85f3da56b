import { execFileSync, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";

const main = process.env["DNS01_TEST_CLI"] ?? fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const owner = "_acme-challenge.example.test";
let box: Sandbox;
let dir: string;

beforeAll(async () => {
  box = await startSandbox({ lagMs: Number.POSITIVE_INFINITY });
  dir = await mkdtemp(join(tmpdir(), "dns01-signals-"));
});
afterAll(async () => {
  await box.close();
  await rm(dir, { recursive: true, force: true });
});

/** Signals while the nameservers are awaited. */
async function interrupted(state: string, signals: readonly NodeJS.Signals[]) {
  const args = [main, "issue", "-d", "example.test", "-p", "rfc2136", "--state", state, "--json"];
  const child = spawn(process.execPath, args, {
    cwd: dir,
    env: { PATH: process.env["PATH"], HOME: dir, ...box.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  child.stdout.on("data", (piece: Buffer) => {
    stdout += piece.toString();
  });
  const done = new Promise<number | null>((resolve) => child.on("close", (status) => resolve(status)));
  while (box.zone.txt(owner).length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  for (const signal of signals) child.kill(signal);
  return { child, done, stdout: () => stdout };
}

const journalOf = async (state: string) =>
  (await readdir(join(dir, state, "journal"))).filter((f) => !f.startsWith("."));

test.each([
  [["SIGHUP"], [129]],
  // The system may hand over either of the two first.
  [
    ["SIGTERM", "SIGINT"],
    [143, 130],
  ],
  [["SIGINT", "SIGINT", "SIGINT"], [130]],
] as const)("%j in the wait: an orderly end with one of %j, one document, DNS clean", async (signals, statuses) => {
  const state = signals.join("-");
  const { done, stdout } = await interrupted(state, signals);
  expect(statuses).toContain(await done);
  expect(JSON.parse(stdout())).toMatchObject({
    error: { code: "ABORTED", message: expect.stringMatching(/^stopped by SIG/) },
  });
  expect(box.zone.txt(owner)).toEqual([]);
  expect(await journalOf(state)).toEqual([]);
});

test("SIGTERM where the nameserver takes nothing out: 143, and the hint says that values are left", async () => {
  const { child, done, stdout } = await interrupted("left", []);
  box.weather.set({ refused: 1 });
  child.kill("SIGTERM");
  expect(await done).toBe(143);
  box.weather.set({ refused: 0 });
  expect(JSON.parse(stdout())).toMatchObject({
    error: { code: "ABORTED", message: "stopped by SIGTERM", hint: expect.stringContaining("may be left in DNS") },
  });
  expect(await journalOf("left")).not.toEqual([]);
});

test.each([
  ["cleanup", ["-p", "rfc2136"], "may still be in DNS"],
  ["check", [], "Run the same command again."],
] as const)("%s that a signal stops says what this leaves in DNS", async (command, flags, hint) => {
  const silent = createSocket("udp4");
  silent.bind(0, "127.0.0.1");
  await once(silent, "listening");
  const env = { PATH: process.env["PATH"], HOME: dir, ...box.env, DNS01_STATE: join(dir, command) };
  const child = spawn(process.execPath, [main, command, owner, "value", ...flags, "--json"], {
    cwd: dir,
    env: { ...env, DNS01_RESOLVER: `127.0.0.1:${silent.address().port}` },
    stdio: ["ignore", "pipe", "ignore"],
  });
  let stdout = "";
  child.stdout.on("data", (piece: Buffer) => {
    stdout += piece.toString();
  });
  const done = once(child, "close");
  await once(silent, "message");
  child.kill("SIGTERM");
  expect(await done).toEqual([143, null]);
  silent.close();
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: "ABORTED", hint: expect.stringContaining(hint) } });
});

/** Opens a pipe without a writer in place of a page of the journal, as a network file system that is gone would hang. */
const hanging = `
import files from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
const { open } = files;
files.open = (path, ...more) => {
  if (!String(path).includes("journal")) return open(path, ...more);
  process.stderr.write("hangs\\n");
  return open(process.env.HANGING_PIPE, "r");
};
syncBuiltinESMExports();
`;

test.skipIf(process.platform === "win32").each(["SIGTERM", "SIGINT"] as const)(
  "a second %s ends a process with a thread that hangs in the file system, by that signal",
  async (signal) => {
    const state = join(dir, `hanging-${signal}`);
    await mkdir(join(state, "journal"), { recursive: true });
    await writeFile(join(state, "journal/20260101T000000Z-0123456789ab.json"), "{}");
    const pipe = join(state, "pipe");
    execFileSync("mkfifo", [pipe]);
    const args = ["--import", `data:text/javascript,${encodeURIComponent(hanging)}`, main];
    const child = spawn(process.execPath, [...args, "cleanup", "--leftovers", "--state", state, "--json"], {
      cwd: dir,
      env: { PATH: process.env["PATH"], HOME: dir, HANGING_PIPE: pipe },
      stdio: ["ignore", "pipe", "pipe"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    let [stdout, stderr] = ["", ""];
    const ended = new Promise((resolve) => child.on("close", (status, by) => resolve({ status, by })));
    await new Promise<void>((resolve) =>
      child.stderr.on("data", (piece: Buffer) => {
        stderr += piece.toString();
        if (stderr.includes("hangs")) resolve();
      }),
    );
    // Two that are less than a second apart count as one.
    const again = setInterval(() => child.kill(signal), 300);
    onTestFinished(() => clearInterval(again));
    child.stdout.on("data", (piece: Buffer) => {
      stdout += piece.toString();
      // The last words: a third signal would end the process whatever the second one did.
      clearInterval(again);
    });
    expect(await ended).toEqual({ status: null, by: signal });
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: "ABORTED", message: `stopped by ${signal} during the clean-up` },
    });
  },
);
