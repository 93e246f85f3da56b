import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";

const main = process.env["DNS01_TEST_CLI"] ?? fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
/** util-linux: runs a command on a terminal of its own. */
const hasScript = spawnSync("script", ["--version"]).status === 0;
let box: Sandbox;
let dir: string;

beforeEach(async () => {
  box = await startSandbox();
  dir = await mkdtemp(join(tmpdir(), "dns01-replacing-"));
});
afterEach(async () => {
  await box.close();
  await rm(dir, { recursive: true, force: true });
});

/** Runs a program with the sandbox's environment; `answer` is typed once `prompt` is on the screen. */
function run(program: string, args: readonly string[], answer = "", prompt = "") {
  return new Promise<{ status: number | null; stdout: string; stderr: string }>((resolve) => {
    const child = spawn(program, args, {
      cwd: dir,
      env: { PATH: process.env["PATH"], HOME: dir, DNS01_STATE: join(dir, "state"), ...box.env },
    });
    const said = { stdout: "", stderr: "" };
    let isTyped = answer === "";
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => {
        said[name] += text;
        if (isTyped || !said.stdout.includes(prompt)) return;
        isTyped = true;
        child.stdin.write(answer);
      });
    }
    child.on("close", (status) => resolve({ status, ...said }));
  });
}

const issue = (...args: readonly string[]) => run(process.execPath, [main, "issue", "-p", "rfc2136", ...args]);
const onTerminal = (answer: string, ...args: readonly string[]) => {
  const command = [process.execPath, main, "issue", "-p", "rfc2136", ...args].map((part) => `'${part}'`).join(" ");
  return run("script", ["-qec", command, "/dev/null"], answer, "[e/r/C]");
};
const names = ["-d", "a.example.test", "-d", "www.example.test"];
const stored = async () => {
  const meta = await readFile(join(dir, "state/certificates/a.example.test/meta.json"), "utf8");
  const { domains, keyType } = JSON.parse(meta) as { readonly domains: readonly string[]; readonly keyType: string };
  return [...domains, keyType];
};

test("a certificate loses no name without a word: CONFIG with both lists, no request, the flags say what is meant", async () => {
  expect((await issue(...names, "--key-type", "ec384")).status).toBe(0);
  const before = box.log.entries.length;
  const refused = await issue("-d", "a.example.test", "--force", "--json");
  expect(refused.status).toBe(2);
  const { error } = JSON.parse(refused.stdout) as {
    readonly error: { readonly code: string; readonly message: string };
  };
  expect(error.code).toBe("CONFIG");
  expect(error.message).toContain("is for a.example.test, www.example.test; this order is for a.example.test");
  expect(error.message).toContain("is ec384; this order is for ec256");
  expect(box.log.entries).toHaveLength(before);
  expect((await issue("-d", "b.example.test", "--name", "a.example.test", "--expand")).status).toBe(0);
  expect(await stored()).toEqual(["a.example.test", "www.example.test", "b.example.test", "ec384"]);
  expect((await issue("-d", "a.example.test", "--replace")).status).toBe(0);
  expect(await stored()).toEqual(["a.example.test", "ec256"]);
});

test("--expand with --replace, with --csr or for a declared certificate is refused", async () => {
  await writeFile(
    join(dir, "dns01.yaml"),
    "solvers: [{ provider: rfc2136 }]\ncertificates: [{ domains: [a.example.test] }]\n",
  );
  expect((await issue(...names, "--expand", "--replace")).stderr).toContain(
    "--expand: and --replace exclude each other",
  );
  expect((await issue("--csr", "no.pem", "--expand")).stderr).toContain("--expand: cannot be had with --csr");
  const declared = await issue("--name", "a.example.test", "--expand");
  expect([declared.status, declared.stderr]).toEqual([2, expect.stringContaining("write the names there")]);
});

test("where dns01.yaml declares the certificate, the error says which command follows the file", async () => {
  expect((await issue(...names)).status).toBe(0);
  await writeFile(
    join(dir, "dns01.yaml"),
    "solvers: [{ provider: rfc2136 }]\ncertificates: [{ domains: [a.example.test] }]\n",
  );
  const refused = await issue("-d", "a.example.test");
  expect([refused.status, refused.stderr]).toEqual([2, expect.stringContaining("dns01 issue --name a.example.test")]);
  expect((await issue("--name", "a.example.test")).status).toBe(0);
  expect(await stored()).toEqual(["a.example.test", "ec256"]);
});

test.runIf(hasScript)("on a terminal the user is asked, and Ctrl-C ends the question", async () => {
  expect((await issue(...names)).status).toBe(0);
  const changed = ["-d", "a.example.test", "-d", "b.example.test"];
  const canceled = await onTerminal("\n", ...changed);
  expect([canceled.status, canceled.stdout]).toEqual([
    2,
    expect.stringContaining("stored:     a.example.test, www.example.test"),
  ]);
  expect((await onTerminal("\u0003", ...changed)).status).toBe(130);
  expect(await stored()).toEqual(["a.example.test", "www.example.test", "ec256"]);
  expect((await onTerminal("e\n", ...changed)).status).toBe(0);
  expect(await stored()).toEqual(["a.example.test", "www.example.test", "b.example.test", "ec256"]);
  expect((await onTerminal("r\n", ...changed)).status).toBe(0);
  expect(await stored()).toEqual(["a.example.test", "b.example.test", "ec256"]);
});
