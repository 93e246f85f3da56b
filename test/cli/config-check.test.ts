import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { generateKey } from "../../src/acme/keys.ts";
import { openStore } from "../../src/store/index.ts";
import { cli, type Env } from "../real/lab/cli.ts";

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "dns01-check-"));
  await writeFile(join(dir, "dns01.yaml"), good);
  await writeFile(join(dir, "tsig"), "cGxhbnRlZC1zZWNyZXQ=\n", { mode: 0o600 });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const run = (args: readonly string[], env: Env = {}) => cli(args, env, dir);

const good = `acme: { ca: letsencrypt, email: ops@example.com }
solvers:
  - zones: [example.com]
    provider: rfc2136
    config: { nameserver: 192.0.2.1, tsigKeyName: k, tsigSecret: { file: tsig } }
certificates:
  - { name: ex, domains: [example.com, "*.example.com"], deploy: { command: "true" } }
dns: { propagationTimeout: 90s }
`;

test("a sound file: exit 0, what it declares, and a warning for a secret that all can read", async () => {
  const quiet = await run(["config", "check"]);
  expect([quiet.status, quiet.stderr]).toEqual([0, ""]);
  expect(quiet.stdout).toBe(
    "dns01.yaml is valid: 1 certificate, 1 solver\n  ex  example.com *.example.com  letsencrypt  ec256\n",
  );
  await chmod(join(dir, "tsig"), 0o644);
  const { status, stdout, stderr } = await run(["config", "check", "dns01.yaml", "--json"]);
  await chmod(join(dir, "tsig"), 0o600);
  expect(status).toBe(0);
  expect(stderr).toContain("W_FILE_MODE");
  expect(JSON.parse(stdout)).toMatchObject({
    file: "dns01.yaml",
    valid: true,
    certificates: [{ name: "ex", domains: ["example.com", "*.example.com"], ca: "letsencrypt", keyType: "ec256" }],
    solvers: [{ zones: ["example.com"], provider: "rfc2136" }],
    warnings: [{ code: "W_FILE_MODE" }],
  });
});

test("a secret's file is warned of once, also where its content is at fault", async () => {
  await writeFile(join(dir, "two-lines"), "a\nb\n", { mode: 0o644 });
  await chmod(join(dir, "two-lines"), 0o644);
  const text = "solvers: [{ provider: cloudflare, config: { apiToken: { file: two-lines } } }]\n";
  await writeFile(join(dir, "once.yaml"), text);
  const { status, stderr } = await run(["config", "check", "once.yaml"]);
  expect(status).toBe(2);
  expect(stderr.match(/W_FILE_MODE/g)).toHaveLength(1);
});

test("certificates that share names: exit 0, and a warning with both lines", async () => {
  const more = good.replace("dns:", '  - { name: www, domains: [a.b.example.com, "*.example.com"] }\ndns:');
  await writeFile(join(dir, "overlap.yaml"), more);
  const { status, stdout, stderr } = await run(["config", "check", "overlap.yaml", "--json"]);
  expect(status).toBe(0);
  const text = "overlap.yaml:8 certificates[1]: *.example.com is in overlap.yaml:7 certificates[0], too";
  expect(stderr.split(text)).toHaveLength(2);
  expect(JSON.parse(stdout)).toMatchObject({ warnings: [{ code: "W_OVERLAP", text }] });
});

test("an EAB whose variable is gone: a fault with its line, until an account is registered in the state folder", async () => {
  const eab = good.replace("ca: letsencrypt", "ca: zerossl, eab: { kid: k, hmacKey: { env: GONE } }");
  await writeFile(join(dir, "eab.yaml"), eab);
  const env = { DNS01_STATE: join(dir, "state") };
  const before = await run(["config", "check", "eab.yaml"], env);
  expect([before.status, before.stderr]).toEqual([
    2,
    expect.stringContaining(
      "eab.yaml:1 acme.eab.hmacKey: the environment variable GONE is not set, and no account is registered at zerossl yet",
    ),
  ]);
  const store = await openStore(env.DNS01_STATE);
  const ca = "https://acme.zerossl.com/v2/DV90";
  await store.accounts.save({
    ca,
    privkey: await generateKey("ec256"),
    url: "https://acme.zerossl.com/a/1",
    contact: [],
  });
  await store.close();
  expect((await run(["config", "check", "eab.yaml"], env)).status).toBe(0);
});

test("a broken file: exit 2, and the faults of file, provider and names in one document with their lines", async () => {
  const bad = good.replace("file: tsig", "fil: tsig").replace("domains: [example.com", "domains: [exa_mple.org");
  await writeFile(join(dir, "bad.yaml"), `${bad}runn: {}\n`);
  const { status, stdout } = await run(["config", "check", "bad.yaml", "--json"]);
  expect(status).toBe(2);
  const { error } = JSON.parse(stdout) as { error: { code: string; details: { issues: unknown } } };
  expect(error.code).toBe("CONFIG");
  expect(error.details.issues).toEqual([
    { path: "bad.yaml:5 solvers[0].config.tsigSecret.fil", message: "unknown key fil; did you mean file?" },
    { path: "bad.yaml:7 certificates[0].domains[0]", message: expect.stringContaining("_") },
    { path: "bad.yaml:9 runn", message: 'unknown key "runn"; did you mean "run"?' },
  ]);
});

test("a file that is named twice, that is not there, or that nobody named", async () => {
  const twice = await run(["config", "check", "dns01.yaml", "--config", "other.yaml"]);
  expect([twice.status, twice.stderr]).toEqual([2, expect.stringContaining("--config: and FILE name the same thing")]);
  const missing = await run(["config", "check", "none.yaml"]);
  expect([missing.status, missing.stderr]).toEqual([2, expect.stringContaining("none.yaml does not exist")]);
  expect(missing.stderr).not.toContain("2 faults");
  await rm(join(dir, "bad.yaml"), { force: true });
  const { status, stderr } = await run(["config", "check", "--config", ""]);
  expect(status).toBe(2);
  expect(stderr).toContain("--config");
});

test("every command that reads the file refuses a broken one before it calls anybody", async () => {
  await writeFile(join(dir, "broken.yaml"), "acme:\n\tca: x\n");
  for (const args of [
    ["issue", "-d", "example.com", "-p", "memory"],
    ["present", "_acme-challenge.example.com", "value", "-p", "memory"],
    ["check", "_acme-challenge.example.com", "value"],
    ["providers"],
    ["config", "schema"],
  ]) {
    const { status, stderr } = await run([...args, "--config", "broken.yaml"]);
    expect([status, stderr], args[0]).toEqual([2, expect.stringContaining("broken.yaml:2: a tab indents here")]);
  }
});

test("config schema is one document, the same with --json", async () => {
  const { status, stdout } = await run(["config", "schema"]);
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ $schema: "https://json-schema.org/draft/2020-12/schema" });
  expect((await run(["config", "schema", "--json"])).stdout).toBe(stdout);
});

test("--show-config: flag before environment before file, each with its source; solvers and certificates too", async () => {
  const args = ["issue", "--show-config", "--email", "flag@example.com"];
  const env = {
    DNS01_CA: "letsencrypt-staging",
    RFC2136_TSIG_ALGORITHM: "hmac-sha512",
    RFC2136_NAMESERVER: "192.0.2.9",
  };
  const { status, stdout } = await run(args, env);
  expect(status).toBe(0);
  for (const line of [
    /^email +flag@example\.com +--email$/m,
    /^ca +letsencrypt-staging +DNS01_CA$/m,
    /^propagation-timeout +90s +dns01\.yaml:8 dns\.propagationTimeout$/m,
    /^key-type +ec256 +default$/m,
    /^solvers\[0\]\.config\.nameserver +192\.0\.2\.1 +dns01\.yaml:5$/m,
    /^solvers\[0\]\.config\.tsigSecret +\*\*\* +dns01\.yaml:5$/m,
    /^solvers\[0\]\.config\.tsigAlgorithm +hmac-sha512 +RFC2136_TSIG_ALGORITHM$/m,
    /^solvers\[0\]\.config\.transport +tcp +default$/m,
    /^certificates\[0\]\.name +ex +dns01\.yaml:7$/m,
    /^certificates\[0\]\.deploy\.timeout +5m +default$/m,
  ]) {
    expect(stdout).toMatch(line);
  }
  expect(stdout).not.toContain("cGxhbnRlZC1zZWNyZXQ=");
  const { stdout: json } = await run([...args, "--json"], env);
  const { settings } = JSON.parse(json) as { settings: unknown };
  expect(settings).toContainEqual({ name: "ca", value: "letsencrypt-staging", source: "DNS01_CA" });
  expect(settings).toContainEqual({
    name: "solvers[0].config.nameserver",
    value: "192.0.2.1",
    source: "dns01.yaml:5",
  });
});

test("--show-config of a broken file shows what is sound, tells the faults and ends with 2", async () => {
  await writeFile(join(dir, "half.yaml"), good.replace("rfc2136", "rfc2137").replace("90s", "90"));
  const { status, stdout, stderr } = await run(["config", "check", "half.yaml", "--show-config"]);
  expect(status).toBe(2);
  expect(stdout).toMatch(/^acme\.email +ops@example\.com +half\.yaml:1$/m);
  expect(stderr).toContain("half.yaml:4 solvers[0].provider");
  expect(stderr).toContain("half.yaml:8 dns.propagationTimeout");
});
