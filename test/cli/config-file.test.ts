import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Sandbox, startSandbox } from "../../src/sandbox/index.ts";
import { cli, type Env } from "../real/lab/cli.ts";

let box: Sandbox;
let dir: string;

beforeAll(async () => {
  box = await startSandbox();
  dir = await mkdtemp(join(tmpdir(), "dns01-config-cli-"));
});
afterAll(async () => {
  await box.close();
  await rm(dir, { recursive: true, force: true });
});

const run = (args: readonly string[], env: Env = {}) => cli(args, env, dir);

/** Two ways to the same server: the second one signs with a key that the server does not know. */
function config(keyForDelegated: string): string {
  return `acme: { ca: "${box.directoryUrl}", caRoot: ${box.caRootFile}, email: ops@example.test }
solvers:
  - zones: [delegated.test]
    provider: rfc2136
    config:
      nameserver: ${box.env["RFC2136_NAMESERVER"]}
      tsigKeyName: ${keyForDelegated}
      tsigSecret: { env: OTHER_SECRET }
  - provider: rfc2136
    config:
      nameserver: ${box.env["RFC2136_NAMESERVER"]}
      tsigKeyName: ${box.tsig.keyName}
      tsigSecret: { file: secret }
`;
}
const flags = () => ["--resolver", box.resolver, "--dns-port", String(box.dnsPort), "--state", "state", "--json"];

test("one certificate over two solvers: an alias leads into the zone of the second one", async () => {
  await writeFile(join(dir, "secret"), `${box.tsig.secret}\n`, { mode: 0o600 });
  await writeFile(join(dir, "dns01.yaml"), config(box.tsig.keyName));
  box.zone.addCname("_acme-challenge.www.example.test", "www.delegated.test");
  const { status, stdout, stderr } = await run(["issue", "-d", "example.test", "-d", "www.example.test", ...flags()], {
    OTHER_SECRET: box.tsig.secret,
  });
  expect(stderr).toContain("propagation");
  expect(status).toBe(0);
  const { challenges } = JSON.parse(stdout) as {
    challenges: { domain: string; fqdn: string; owner: string; zone: string }[];
  };
  expect(challenges.find((c) => c.domain === "www.example.test")).toMatchObject({
    fqdn: "_acme-challenge.www.example.test",
    owner: "www.delegated.test",
    zone: "delegated.test",
  });
  expect(box.zone.txt("www.delegated.test")).toEqual([]);
  expect(box.zone.txt("_acme-challenge.example.test")).toEqual([]);
});

test("when one of the two refuses, nothing stays behind at the other", async () => {
  await writeFile(join(dir, "dns01.yaml"), config("unknown-key"));
  const { status, stdout } = await run(
    ["issue", "--force", "-d", "example.test", "-d", "www.example.test", ...flags()],
    {
      OTHER_SECRET: box.tsig.secret,
    },
  );
  expect(status).toBe(3);
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: "AUTH", provider: "rfc2136" } });
  expect(box.zone.txt("_acme-challenge.example.test")).toEqual([]);
});

test("secrets in the file itself, a missing variable and an unknown key are refused together, each with its line", async () => {
  await writeFile(
    join(dir, "bad.yaml"),
    `solvers:\n  - provider: rfc2136\n    config:\n      nameserver: 127.0.0.1:53\n      tsigKeyName: k\n      tsigSecret: aW5saW5l\n  - provider: rfc2136\n    config: { nameserver: 127.0.0.1, tsigKeyNam: k, tsigSecret: { env: NOT_SET } }\n`,
  );
  const { status, stdout } = await run(["issue", "--config", "bad.yaml", "-d", "example.test", ...flags()]);
  expect(status).toBe(2);
  const { error } = JSON.parse(stdout) as { error: { code: string; message: string } };
  expect(error.code).toBe("CONFIG");
  expect(error.message).toMatch(/bad\.yaml:\d+ solvers\[0\]\.config\.tsigSecret/);
  expect(error.message).toMatch(/solvers\[1\]\.config\.tsigKeyNam.*tsigKeyName/);
  expect(error.message).toContain("NOT_SET");
  expect(error.message).not.toContain("aW5saW5l");
});

test("a name with control characters, and key options beside a CSR, are refused together", async () => {
  await writeFile(join(dir, "request.pem"), "no request");
  const { status, stdout } = await run([
    ...["issue", "--csr", "request.pem", "--key-type", "rsa2048", "--reuse-key", "--name", "a\u0001b"],
    ...flags(),
  ]);
  expect(status).toBe(2);
  const { error } = JSON.parse(stdout) as { error: { details: { issues: { path: string }[] } } };
  const paths = error.details.issues.map(({ path }) => path);
  expect(paths).toEqual(expect.arrayContaining(["--csr", "--key-type", "--reuse-key", "--name"]));
});

test("--name takes a declared certificate whole from the file; flags go before it", async () => {
  await writeFile(
    join(dir, "whole.yaml"),
    `${config(box.tsig.keyName)}dns: { resolvers: ["${box.resolver}"], dnsPort: ${box.dnsPort} }
certificates:
  - name: whole
    domains: [whole.example.test, "*.whole.example.test"]
    keyType: ec384
    out: { dir: copies, mode: "0640" }
    deploy: { command: 'echo "$DNS01_NAME $DNS01_DOMAINS" > hooked' }
`,
  );
  const args = ["issue", "--config", "whole.yaml", "--name", "whole", "--state", "state", "--json"];
  const env = { OTHER_SECRET: box.tsig.secret };
  const { status, stdout } = await run(args, env);
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ name: "whole", keyType: "ec384", reused: false });
  expect(await readFile(join(dir, "hooked"), "utf8")).toBe("whole whole.example.test *.whole.example.test\n");
  expect((await stat(join(dir, "copies", "privkey.pem"))).mode & 0o777).toBe(0o640);
  const again = await run(args, env);
  expect(JSON.parse(again.stdout)).toMatchObject({ reused: true });
  const other = await run([...args, "--key-type", "rsa2048"], env);
  expect(JSON.parse(other.stdout)).toMatchObject({ keyType: "rsa2048", reused: false });
  const unknown = await run(["issue", "--config", "whole.yaml", "--name", "hole", "--json"], env);
  expect([unknown.status, unknown.stdout]).toEqual([2, expect.stringContaining("--domain")]);
});
