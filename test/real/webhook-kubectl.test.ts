import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Aggregator, createAggregator } from "../fakes/aggregator.ts";
import { type FakeApiServer, startApiServer } from "../fakes/kubectl-front.ts";
import { serviceName } from "../webhook/pki.ts";
import { type Program, startProgram } from "../webhook/program.ts";

let program: Program;
let aggregator: Aggregator;
let api: FakeApiServer;
let home: string;

beforeAll(async () => {
  program = await startProgram(["--group-name", "acme.dns01.io,acme.dnspod.com"]);
  const { pki, port } = program;
  aggregator = createAggregator({ port, caBundle: pki.servingCa.cert, service: serviceName, proxy: pki.frontProxy });
  api = await startApiServer(aggregator, ["acme.dns01.io", "acme.dnspod.com"]);
  home = await mkdtemp(join(tmpdir(), "dns01-kubectl-"));
});
afterAll(async () => {
  await api?.close();
  aggregator?.close();
  await program?.close();
  if (home !== undefined) await rm(home, { recursive: true });
});

const kubectl = async (...args: readonly string[]) => {
  const env = { PATH: process.env["PATH"], HOME: home, KUBECONFIG: join(home, "none") };
  return promisify(execFile)("kubectl", ["--server", api.url, ...args], { env, timeout: 60_000 }).then(
    ({ stdout }) => ({ status: 0, stdout, stderr: "" }),
    (error: { code: number; stdout: string; stderr: string }) => ({ ...error, status: error.code }),
  );
};

test("kubectl api-resources lists every solver of every group", async () => {
  const { stdout } = await kubectl("api-resources", "--no-headers");
  const rows = stdout
    .trim()
    .split("\n")
    .map((line) => line.split(/\s+/));
  for (const group of ["acme.dns01.io/v1alpha1", "acme.dnspod.com/v1alpha1"]) {
    const names = rows.filter((row) => row[1] === group).map((row) => row[0]);
    expect(names).toEqual(expect.arrayContaining(["cloudflare", "dnspod", "rfc2136", "route53"]));
  }
  expect(rows.every((row) => row[2] === "false" && row[3] === "ChallengePayload")).toBe(true);
});

test("kubectl explain knows the type and its fields", async () => {
  const whole = await kubectl("explain", "dnspod.acme.dns01.io");
  expect(whole.stdout).toMatch(/KIND:\s+ChallengePayload/);
  expect(whole.stdout).toMatch(/request\s+<ChallengeRequest>/);
  const field = await kubectl("explain", "rfc2136.acme.dnspod.com.request.resolvedFQDN");
  expect(field.stdout).toContain("FIELD: resolvedFQDN <string>");
});

test("kubectl create --raw by somebody who may not: the reason of the Status", async () => {
  const { status, stderr } = await kubectl("create", "--raw", "/apis/acme.dns01.io/v1alpha1/dnspod", "-f", "/dev/null");
  expect(status).not.toBe(0);
  expect(stderr).toContain('User "kubernetes-admin" may not have challenges solved');
});
