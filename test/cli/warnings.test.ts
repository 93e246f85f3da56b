import { spawn } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";

const main = process.env["DNS01_TEST_CLI"] ?? fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
let box: Sandbox;
let dir: string;

beforeEach(async () => {
  box = await startSandbox({});
  dir = await mkdtemp(join(tmpdir(), "dns01-warnings-"));
});
afterEach(async () => {
  await box.close();
  await rm(dir, { recursive: true, force: true });
});

interface Document {
  readonly warnings: readonly { readonly code: string }[];
  readonly certificates: readonly { readonly warnings?: readonly { readonly code: string }[] }[];
}

/** Runs `dns01 … --json` in the sandbox's environment; the document, and the codes that stderr has. */
function run(...args: readonly string[]) {
  return new Promise<{ document: Document; told: readonly string[] }>((resolve, reject) => {
    const { RFC2136_TSIG_SECRET: _, ...env } = box.env;
    const child = spawn(process.execPath, [main, ...args, "-p", "rfc2136", "--json"], {
      cwd: dir,
      env: {
        PATH: process.env["PATH"],
        HOME: dir,
        DNS01_STATE: join(dir, "state"),
        ...env,
        RFC2136_TSIG_SECRET_FILE: join(dir, "secret"),
      },
    });
    const said = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => {
        said[name] += text;
      });
    }
    child.on("close", (status) => {
      if (status !== 0) return reject(new Error(said.stderr));
      resolve({
        document: JSON.parse(said.stdout) as Document,
        told: [...said.stderr.matchAll(/\[(W_\w+)\]/g)].map((m) => m[1] ?? ""),
      });
    });
  });
}

const codes = (warnings: Document["warnings"] | undefined) => warnings?.map(({ code }) => code);

test("what stands on stderr as a warning stands in the document: of files, of the chain, of what is left out", async () => {
  await writeFile(join(dir, "secret"), box.tsig.secret);
  await chmod(join(dir, "secret"), 0o644);
  const { document, told } = await run("issue", "-d", "example.test", "--preferred-chain", "Nobody's Root");
  expect(codes(document.warnings)).toEqual(["W_FILE_MODE", "W_CHAIN"]);
  expect(told).toEqual(["W_FILE_MODE", "W_CHAIN"]);
});

test("a password for PKCS #12 that every user can read is warned of, like any other secret", async () => {
  await writeFile(join(dir, "secret"), box.tsig.secret, { mode: 0o600 });
  await writeFile(join(dir, "password"), "correct horse", { mode: 0o600 });
  await chmod(join(dir, "password"), 0o644);
  const { document } = await run("issue", "-d", "p.example.test", "--pfx-password-file", join(dir, "password"));
  expect(codes(document.warnings)).toEqual(["W_FILE_MODE"]);
});

test("renew: each certificate has its own, the document those of nobody", async () => {
  await writeFile(join(dir, "secret"), box.tsig.secret, { mode: 0o600 });
  await run("issue", "-d", "a.example.test", "--profile", "shortlived");
  await run("issue", "-d", "b.example.test");
  await chmod(join(dir, "secret"), 0o644);
  (box.ca.state.profiles as Map<string, number>).clear();
  const { document, told } = await run("renew", "--force");
  expect(document.certificates.map(({ warnings }) => codes(warnings))).toEqual([["W_PROFILE"], []]);
  expect(codes(document.warnings)).toEqual(["W_FILE_MODE"]);
  expect(told).toEqual(["W_FILE_MODE", "W_PROFILE"]);
});
