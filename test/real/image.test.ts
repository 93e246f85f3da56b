import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseName } from "../../src/core/name.ts";
import { startCloudflareFake } from "../fakes/cloudflare.ts";
import { startDnspod } from "../fakes/dnspod.ts";
import { startRoute53 } from "../fakes/route53.ts";
import type { AdapterFake } from "../providers/trial.ts";

const exec = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string) => readFile(join(root, path), "utf8");

/** What scripts/image.mjs makes, in a folder where nothing else can be found. */
describe("the runtime tree of the image", () => {
  let folder: string;
  let tree: string;
  const dns01 = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    exec(process.execPath, [join(tree, "dist/cli/main.js"), ...args], {
      cwd: folder,
      env: { PATH: process.env["PATH"], HOME: folder, ...env },
    });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "dns01-image-"));
    tree = join(folder, "app");
    await exec(process.execPath, [join(root, "scripts/image.mjs"), tree]);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test("is small, with every provider's SDK", async () => {
    const files = (await readdir(tree, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    const sizes = await Promise.all(files.map(async (f) => (await stat(join(f.parentPath, f.name))).size));
    expect(sizes.reduce((a, b) => a + b, 0)).toBeLessThan(35e6);
    expect(files.filter(({ name }) => /\.(ts|map|md)$/.test(name) && !/^licen[cs]e/i.test(name))).toEqual([]);
  });

  test("holds the licences of all that it contains, once each", async () => {
    const text = await readFile(join(tree, "THIRD_PARTY_LICENSES"), "utf8");
    const heads = [...text.matchAll(/^-{80}\n\n(\S+) \S+ \(/gm)].map(([, name]) => name);
    expect(heads).toEqual(expect.arrayContaining(["zod", "acme-client", "axios", "@aws-sdk/client-route-53"]));
    expect(heads).toContain("tencentcloud-sdk-nodejs-dnspod");
    expect(heads).toContain("@peculiar/x509");
    for (const name of await readdir(join(tree, "node_modules"))) {
      if (!name.startsWith("@")) expect(heads).toContain(name);
    }
    expect(await readFile(join(tree, "LICENSE"), "utf8")).toBe(await read("LICENSE"));
  });

  test("lists its providers", async () => {
    const { stdout } = await dns01(["providers", "--json"]);
    const ids = (JSON.parse(stdout) as { readonly providers: readonly { readonly id: string }[] }).providers;
    expect(ids.map(({ id }) => id)).toEqual(expect.arrayContaining(["dnspod", "route53", "cloudflare", "rfc2136"]));
    const { version } = JSON.parse(await read("package.json")) as { readonly version: string };
    expect((await dns01(["--version"])).stdout).toBe(`${version}\n`);
  });

  test("refuses to be made over something else", async () => {
    const again = exec(process.execPath, [join(root, "scripts/image.mjs"), tree]);
    await expect(again).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining("is not empty") });
  });

  test("writes and removes a value with each of the core providers", async () => {
    const apex = parseName("example.test");
    const fakes: readonly (readonly [string, AdapterFake])[] = [
      ["dnspod", await startDnspod([apex])],
      ["route53", await startRoute53([apex])],
      ["cloudflare", await startCloudflareFake([apex])],
    ];
    const environment = Object.fromEntries(fakes.flatMap(([id, { config }]) => variablesOf(id, config)));
    const main = join(tree, "dist/cli/main.js");
    const lines = [...fakes.map(([id]) => id), "rfc2136"].flatMap((id) =>
      ["present", "cleanup"].map(
        (act) => `"${process.execPath}" "${main}" ${act} _acme-challenge.example.test value-of-${id} -p ${id} --json`,
      ),
    );
    try {
      const { stdout } = await dns01(["sandbox", "--", "sh", "-ec", lines.join("\n")], {
        ...environment,
        DNS01_STATE: join(folder, "state"),
      });
      const said = stdout
        .trim()
        .split("\n")
        .map((line) => line.trim());
      for (const [id] of fakes) expect(said.join("\n")).toContain(`value-of-${id}`);
      expect(said.join("\n")).toContain("value-of-rfc2136");
      for (const [id, fake] of fakes) {
        expect(fake.http.calls.length, id).toBeGreaterThan(2);
        expect(fake.http.defects, id).toEqual([]);
      }
    } finally {
      await Promise.all(fakes.map(([, fake]) => fake.http.close()));
    }
  });

  test("takes a plugin from a mounted ConfigMap, whose files are links into a folder that is swapped", async () => {
    const mount = join(folder, "plugins");
    await mkdir(join(mount, "..2026_11_24"), { recursive: true });
    const source = `import { defineProvider, recordBackend, z } from "dns01";
      import { testProvider } from "dns01/testing";
      export const suite = testProvider;
      export default defineProvider({ id: "somehost", title: "Some Host", config: z.strictObject({}),
        traits: { ttlSeconds: { min: 60, default: 120 } }, connect: () => recordBackend({}) });`;
    await writeFile(join(mount, "..2026_11_24/somehost.mjs"), source);
    await symlink("..2026_11_24", join(mount, "..data"));
    await symlink("..data/somehost.mjs", join(mount, "somehost.mjs"));
    const { stdout } = await dns01(["providers", "--json", "--plugin", join(mount, "somehost.mjs")]);
    expect(stdout).toContain(`"somehost"`);
  });

  test("makes the package's own certificates: the CA's client stays whole", async () => {
    const line = `"${process.execPath}" "${join(tree, "dist/cli/main.js")}" issue -d example.test -p rfc2136 --json`;
    const { stdout } = await dns01(["sandbox", "--", "sh", "-ec", line], { DNS01_STATE: join(folder, "issued") });
    expect(JSON.parse(stdout)).toMatchObject({ domains: ["example.test"], reused: false });
  });
});

/** A fake's fields under the names that the environment has for them. */
function variablesOf(id: string, config: Readonly<Record<string, unknown>>): readonly (readonly [string, string])[] {
  return Object.entries(config).map(([field, value]) => [
    `${id}_${field.replace(/([a-z])([A-Z])/g, "$1_$2")}`.toUpperCase(),
    String(value),
  ]);
}

describe("Dockerfile", () => {
  test("copies what there is, and runs what the tree holds as somebody without rights", async () => {
    const text = await read("Dockerfile");
    for (const [, from = ""] of text.matchAll(/^COPY (?!--from)(.+) \S+$/gm)) {
      for (const path of from.split(" ")) expect(existsSync(join(root, path)), path).toBe(true);
    }
    expect(text).toMatch(/^USER 65532:65532$/m);
    expect(text).toMatch(
      /^ENTRYPOINT \["\/nodejs\/bin\/node", "--disable-warning=DEP0169", "\/app\/dist\/cli\/main\.js"\]$/m,
    );
    // Never a digest that nobody has looked up, and never "latest".
    for (const [, image = ""] of text.matchAll(/^ARG \w+=(\S+:\S+)$/gm)) expect(image).not.toMatch(/:latest/);
  });

  test("what is not ignored is what the build needs", async () => {
    const ignored = (await read(".dockerignore")).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    expect(ignored[0]).toBe("*");
    const needed = [...(await read("Dockerfile")).matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, from = ""]) =>
      from.split(" "),
    );
    expect(
      ignored
        .filter((line) => line.startsWith("!"))
        .map((line) => line.slice(1))
        .sort(),
    ).toEqual(needed.sort());
  });
});
