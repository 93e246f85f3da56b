import { spawn } from "node:child_process";
import { openSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";

const main = process.env["DNS01_TEST_CLI"] ?? fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
let box: Sandbox;
let dir: string;

beforeAll(async () => {
  box = await startSandbox({ lagMs: 300 });
  dir = await mkdtemp(join(tmpdir(), "dns01-pipe-"));
});
afterAll(async () => {
  await box.close();
  await rm(dir, { recursive: true, force: true });
});

type Where = "read" | "closed" | "full";

/** Runs dns01 with its outputs read, closed after the first piece, or on a full disk. */
function run(args: readonly string[], { stdout, stderr }: { readonly stdout: Where; readonly stderr: Where }) {
  const end = (where: Where) => (where === "full" ? openSync("/dev/full", "w") : "pipe");
  const child = spawn(process.execPath, [main, ...args], {
    cwd: dir,
    env: { PATH: process.env["PATH"], HOME: dir, ...box.env },
    stdio: ["ignore", end(stdout), end(stderr)],
  });
  const text = { stdout: "", stderr: "" };
  for (const [name, where] of [["stdout", stdout] as const, ["stderr", stderr] as const]) {
    const stream = child[name];
    if (stream === null) continue;
    stream.on("data", (piece: Buffer) => {
      text[name] += piece.toString();
      if (where === "closed") stream.destroy();
    });
  }
  return new Promise<{ status: number | null; stdout: string; stderr: string }>((resolve) => {
    child.on("exit", (status) => setTimeout(() => resolve({ status, ...text }), 20));
  });
}

const issue = (state: string) => [
  "issue",
  "-d",
  "example.test",
  "-d",
  "*.example.test",
  "-p",
  "rfc2136",
  "--state",
  state,
];

async function expectClean(state: string): Promise<void> {
  expect(box.zone.txt("_acme-challenge.example.test")).toEqual([]);
  expect((await readdir(join(dir, state, "journal"))).filter((file) => !file.startsWith("."))).toEqual([]);
}

test("a reader of stderr that leaves changes nothing: the certificate comes and DNS is clean", async () => {
  const { status, stdout } = await run([...issue("a"), "--json"], { stdout: "read", stderr: "closed" });
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ name: "example.test", reused: false });
  await expectClean("a");
});

test.skipIf(process.platform !== "linux")(
  "a result that cannot be written is status 1 and said, with nothing left in DNS",
  async () => {
    const { status, stderr } = await run([...issue("b"), "--json"], { stdout: "full", stderr: "read" });
    expect(status).toBe(1);
    expect(stderr).toContain("could not be written to stdout");
    expect(stderr).not.toContain("    at ");
    await expectClean("b");
  },
);

test("help into a pipe that is closed ends quietly", async () => {
  expect(await run(["--help"], { stdout: "closed", stderr: "read" })).toMatchObject({ status: 0, stderr: "" });
});
