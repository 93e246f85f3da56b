import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { makeFolder, startService } from "../daemon/service.ts";

const main = process.env["DNS01_TEST_CLI"] ?? fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const blocked: string[] = [];
let box: Sandbox;
let dir: string;

beforeEach(async () => {
  blocked.length = 0;
  box = await startSandbox({ blocked });
  dir = await mkdtemp(join(tmpdir(), "dns01-renew-cli-"));
});
afterEach(async () => {
  await box.close();
  await rm(dir, { recursive: true, force: true });
});

interface Entry {
  readonly name: string;
  readonly status: string;
  readonly error?: { readonly code: string; readonly message: string };
}

/** Runs `dns01` with the sandbox's environment, `env` on top of it (undefined takes away). */
function run(args: readonly string[], env: Readonly<Record<string, string | undefined>> = {}) {
  return new Promise<{ status: number | null; stdout: string; stderr: string }>((resolve) => {
    const child = spawn(process.execPath, [main, ...args], {
      cwd: dir,
      env: { PATH: process.env["PATH"], HOME: dir, DNS01_STATE: join(dir, "state"), ...box.env, ...env },
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

async function issue(...domains: readonly string[]) {
  const done = await run(["issue", "-q", "-p", "rfc2136", ...domains.flatMap((d) => ["-d", d])]);
  expect(done.status, done.stderr).toBe(0);
}

const entriesOf = (stdout: string) => (JSON.parse(stdout) as { readonly certificates: readonly Entry[] }).certificates;

test("one of several that fails: exit status 6, each is listed, the failure is told on stderr with its name", async () => {
  await issue("a.example.test");
  await issue("b.example.test");
  blocked.push("a.example.test");
  const done = await run(["renew", "--force", "--json"]);
  expect(done.status, done.stderr).toBe(6);
  expect(entriesOf(done.stdout)).toMatchObject([
    { name: "a.example.test", status: "failed", error: { code: "ACME" } },
    { name: "b.example.test", status: "renewed" },
  ]);
  expect(JSON.parse(done.stdout)).not.toHaveProperty("error");
  expect(done.stderr).toMatch(/^a\.example\.test: error ACME: /m);
  expect(done.stderr).toMatch(/^store {7}b\.example\.test/m);
});

test("a single one that fails has its own status, and its error at the top as well; show tells it later", async () => {
  await issue("a.example.test");
  blocked.push("a.example.test");
  const done = await run(["renew", "a.example.test", "--force", "--json"]);
  expect(done.status).toBe(5);
  expect(JSON.parse(done.stdout)).toMatchObject({ certificates: [{ status: "failed" }], error: { code: "ACME" } });
  expect((await run(["show", "a.example.test"])).stdout).toMatch(/^last error .*ACME: /m);
});

test("nothing needs the provider's credentials before something is due; what is missing then fails that one", async () => {
  await issue("a.example.test");
  await issue("b.example.test");
  const without = { RFC2136_NAMESERVER: undefined };
  const calm = await run(["renew", "--json"], without);
  expect(calm.status, calm.stderr).toBe(0);
  const due = await run(["renew", "--json", "--force"], without);
  expect(due.status).toBe(6);
  for (const { status, error } of entriesOf(due.stdout)) {
    expect(status).toBe("failed");
    expect(error).toMatchObject({ code: "CONFIG", message: expect.stringContaining("RFC2136_NAMESERVER") });
  }
  // That was no failure the CA has seen: the next try is not put off.
  const again = await run(["renew", "--json", "--force"]);
  expect(entriesOf(again.stdout).map((e) => e.status)).toEqual(["renewed", "renewed"]);
});

test("dns01.yaml: its solvers, and its word on a certificate that it declares, with the hook once for each version", async () => {
  await issue("a.example.test");
  await writeFile(
    join(dir, "dns01.yaml"),
    `acme: { ca: "${box.directoryUrl}", caRoot: ${box.caRootFile} }
solvers:
  - provider: rfc2136
    config: { nameserver: "${box.env["RFC2136_NAMESERVER"]}", tsigKeyName: sandbox-key, tsigSecret: { env: SECRET } }
certificates:
  - domains: [a.example.test, c.example.test]
    keyType: ec384
    deploy: { command: "echo ran >> ${join(dir, "hook")}" }
  - { name: later, domains: [later.example.test] }
`,
  );
  const env = {
    ...Object.fromEntries(
      Object.keys(box.env).map((name) => [name, name.startsWith("RFC2136") ? undefined : box.env[name]]),
    ),
    SECRET: box.tsig.secret,
  };
  const first = await run(["renew", "later", "--json"], env);
  expect(entriesOf(first.stdout)).toMatchObject([{ name: "later", status: "issued" }]);
  for (let i = 0; i < 2; i++) {
    const done = await run(["renew", "--json", ...(i === 0 ? ["--force"] : [])], env);
    expect(done.status, done.stderr).toBe(0);
    expect(entriesOf(done.stdout)).toMatchObject([
      { status: i === 0 ? "renewed" : "not-due", domains: ["a.example.test", "c.example.test"] },
      { status: i === 0 ? "renewed" : "not-due", domains: ["later.example.test"] },
    ]);
  }
  expect(await readFile(join(dir, "hook"), "utf8")).toBe("ran\n");
  const meta = await readFile(join(dir, "state/certificates/a.example.test/meta.json"), "utf8");
  expect(JSON.parse(meta)).toMatchObject({ keyType: "ec384" });
  expect(meta).not.toContain(box.tsig.secret);
});

test("faults are told together before anything is called: unknown names, flags, the file", async () => {
  await issue("a.example.test");
  const names = await run(["renew", "a.exampel.test", "nobody", "--json"]);
  expect(names.status).toBe(2);
  expect(names.stdout).toContain('did you mean \\"a.example.test\\"?');
  expect(names.stdout).toContain("nobody");
  const flags = await run(["renew", "--dryrun", "--parallel", "x", "--propagation", "soon"]);
  expect(flags.status).toBe(2);
  for (const part of ["--dry-run", "whole number", "soon"]) expect(flags.stderr).toContain(part);
});

/** A file that declares these certificates; solvers and CA as the environment has them. */
async function declare(certificates: string) {
  const solver = `{ provider: rfc2136, config: { nameserver: "${box.env["RFC2136_NAMESERVER"]}" } }`;
  await writeFile(join(dir, "dns01.yaml"), `solvers: [${solver}]\ncertificates:\n${certificates}`);
}

test.each([
  ["renew", "--json"],
  ["run", "--once", "--json"],
])(
  "%s %s issues what dns01.yaml declares and is missing, renews what is stored besides, and follows the file",
  async (...args) => {
    await issue("old.example.test");
    await declare("  - { name: a, domains: [a.example.test] }\n  - { name: b, domains: [b.example.test] }\n");
    const first = await run(args);
    expect(first.status, first.stderr).toBe(0);
    expect(entriesOf(first.stdout)).toMatchObject([
      { name: "a", status: "issued", reason: "it was not issued yet", domains: ["a.example.test"] },
      { name: "b", status: "issued" },
      { name: "old.example.test", status: "not-due" },
    ]);
    await declare(
      "  - { name: a, domains: [a.example.test, www.example.test] }\n  - { name: b, domains: [b.example.test] }\n",
    );
    const second = await run(args);
    expect(entriesOf(second.stdout)).toMatchObject([
      { name: "a", status: "renewed", domains: ["a.example.test", "www.example.test"] },
      { name: "b", status: "not-due" },
      { name: "old.example.test", status: "not-due" },
    ]);
    blocked.push("c.example.test");
    await declare("  - { name: c, domains: [c.example.test] }\n");
    const third = await run(args);
    expect(third.status).toBe(6);
    expect(entriesOf(third.stdout)).toMatchObject([
      ...[{ name: "a" }, { name: "b" }],
      { name: "c", status: "failed", error: { code: "ACME" } },
      { name: "old.example.test" },
    ]);
  },
);

test("run --once is refused with --listen and with --print-unit", async () => {
  const served = await run(["run", "--once", "--listen", "127.0.0.1:0"]);
  expect([served.status, served.stderr]).toEqual([
    2,
    expect.stringContaining("--listen: cannot be combined with --once"),
  ]);
  const units = await run(["run", "--once", "--print-unit"]);
  expect([units.status, units.stderr]).toEqual([2, expect.stringContaining("--once")]);
});

test("issue without -d says which command orders what the file declares", async () => {
  await declare("  - { name: a, domains: [a.example.test] }\n  - { name: b, domains: [b.example.test] }\n");
  const done = await run(["issue"]);
  expect(done.status).toBe(2);
  const said = "`dns01 renew` issues the 2 certificates that dns01.yaml declares, `dns01 issue --name a` only that one";
  expect(done.stderr).toContain(said);
});

test("-q says nothing when nothing is due, and only what was done otherwise", async () => {
  await issue("a.example.test");
  const silent = { status: 0, stdout: "", stderr: "" };
  expect(await run(["renew", "-q"])).toEqual(silent);
  expect(await run(["cleanup", "--leftovers", "-q"])).toEqual(silent);
  expect(await run(["issue", "-q", "-p", "rfc2136", "-d", "a.example.test"])).toEqual(silent);
  await declare("  - { name: b, domains: [b.example.test] }\n");
  const done = await run(["renew", "-q"]);
  expect(done.stdout).toMatch(/^ {2}b +issued /m);
  expect(done.stdout).not.toContain("a.example.test");
  expect(JSON.parse((await run(["renew", "-q", "--json"])).stdout)).toMatchObject({ certificates: [{}, {}] });
});

test("where no certificate is declared or stored, renew and run say so and name where they looked", async () => {
  const none = `no certificates: no dns01.yaml was found, and ${join(dir, "state")} holds none`;
  expect((await run(["renew"])).stdout).toContain(none);
  expect((await run(["run", "--once"])).stdout).toContain(none);
  await writeFile(join(dir, "dns01.yaml"), "acme: {}\n");
  expect((await run(["renew"])).stdout).toContain("dns01.yaml declares none");
  expect((await run(["renew", "-q"])).stdout).toBe("");
});

test("a daemon without a certificate says so, and waits for a file that declares one", async () => {
  const folder = makeFolder({});
  const service = startService(folder, { ...process.env, ...box.env });
  const { level } = await service.line(({ message }) => message.includes(`${folder.config} declares none`));
  expect(level).toBe("warn");
  folder.write({ solvers: [{ provider: "rfc2136" }], certificates: [{ domains: ["a.example.test"] }] });
  service.child.kill("SIGHUP");
  await service.line(({ event, certificate }) => event === "renewed" && certificate === "a.example.test");
  service.child.kill("SIGTERM");
  expect((await service.done).status).toBe(0);
  await rm(folder.dir, { recursive: true, force: true });
});

test("nothing stored is nothing due", async () => {
  const done = await run(["renew", "--json"]);
  expect(done).toMatchObject({ status: 0, stdout: expect.stringContaining('"certificates": []') });
});

test("DNS01_CA counts for what dns01.yaml declares, as with run: no other CA is asked", async () => {
  await issue("a.example.test");
  const elsewhere = "http://127.0.0.1:1/directory";
  const file = `acme: { ca: "${elsewhere}" }\nsolvers: [{ provider: rfc2136 }]\ncertificates: [{ domains: [a.example.test] }]\n`;
  await writeFile(join(dir, "dns01.yaml"), file);
  const done = await run(["renew", "--force", "--json"]);
  expect(done.status, done.stderr).toBe(0);
  expect(entriesOf(done.stdout)).toMatchObject([{ status: "renewed", ca: box.directoryUrl }]);
  expect(done.stderr).not.toContain(elsewhere);
});
