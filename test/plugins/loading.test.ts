import { mkdir, mkdtemp, readFile, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test as sequentially, vi } from "vitest";
import { dns01, updatePlugin } from "./program.ts";

// Most of the time goes to starting Node, and a busy machine takes its own.
vi.setConfig({ testTimeout: 60_000 });

const test = sequentially.concurrent;

/** Nothing but what a test writes: no package.json, no node_modules. */
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "dns01-plugin-loading-"));
});

afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function folder(files: Readonly<Record<string, string>>): Promise<string> {
  const cwd = await mkdtemp(join(dir, "case-"));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(cwd, name, ".."), { recursive: true });
    await writeFile(join(cwd, name), text);
  }
  return cwd;
}

const provider = (id: string, rest = "") => `
import { defineProvider, z } from "dns01";
${rest}
export default defineProvider({
  id: "${id}", title: "The ${id}", config: z.strictObject({ region: z.string().default("eu").describe("region") }),
  traits: { ttlSeconds: { min: 0, default: 60 } },
  connect: () => ({ findZone: async () => undefined, apply: async () => [] }),
});
`;

interface Listed {
  readonly providers: readonly { readonly id: string; readonly plugin?: string }[];
  readonly faults?: readonly { readonly path: string; readonly message: string }[];
}

async function list(cwd: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { status, stdout, stderr } = await dns01(["providers", "--json", ...args], { cwd, env });
  const { providers, faults = [] } = JSON.parse(stdout) as Listed;
  const plugins = Object.fromEntries(
    providers.flatMap(({ id, plugin }) => (plugin === undefined ? [] : [[id, plugin]])),
  );
  return { status, stderr, plugins, faults: faults.map(({ path, message }) => `${path}: ${message}`) };
}

test("from an empty folder, by flag, environment and configuration file; paths belong to whoever names them", async () => {
  const cwd = await folder({
    "one.mjs": provider("one"),
    "two.js": provider("two"),
    "etc/dns01.yaml": "plugins: [./three.mjs, ../four.mjs]\n",
    "etc/three.mjs": provider("three"),
    "four.mjs": provider("four"),
  });
  const { status, stderr, plugins } = await list(cwd, ["--plugin", "one.mjs", "--config", "etc/dns01.yaml"]);
  expect(stderr).toBe("");
  expect(status).toBe(0);
  expect(plugins).toEqual({
    one: join(cwd, "one.mjs"),
    three: join(cwd, "etc/three.mjs"),
    four: join(cwd, "four.mjs"),
  });
  // A .js file without any package.json is a module all the same, and Node has nothing to say about it.
  const byEnvironment = await list(cwd, [], { DNS01_PLUGIN: "./two.js, ./one.mjs" });
  expect(byEnvironment).toMatchObject({
    status: 0,
    stderr: "",
    plugins: { one: join(cwd, "one.mjs"), two: join(cwd, "two.js") },
  });
});

test("from a mounted ConfigMap, also after its content was exchanged", async () => {
  const cwd = await folder({ "mount/..2026_01_01/acmehost.mjs": provider("before") });
  await symlink("..2026_01_01", join(cwd, "mount/..data"));
  await symlink("..data/acmehost.mjs", join(cwd, "mount/acmehost.mjs"));
  expect(await list(cwd, ["--plugin", "mount/acmehost.mjs"])).toMatchObject({
    status: 0,
    plugins: { before: join(cwd, "mount/acmehost.mjs") },
  });
  await mkdir(join(cwd, "mount/..2026_01_02"));
  await writeFile(join(cwd, "mount/..2026_01_02/acmehost.mjs"), provider("after"));
  await unlink(join(cwd, "mount/..data"));
  await symlink("..2026_01_02", join(cwd, "mount/..data"));
  expect(await list(cwd, ["--plugin", "mount/acmehost.mjs"])).toMatchObject({
    status: 0,
    plugins: { after: join(cwd, "mount/acmehost.mjs") },
  });
});

test("from a package, with modules of its own; all of them see the running dns01, not another copy", async () => {
  const other = `export const defineProvider = () => { throw new Error("another copy"); }; export const z = undefined;`;
  const cwd = await folder({
    "node_modules/dns01/package.json": `{"name":"dns01","type":"module","exports":"./index.js"}`,
    "node_modules/dns01/index.js": other,
    "node_modules/@acme/dns01/package.json": `{"name":"@acme/dns01","type":"module","exports":{"import":"./index.js"}}`,
    "node_modules/@acme/dns01/index.js": `export { default } from "./lib/provider.js";`,
    "node_modules/@acme/dns01/lib/provider.js": provider(
      "packed",
      `import { Dns01Error } from "dns01"; import { cases } from "dns01/testing";
      if (!(cases.length > 0) || typeof Dns01Error.is !== "function") throw new Error("not the running copy");`,
    ),
  });
  const { status, stderr, plugins } = await list(cwd, ["--plugin", "@acme/dns01"]);
  expect(stderr).toBe("");
  expect(status).toBe(0);
  expect(plugins).toEqual({ packed: "@acme/dns01" });
  expect((await list(cwd, ["--plugin", "@acme/other"])).faults).toEqual([
    expect.stringMatching(/^--plugin @acme\/other: there is no package of this name/),
  ]);
});

test("dns01 and zod in a plugin are the running ones: its errors and its schema are ours", async () => {
  const cwd = await folder({
    "same.mjs": `
      import { ConfigError, defineProvider, z } from "dns01";
      export default defineProvider({
        id: "same", title: "Same", traits: { ttlSeconds: { min: 0, default: 60 } },
        config: z.strictObject({}).superRefine(() => { throw new ConfigError([{ path: "here", message: "is ours" }]); }),
        connect: () => undefined,
      });`,
  });
  const args = ["present", "_acme-challenge.example.test", "value", "-p", "same", "--plugin", "same.mjs", "--json"];
  const { status, stdout } = await dns01(args, { cwd });
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: "CONFIG", message: "here: is ours" } });
  expect(status).toBe(2);
});

test("every kind of broken plugin is told with its file, and the rest goes on", async () => {
  const head = `import { defineProvider, z } from "dns01";\n`;
  const broken: Readonly<Record<string, readonly [text: string, said: RegExp]>> = {
    "throws.mjs": [
      `\nthrow new TypeError("no such thing");`,
      /throws while it is loaded: TypeError: no such thing \(throws\.mjs, line 2\)$/,
    ],
    "throws-odd.mjs": [`throw Object.create(null);`, /throws while it is loaded: an object that is no error$/],
    "rejects.mjs": [`await Promise.reject(undefined);`, /throws while it is loaded: undefined$/],
    "syntax.mjs": [`export default {`, /cannot be loaded: SyntaxError: /],
    "old-name.mjs": [
      `import { recordBackendd } from "dns01"; export default recordBackendd;`,
      /does not provide an export named 'recordBackendd'/,
    ],
    "empty.mjs": ["", /default is nothing; export what defineProvider returns/],
    "named.mjs": [`${head}export const provider = defineProvider({});`, /default is nothing.*\(it exports provider\)$/],
    "schema.mjs": [
      `${head}export default { id: "badschema", title: "t", connect() {}, traits: { ttlSeconds: { min: 0, default: 1 } }, config: z.strictObject({ a: z.array(z.string()) }) };`,
      /provider badschema: config\.a has to be text/,
    ],
    "clash.mjs": [provider("route53"), /provider route53: its id route53 belongs to the provider route53 of dns01/],
    "missing-sdk.mjs": [
      `import "its-sdk"; export default 1;`,
      /Cannot find package 'its-sdk' imported from \/\S+\/missing-sdk\.mjs$/,
    ],
    "types.ts": [`export default 1 as number;`, /a plugin is an \.mjs or \.js file|default is a number/],
  };
  const cwd = await folder({
    "good.mjs": provider("good"),
    ...Object.fromEntries(Object.entries(broken).map(([name, [text]]) => [name, text])),
  });
  const names = [...Object.keys(broken), "absent.mjs", "."];
  const { status, stderr, plugins, faults } = await list(
    cwd,
    [...names, "good.mjs"].flatMap((name) => ["--plugin", name]),
  );
  expect(plugins).toEqual({ good: join(cwd, "good.mjs") });
  expect(status, "the list is not whole").toBe(2);
  for (const [name, [, said]] of Object.entries(broken)) {
    const fault = faults.find((text) => text.startsWith(`--plugin ${join(cwd, name)}: `)) ?? "";
    expect(fault, name).toMatch(said);
    expect(stderr, name).toContain(join(cwd, name));
  }
  expect(faults).toContainEqual(`--plugin absent.mjs: there is no file ${join(cwd, "absent.mjs")}`);
  expect(faults).toContainEqual(expect.stringMatching(/^--plugin \.: .* is no file; name the plugin's file itself$/));
}, 40_000);

test("whoever asks for the provider of a broken plugin is told why it is not there", async () => {
  const cwd = await folder({ "broken.mjs": `throw new Error("cannot reach the moon");` });
  const args = ["present", "_acme-challenge.example.test", "v", "-p", "moon", "--plugin", "broken.mjs", "--json"];
  const { status, stdout } = await dns01(args, { cwd });
  expect(status).toBe(2);
  const { error } = JSON.parse(stdout) as { error: { message: string } };
  expect(error.message).toMatch(/there is no provider "moon"/);
  expect(error.message).toMatch(/broken\.mjs: throws while it is loaded: cannot reach the moon/);
});

test("a plugin that keeps the process busy or forgets its promises does not decide how the program ends", async () => {
  const cwd = await folder({
    "busy.mjs": provider(
      "busy",
      `setInterval(() => {}, 1000); Promise.reject(new Error("forgotten"));
      setTimeout(() => { throw new Error("too late"); }, 1); await new Promise((done) => setTimeout(done, 20));`,
    ),
  });
  const { status, stderr, plugins } = await list(cwd, ["--plugin", "busy.mjs"]);
  expect(plugins).toEqual({ busy: join(cwd, "busy.mjs") });
  expect(stderr).toMatch(/a promise was rejected that nobody waited for: forgotten \(busy\.mjs, line 3\)/);
  expect(stderr).toMatch(/something was thrown outside of any call: too late \(busy\.mjs, line 4\)/);
  expect(status).toBe(0);
});

describe("against the sandbox", () => {
  const inSandbox = (cwd: string, args: readonly string[]) => dns01(["sandbox", "--", "dns01", ...args], { cwd });

  test("a plugin gets a certificate, with a broken one beside it", async () => {
    const cwd = await folder({ "updatehost.mjs": updatePlugin, "broken.mjs": `throw new Error("broken");` });
    await writeFile(
      join(cwd, "dns01.yaml"),
      `plugins: [./updatehost.mjs, ./broken.mjs]\nsolvers: [{ provider: uphost }]\n`,
    );
    const { status, stdout, stderr } = await inSandbox(cwd, [
      "issue",
      "-d",
      "example.test",
      "-d",
      "*.example.test",
      "--state",
      join(cwd, "state"),
      "--json",
    ]);
    expect(stderr).toMatch(/broken\.mjs: throws while it is loaded: broken.*goes on without it/);
    expect(JSON.parse(stdout)).toMatchObject({
      domains: ["example.test", "*.example.test"],
      challenges: [{ provider: "updatehost" }, {}],
    });
    expect(status).toBe(0);
    const files = (JSON.parse(stdout) as { files: { fullchain: string } }).files;
    expect(await readFile(files.fullchain, "utf8")).toContain("BEGIN CERTIFICATE");
  });

  test.each<readonly [what: string, connect: string, said: RegExp]>([
    ["connect throws", `throw "odd"`, /^misfit: cannot connect the service: odd \(in the plugin .*misfit\.mjs\)$/],
    [
      "findZone throws",
      `return { findZone: async () => { throw { odd: 1 }; }, apply: async () => [] }`,
      /^misfit: cannot look up the zone example\.test: an object that is no error \(with odd\) \(in the plugin .*misfit\.mjs\)$/,
    ],
    [
      "apply returns nonsense",
      `return { findZone: async (apex) => ({ apex, id: "1" }), apply: async () => "done" }`,
      /^misfit: .*apply has to return "changed", "unchanged" or "unsettled".* \(in the plugin .*misfit\.mjs\)$/,
    ],
    [
      "list returns nonsense",
      `return recordBackend({ findZone: async (apex) => ({ apex, id: "1" }), list: async () => ({ records: [] }), create: async () => {}, delete: async () => {} })`,
      /^misfit: .*list has to return an array.* \(in the plugin .*misfit\.mjs\)$/,
    ],
    [
      "read returns nonsense",
      `return rrsetBackend({ conditional: true, findZone: async (apex) => ({ apex, id: "1" }), read: async () => ["value"], replace: async () => {} })`,
      /^misfit: .*read has to return undefined or.* \(in the plugin .*misfit\.mjs\)$/,
    ],
  ])("a plugin whose %s is named, with provider and file", async (_what, connect, said) => {
    const cwd = await folder({
      "misfit.mjs": `
        import { defineProvider, recordBackend, rrsetBackend, z } from "dns01";
        export default defineProvider({
          id: "misfit", title: "Misfit", config: z.strictObject({}), traits: { ttlSeconds: { min: 0, default: 60 } },
          connect: () => { ${connect}; },
        });`,
    });
    const args = [
      "present",
      "_acme-challenge.example.test",
      "value",
      "-p",
      "misfit",
      "--plugin",
      "misfit.mjs",
      "--json",
    ];
    const { status, stdout } = await inSandbox(cwd, args);
    const { error } = JSON.parse(stdout) as {
      error: { code: string; message: string; provider: string; details: object };
    };
    expect(error.message).toMatch(said);
    expect(error).toMatchObject({ code: "UNKNOWN", provider: "misfit", details: { plugin: join(cwd, "misfit.mjs") } });
    expect(status).toBe(1);
  });

  test("present and clean-up of what others may overwrite end when they stand", async () => {
    const cwd = await folder({
      "twice.mjs": `
        import { appendFileSync } from "node:fs";
        import { defineProvider, z } from "dns01";
        const answers = { add: ["unsettled", "unsettled", "unchanged"], remove: ["unsettled", "unchanged"] };
        export default defineProvider({
          id: "twice", title: "Twice", config: z.strictObject({}), traits: { ttlSeconds: { min: 0, default: 60 } },
          connect: () => ({
            findZone: async (apex) => ({ apex, id: "1" }),
            apply: async (zone, edits) => {
              const act = edits[0].add.length > 0 ? "add" : "remove";
              appendFileSync("asked.log", act + " ");
              return [answers[act].shift()];
            },
          }),
        });`,
    });
    const asked = () => readFile(join(cwd, "asked.log"), "utf8");
    const args = ["_acme-challenge.example.test", "value", "-p", "twice", "--plugin", "twice.mjs"];
    const present = await inSandbox(cwd, ["present", ...args]);
    expect(present.status).toBe(0);
    expect(await asked()).toBe("add add add ");
    expect(present.stderr).toMatch(/somebody else undid the change of _acme-challenge\.example\.test.*W_OVERWRITTEN/);
    const out = await inSandbox(cwd, ["cleanup", ...args, "--json"]);
    expect(await asked()).toBe("add add add remove remove ");
    const change = { owner: "_acme-challenge.example.test", zone: { apex: "example.test", id: "1" }, changed: true };
    expect(JSON.parse(out.stdout)).toMatchObject({ changes: [change] });
    expect(out.stdout).not.toContain("settleMs");
  });

  test("plugin test runs in a real zone and leaves nothing behind", async () => {
    const cwd = await folder({ "updatehost.mjs": updatePlugin });
    const rules = ["zones", "adding.new", "adding.again", "removing.value", "siblings.names", "restarts.removing"];
    const args = ["plugin", "test", "updatehost.mjs", "--zone", "example.test", "--rule", rules.join(","), "--json"];
    const { status, stdout, stderr } = await dns01(["sandbox", "--log-level", "debug", "--", "dns01", ...args], {
      cwd,
    });
    const report = JSON.parse(stdout) as { rules: { id: string; outcome: string; reason?: string }[] };
    const outcomes = Object.fromEntries(report.rules.map(({ id, outcome, reason }) => [id, reason ?? outcome]));
    expect(outcomes, stderr.slice(-2000)).toEqual({
      "zones.every": "needs zones of its own",
      "zones.absent": "pass",
      "zones.boundary": "pass",
      "zones.exact": "pass",
      "zones.nested": "needs zones of its own",
      "zones.longer": "needs zones of its own",
      "adding.new": "pass",
      "adding.again": "pass",
      "removing.value": "pass",
      "siblings.names": "pass",
      "restarts.removing": "pass",
    });
    expect(status).toBe(0);
    expect(report).toMatchObject({ provider: "updatehost", zone: "example.test", failed: 0 });
  }, 60_000);
});
