import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const exec = promisify(execFile);
const root = fileURLToPath(new URL("..", import.meta.url));
const npm = (args: readonly string[], cwd: string) =>
  exec("npm", [...args], { cwd, env: { ...process.env, npm_config_audit: "false", npm_config_fund: "false" } });

/** What `npm pack` makes of dist/ (npm run build), installed in an empty folder. */
describe("the package", () => {
  let dir: string;
  let files: readonly string[];
  let version: string;
  const node = (args: readonly string[]) => exec(process.execPath, [...args], { cwd: dir });
  const dns01 = (...args: readonly string[]) => exec(join(dir, "node_modules/.bin/dns01"), [...args], { cwd: dir });

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "dns01-package-"));
    // Without scripts: the build would take dist/ away from the tests that run it at this moment.
    const packed = await npm(["pack", "--ignore-scripts", "--json", "--pack-destination", dir], root);
    const [report] = JSON.parse(packed.stdout) as readonly { filename: string; files: readonly { path: string }[] }[];
    files = report?.files.map((f) => f.path) ?? [];
    version = (JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string }).version;
    await writeFile(join(dir, "package.json"), `{"name":"elsewhere","private":true,"type":"module"}`);
    await npm(["install", "--omit=dev", "--prefer-offline", `./${report?.filename ?? ""}`], dir);
  }, 180_000);

  afterAll(async () => {
    await rm(dir, { recursive: true, force: true });
  });

  test("holds the program, its types and its documents, and nothing that only builds or tests it", () => {
    for (const file of [
      "dist/cli/main.js",
      "dist/library.js",
      "dist/testing.js",
      "dist/THIRD_PARTY_LICENSES",
      "README.md",
      "LICENSE",
      "CHANGELOG.md",
      "SECURITY.md",
      "docs/errors.md",
    ]) {
      expect(files).toContain(file);
    }
    expect(files.filter((f) => /^(src|test|bench|scripts|node_modules)\/|\.tgz$|^\.|\.map$/.test(f))).toEqual([]);
  });

  test("runs as a command", async () => {
    expect((await dns01("--version")).stdout).toBe(`${version}\n`);
    expect((await dns01("--help")).stdout).toContain("issue");
    const failed = await dns01("issue").then(
      () => "",
      (error: { stderr: string }) => error.stderr,
    );
    const page = / more: (.+)#config\n/.exec(failed)?.[1] ?? "";
    expect(await readFile(page, "utf8")).toMatch(/^## CONFIG$/m);
    expect((await dns01("--help")).stdout).toContain(`Documentation: ${join(dirname(page), "cli.md")}\n`);
    expect(JSON.parse((await dns01("list", "--json", "--state", join(dir, "state"))).stdout)).toEqual({
      certificates: [],
    });
  });

  test("is a library: the engine under dns01, the conformance suite under dns01/testing", async () => {
    const script = `const a = await import("dns01"), b = await import("dns01/testing");
      console.log(JSON.stringify([typeof a.issue, typeof a.defineProvider, typeof a.z.object, typeof b.testProvider]))`;
    const { stdout } = await node(["--input-type=module", "-e", script]);
    expect(JSON.parse(stdout)).toEqual(["function", "function", "function", "function"]);
  });

  test("brings types that a strict compiler accepts", async () => {
    const source = `import { defineProvider, issue, recordBackend, secret, z, type IssueResult } from "dns01";
      import { testProvider } from "dns01/testing";
      export const provider = defineProvider({
        id: "somehost", title: "Some Host", config: z.strictObject({ token: secret("API token") }),
        traits: { ttlSeconds: { min: 60, default: 120 } },
        connect: ({ token }, { http }) => {
          const api = http("https://api.some.host", { authorization: token });
          return recordBackend({
            findZone: async (apex, { signal }) => { await api("/zones", { signal }); return { apex, id: "1" }; },
            list: async () => [], create: async () => {}, delete: async () => {},
          });
        },
      });
      export const result: Promise<IssueResult> =
        issue({ domains: ["example.com"], solvers: [{ provider, config: { token: "t" } }], stateDir: "state" });
      export { testProvider };`;
    await writeFile(join(dir, "consumer.ts"), source);
    const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2023", "--skipLibCheck"];
    const types = ["--types", "node", "--typeRoots", join(root, "node_modules/@types")];
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const said = await node([tsc, ...options, ...types, "consumer.ts"]).then(
      () => "",
      (error: { stdout?: string }) => error.stdout ?? String(error),
    );
    expect(said).toBe("");
  });

  test("brings types that are whole without those of Node", async () => {
    const source = `import { defineProvider, issue, renew, watch } from "dns01";
      export const all = [defineProvider, issue, renew, watch];`;
    await writeFile(join(dir, "bare.ts"), source);
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2023", "--typeRoots", dir];
    const said = await node([tsc, ...options, "bare.ts"]).then(
      () => "",
      (error: { stdout?: string }) => error.stdout ?? String(error),
    );
    expect(said).toBe("");
  });

  test("leads a plugin in an empty folder to itself, with its scaffold and its suite", async () => {
    const empty = await mkdtemp(join(tmpdir(), "dns01-empty-"));
    try {
      const bin = join(dir, "node_modules/.bin/dns01");
      await exec(bin, ["plugin", "new", "acmehost"], { cwd: empty });
      const { stdout } = await exec(bin, ["providers", "acmehost", "--plugin", "acmehost.mjs"], { cwd: empty });
      expect(stdout).toContain("ACMEHOST_TOKEN");
      const suite = await exec(bin, ["plugin", "test", "acmehost.mjs", "--json"], { cwd: empty }).then(
        () => "",
        (error: { stdout: string }) => error.stdout,
      );
      expect(suite).toContain("write findZone in acmehost.mjs");
    } finally {
      await rm(empty, { recursive: true, force: true });
    }
  });

  test("installed globally, it leads plugins to itself and finds those installed beside it", async () => {
    const prefix = await mkdtemp(join(tmpdir(), "dns01-global-"));
    try {
      const tarball = (await readdir(dir)).find((file) => file.endsWith(".tgz")) ?? "";
      await npm(["install", "--global", "--prefix", prefix, "--prefer-offline", join(dir, tarball)], dir);
      const beside = join(prefix, "lib/node_modules/dns01-acmehost");
      const empty = join(prefix, "empty");
      await mkdir(beside);
      await mkdir(empty);
      await writeFile(
        join(beside, "package.json"),
        `{"name":"dns01-acmehost","type":"module","exports":"./acmehost.js"}`,
      );
      const provider = `import { defineProvider, z } from "dns01";
        export default defineProvider({ id: "acmehost", title: "Acmehost", config: z.strictObject({}),
          traits: { ttlSeconds: { min: 0, default: 60 } }, connect: () => undefined });`;
      await writeFile(join(beside, "acmehost.js"), provider);
      await writeFile(join(empty, "filehost.mjs"), provider.replace(`id: "acmehost"`, `id: "filehost"`));
      const args = ["providers", "--json", "--plugin", "dns01-acmehost,./filehost.mjs"];
      const { stdout } = await exec(join(prefix, "bin/dns01"), args, { cwd: empty });
      const { providers } = JSON.parse(stdout) as { providers: readonly { id: string; plugin?: string }[] };
      expect(providers.filter(({ plugin }) => plugin !== undefined).map(({ id }) => id)).toEqual([
        "acmehost",
        "filehost",
      ]);
    } finally {
      await rm(prefix, { recursive: true, force: true });
    }
  }, 120_000);

  test("issues a certificate from its own sandbox", async () => {
    const issue = "dns01 issue -d example.test -d '*.example.test' -p rfc2136 --state state --json".split(" ");
    const command = ["sh", "-c", `PATH="${join(dir, "node_modules/.bin")}:$PATH" ${issue.join(" ")}`];
    const { stdout } = await dns01("sandbox", "--", ...command);
    expect(JSON.parse(stdout)).toMatchObject({ domains: ["example.test", "*.example.test"], reused: false });
    expect(await readFile(join(dir, "state/certificates/example.test/current/fullchain.pem"), "utf8")).toContain(
      "BEGIN",
    );
  }, 60_000);
});
