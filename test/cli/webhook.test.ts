import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import { createAggregator } from "../fakes/aggregator.ts";
import { until } from "../webhook/harness.ts";
import { serviceName } from "../webhook/pki.ts";
import { type Program, startProgram } from "../webhook/program.ts";

const main = process.env["DNS01_TEST_CLI"] ?? fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const running: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.close();
});

const start = async (flags: readonly string[], env: Readonly<Record<string, string>> = {}) => {
  const program = await startProgram(flags, env);
  running.push(program);
  return program;
};
const aggregatorOf = (program: Program, more: object = {}) => {
  const { pki, port } = program;
  const made = createAggregator({
    port,
    caBundle: pki.servingCa.cert,
    service: serviceName,
    proxy: pki.frontProxy,
    ...more,
  });
  running.unshift(made);
  return made;
};

/** Writes only when a file appears. */
const slow = `import { existsSync } from "node:fs";
import { defineProvider, z } from "dns01";
export default defineProvider({
  id: "slow", title: "Slow", config: z.strictObject({}), traits: { ttlSeconds: { min: 0, default: 60 } },
  connect: () => ({
    findZone: async (apex) => (apex.split(".").length === 2 ? { apex, id: apex } : undefined),
    async apply(_zone, edits) {
      while (!existsSync(process.env.RELEASE)) await new Promise((resolve) => setTimeout(resolve, 20));
      return edits.map(() => "changed");
    },
  }),
});
`;

test("SIGTERM with 50 calls open: not ready, all answered, exit status 0", async () => {
  const { mkdtemp, rm } = await import("node:fs/promises");
  const { tmpdir } = await import("node:os");
  const folder = await mkdtemp(join(tmpdir(), "dns01-slow-"));
  running.push({ close: () => rm(folder, { recursive: true }) });
  const plugin = join(folder, "slow.mjs");
  const release = join(folder, "release");
  await writeFile(plugin, slow);
  const program = await start(["--plugin", plugin, "--providers", "slow", "--shutdown-delay", "300ms"], {
    RELEASE: release,
  });
  const aggregator = aggregatorOf(program, { connections: 60 });
  const answers = Array.from({ length: 50 }, (_, i) =>
    aggregator.challenge("acme.dns01.io", "slow", {
      dnsName: `n${i}.example.org`,
      resolvedFQDN: `_acme-challenge.n${i}.example.org.`,
    }),
  );
  await until(async () => (await program.metric("dns01_webhook_challenges_in_flight")) === 50);
  program.signal("SIGTERM");
  const plainReady = () => fetch(`http://127.0.0.1:${program.plainPort}/readyz`);
  await until(async () => (await plainReady()).status === 503);
  await writeFile(release, "");
  const got = await Promise.all(answers);
  expect(got.map(({ status }) => status)).toEqual(got.map(() => 201));
  expect(got.filter(({ text }) => !text.includes('"success":true'))).toEqual([]);
  expect(await program.ended).toBe(0);
});

describe("with the memory provider", () => {
  test("presents and cleans up; each line of the log is JSON with the call's id, and no value is whole", async () => {
    const program = await start(["--providers", "memory", "--group-name", "acme.example.com,acme.other.example"]);
    const aggregator = aggregatorOf(program);
    const headers = { "Audit-Id": "11111111-2222" };
    for (const action of ["Present", "CleanUp"]) {
      const answer = await aggregator.challenge("acme.other.example", "memory", { action }, { headers });
      expect(answer.json).toMatchObject({ response: { success: true } });
    }
    await until(() => program.log.entries().some((entry) => entry["action"] === "CleanUp"));
    const ofCall = program.log.entries().filter((entry) => entry["correlationId"] === "11111111-2222");
    expect(ofCall.map((entry) => entry["action"])).toEqual(["Present", "CleanUp"]);
    expect(program.log.text()).not.toContain("0123456789abcdefghijklmnopqrstuvwxyzABCDEFG");
    for (const line of program.log.text().trim().split("\n")) expect(() => JSON.parse(line)).not.toThrow();
    const page = await (await fetch(`http://127.0.0.1:${program.plainPort}/`)).text();
    expect(page).toContain("acme.example.com, acme.other.example");
    expect(page).not.toContain("example.org");
    program.signal("SIGTERM");
  });

  test("serves the group of GROUP_NAME, and IPv6 as well as IPv4", async () => {
    const program = await start(["--providers", "memory"], { GROUP_NAME: "acme.from.env" });
    for (const host of ["127.0.0.1", "::1"]) {
      const answer = await aggregatorOf(program, { host }).challenge("acme.from.env", "memory");
      expect(answer.status).toBe(201);
    }
  });
});

const fails = async (...args: readonly string[]): Promise<{ readonly code: number; readonly stderr: string }> =>
  promisify(execFile)(process.execPath, [main, "webhook", ...args], { env: { PATH: process.env["PATH"] } }).then(
    () => ({ code: 0, stderr: "" }),
    (error: { code: number; stderr: string }) => error,
  );

test("everything that is wrong with the flags is told at once, and nothing is served", async () => {
  const { code, stderr } = await fails(
    ...["--kubeconfig", "none", "--group-name", "nolabel,Acme.X", "--bind-address", "here", "--call-timeout", "70s"],
    ...["--metrics-bind-address", "x:y", "--allowed-endpoint", "https://x/y", "--policy", "/does/not/exist"],
    ...["--requestheader-allowed-names", "a", "--secure-port", "70000"],
  );
  expect(code).toBe(2);
  for (const flag of [
    ...['group-name: "nolabel"', 'group-name: "Acme.X"', "bind-address", "call-timeout", "metrics-bind-address"],
    ...["tls-cert-file", "tls-private-key-file", "requestheader-client-ca-file", "requestheader-allowed-names"],
    ...["allowed-endpoint", "policy", "secure-port"],
  ]) {
    expect(stderr).toContain(`--${flag}`);
  }
});

test("solvers that do not exist or act on this machine are refused", async () => {
  const program = await start(["--providers", "memory"]);
  const files = [
    "--tls-cert-file",
    "tls.crt",
    "--tls-private-key-file",
    "tls.key",
    "--requestheader-client-ca-file",
    "front-proxy-ca.crt",
  ];
  const inFolder = files.map((arg) => (arg.startsWith("--") ? arg : join(program.folder, arg)));
  const exec = await fails("--kubeconfig", "none", ...inFolder, "--providers", "exec,dnspot");
  expect(exec.code).toBe(2);
  expect(exec.stderr).toContain("exec acts on this machine");
  expect(exec.stderr).toContain("did you mean dnspod?");
  const taken = await fails(
    "--kubeconfig",
    "none",
    ...inFolder,
    "--metrics-bind-address",
    "0",
    "--secure-port",
    String(program.port),
  );
  expect(taken.code).toBe(2);
  expect(taken.stderr).toContain("--secure-port: cannot listen");
});
