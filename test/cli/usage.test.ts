import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test as sequentially, vi } from "vitest";
import { dns01 } from "../plugins/program.ts";

// Most of the time goes to starting Node, and a busy machine takes its own.
vi.setConfig({ testTimeout: 60_000 });

const test = sequentially.concurrent;
let cwd: string;

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), "dns01-usage-"));
});

afterAll(async () => {
  await rm(cwd, { recursive: true, force: true });
});

const run = (line: string, env: Readonly<Record<string, string>> = {}) => dns01(line.split(" "), { cwd, env });

test.each(["--version", "-V", "-v", "version"])("dns01 %s prints the version", async (line) => {
  const { status, stdout } = await run(line);
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\S*\n$/);
  expect(status).toBe(0);
});

test("the version is a document with --json", async () => {
  expect(JSON.parse((await run("version --json")).stdout)).toEqual({ version: expect.any(String) });
});

test("a command has no -v of its own", async () => {
  const { status, stderr } = await run("issue -v");
  expect(stderr).toContain("-v: unknown option");
  expect(status).toBe(2);
});

test.each(["help issue", "help plugin new"])("dns01 %s prints the help of that command", async (line) => {
  const { status, stdout } = await run(line);
  expect(stdout).toContain(`Usage: ${line.replace("help", "dns01")}`);
  expect(status).toBe(0);
});

test("-d=x is -d x", async () => {
  const { stdout } = await run("issue -d=example.test --domain=other.test --show-config");
  expect(stdout).toMatch(/^domain +example\.test,other\.test +--domain$/m);
});

test("providers lists DNS services only", async () => {
  const { stdout } = await run("providers");
  expect(stdout).toContain("rfc2136");
  expect(stdout).not.toContain("memory");
  expect((await run("issue -d example.test -p nope")).stderr).not.toContain("memory");
});

test("account show names the flag that is missing, not where its default came from", async () => {
  const { status, stderr } = await run("account show");
  expect(stderr).toMatch(/^error CONFIG: --ca: /);
  expect(status).toBe(2);
});

test.each([
  ["nope", /--behaviour: "nope" is not a behavior of the CA; known are ari, .*caching-resolver/],
  ["proccessing=1s", /did you mean "processing"\?/],
])("sandbox --behaviour %s lists those there are", async (behaviour, message) => {
  const { status, stderr } = await run(`sandbox --behaviour ${behaviour}`);
  expect(stderr).toMatch(message);
  expect(status).toBe(2);
});

test("a check that failed has nothing to lose, and says so by leaving it out", async () => {
  const { status, stderr } = await run("check _acme-challenge.example.test x --nameserver 127.0.0.1:1");
  expect(stderr).not.toContain("lost");
  expect(status).toBe(4);
});

describe("a variable that no command reads", () => {
  const unknown = async (env: Readonly<Record<string, string>>, line = "providers") =>
    (await run(line, env)).stderr.split("\n").filter((text) => text.includes("W_VARIABLE"));

  test("is warned of, with the nearest one that is read", async () => {
    expect(await unknown({ DNS01_STAET: "x" })).toEqual([
      "warn: DNS01_STAET is set, but no command reads it; did you mean DNS01_STATE? [W_VARIABLE]",
    ]);
    expect(await unknown({ DNS01_COLORFUL_LIFE: "x" })).toEqual([
      "warn: DNS01_COLORFUL_LIFE is set, but no command reads it [W_VARIABLE]",
    ]);
  });

  test("is not one of another command, of a provider, a hook, a sandbox, Kubernetes, or of these tests", async () => {
    const set = [
      ...["DNS01_DEPLOY_HOOK", "DNS01_SECURE_PORT", "DNS01_EAB_HMAC_KEY_FILE", "DNS01_RFC2136_NAMESERVER"],
      ...["DNS01_NAME", "DNS01_DOMAINS", "DNS01_DIR", "DNS01_FULLCHAIN", "DNS01_PRIVKEY", "DNS01_PFX", "DNS01_SANDBOX"],
      ...["DNS01_PORT", "DNS01_PORT_443_TCP_ADDR", "DNS01_SERVICE_HOST", "DNS01_WEBHOOK_SERVICE_PORT_HTTPS"],
      "DNS01_TEST_CLI",
    ];
    expect(await unknown(Object.fromEntries(set.map((name) => [name, "443"])))).toEqual([]);
  });

  test("is not one that the configuration file or a plugin names", async () => {
    await writeFile(
      join(cwd, "named.yaml"),
      "solvers: [{ provider: cloudflare, config: { apiToken: { env: DNS01_MY_TOKEN } } }]\n",
    );
    await writeFile(
      join(cwd, "own.mjs"),
      `import { defineProvider, secret, z } from "dns01";
export default defineProvider({
  id: "own", title: "Own", traits: { ttlSeconds: { min: 0, default: 60 } },
  config: z.strictObject({ token: secret("token").meta({ env: ["DNS01_OWN_KEY"] }) }),
  connect: () => ({ findZone: async () => undefined, apply: async () => [] }),
});
`,
    );
    expect(await unknown({ DNS01_MY_TOKEN: "x" }, "providers --config named.yaml")).toEqual([]);
    expect(await unknown({ DNS01_OWN_KEY: "x" }, "providers --plugin own.mjs")).toEqual([]);
    expect(await unknown({ DNS01_OWN_KEY: "x" })).toHaveLength(1);
  });
});
