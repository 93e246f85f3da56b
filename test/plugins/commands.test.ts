import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test as sequentially, vi } from "vitest";
import { cases } from "../../src/testing/index.ts";
import { dns01, root } from "./program.ts";

// Most of the time goes to starting Node, and a busy machine takes its own.
vi.setConfig({ testTimeout: 60_000 });

const test = sequentially.concurrent;
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "dns01-plugin-commands-"));
});

afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function folder(files: Readonly<Record<string, string>> = {}): Promise<string> {
  const cwd = await mkdtemp(join(dir, "case-"));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(cwd, name, ".."), { recursive: true });
    await writeFile(join(cwd, name), text);
  }
  return cwd;
}

interface Report {
  readonly provider: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly seed: number;
  readonly rules: readonly { readonly id: string; readonly outcome: string; readonly reason?: string }[];
}

describe("plugin new", () => {
  const lacking = { record: "list", rrset: "read", direct: "apply" };

  test.each([["record"], ["rrset"], ["direct"]] as const)(
    "writes a %s plugin whose every rule says what is missing",
    async (shape) => {
      const cwd = await folder();
      const flags = shape === "record" ? [] : [`--${shape}`];
      const made = await dns01(["plugin", "new", "acme-host", ...flags, "--json"], { cwd });
      const files = ["acme-host.mjs", "acme-host.fake.mjs", "acme-host.test.mjs"].map((name) => join(cwd, name));
      expect(JSON.parse(made.stdout)).toEqual({ id: "acme-host", shape, files });
      const { status, stdout } = await dns01(["plugin", "test", "acme-host.mjs", "--json"], { cwd });
      const report = JSON.parse(stdout) as Report;
      expect(report).toMatchObject({ provider: "acme-host", passed: 0, failed: cases.length });
      for (const { reason } of report.rules)
        expect(reason).toMatch(/write findZone in acme-host\.mjs, with api, apex, signal/);
      expect(status).toBe(3);
      // One function further, the next one is asked for.
      const adapter = await readFile(join(cwd, "acme-host.mjs"), "utf8");
      const found = adapter.replace(/todo\("findZone",.*?\}\)/s, '({ apex, id: "1" })');
      await writeFile(join(cwd, "acme-host.mjs"), found);
      const next = await dns01(["plugin", "test", "acme-host.mjs", "--rule", "adding.new", "--json"], { cwd });
      expect(next.stdout).toContain(`write ${lacking[shape]} in acme-host.mjs`);
    },
  );

  test("overwrites nothing, and writes all or nothing", async () => {
    const cwd = await folder({ "acmehost.fake.mjs": "mine" });
    const { status, stderr } = await dns01(["plugin", "new", "acmehost"], { cwd });
    expect(stderr).toMatch(/acmehost\.fake\.mjs: is there already; nothing was written/);
    expect(status).toBe(2);
    expect(await readdir(cwd)).toEqual(["acmehost.fake.mjs"]);
    expect(await readFile(join(cwd, "acmehost.fake.mjs"), "utf8")).toBe("mine");
  });

  test("writes into the folder it is told", async () => {
    const cwd = await folder({ "plugins/.keep": "" });
    const { status, stdout } = await dns01(["plugin", "new", "acmehost", "--dir", "plugins"], { cwd });
    expect(stdout).toContain("dns01 plugin test ./plugins/acmehost.mjs");
    expect(status).toBe(0);
    expect(await readdir(join(cwd, "plugins"))).toContain("acmehost.fake.mjs");
    expect((await dns01(["plugin", "new", "other", "--dir", "nowhere"], { cwd })).stderr).toContain(
      "there is no folder",
    );
  });

  test("in a checkout it writes TypeScript into providers/ and test/", async () => {
    const cwd = await folder({ "package.json": `{"name":"dns01"}`, "providers/index.ts": "" });
    const { stdout, status } = await dns01(["plugin", "new", "acme-host", "--rrset"], { cwd });
    expect(status).toBe(0);
    expect(stdout).toContain(`"acme-host": () => import("./acme-host.ts"),`);
    expect(stdout).toContain("npm test -- acme-host");
    expect(await readFile(join(cwd, "providers/acme-host.ts"), "utf8")).toContain('from "../src/index.ts"');
    expect(await readFile(join(cwd, "test/fakes/acme-host.ts"), "utf8")).toContain(
      'from "../../providers/acme-host.ts"',
    );
    expect(await readFile(join(cwd, "test/providers/acme-host.test.ts"), "utf8")).toContain("testProvider(test, ");
  });

  test.each<readonly [line: string, said: RegExp]>([
    ["plugin new", /usage: dns01 plugin new ID/],
    ["plugin new Acme_Host", /"Acme_Host" is no id/],
    ["plugin new ../acmehost", /is no id/],
    ["plugin new route53", /"route53" is the provider "Amazon Route 53" of dns01/],
    ["plugin new nsupdate", /"nsupdate" is the provider/],
    ["plugin new acmehost --rrset --direct", /given together with --rrset/],
    ["plugin new acmehost --rset", /unknown option; did you mean --rrset/],
    ["plugin", /"plugin" is half a command; one of plugin new, plugin test/],
    ["plugin nwe acmehost", /unknown command "plugin nwe"; did you mean "plugin new"/],
  ])("dns01 %s is refused and writes nothing", async (line, said) => {
    const cwd = await folder();
    const { status, stderr } = await dns01(line.split(" "), { cwd });
    expect(stderr).toMatch(said);
    expect(status).toBe(2);
    expect(await readdir(cwd)).toEqual([]);
  });

  test.each([
    ["plugin --help", /plugin new .*\n.*plugin test/],
    ["help plugin", /plugin new .*\n.*plugin test/],
    ["help plugin new", /^Usage: dns01 plugin new ID/],
    ["plugin test --help", /^Usage: dns01 plugin test PATH/],
    ["--json plugin new --help", /^Usage: dns01 plugin new ID/],
  ])("dns01 %s helps", async (line, said) => {
    const { status, stdout } = await dns01(line.split(" "), { cwd: dir });
    expect(stdout).toMatch(said);
    expect(status).toBe(0);
  });
});

/** A service in a variable: the smallest plugin that keeps every rule it can be asked for. */
const memory = `
import { defineProvider, z } from "dns01";
export const zones = new Map();
export default defineProvider({
  id: "maphost", title: "Map Host", config: z.strictObject({}), traits: { ttlSeconds: { min: 0, default: 60 } },
  connect: () => ({
    findZone: async (apex) => (zones.has(apex) ? { apex, id: apex } : undefined),
    apply: async (zone, edits) =>
      edits.map(({ owner, add, remove }) => {
        const all = zones.get(zone.apex);
        const before = all.get(owner.fqdn) ?? [];
        const after = [...new Set([...before.filter((v) => !remove.includes(v)), ...add])];
        all.set(owner.fqdn, after);
        return before.join() === after.join() ? "unchanged" : "changed";
      }),
  }),
});
`;
const memoryFake = `
import { cases } from "dns01/testing";
import provider, { zones } from "./maphost.mjs";
export const start = async (apexes) => {
  zones.clear();
  for (const apex of apexes) zones.set(apex, new Map());
  return {
    connect: async () => provider.connect({}, {}),
    values: async (apex, fqdn) => zones.get(apex).get(fqdn) ?? [],
    put: async (apex, fqdn, values) => void zones.get(apex).set(fqdn, [...(zones.get(apex).get(fqdn) ?? []), ...values]),
    stop: async () => {},
  };
};
export const skip = Object.fromEntries(cases.filter((c) => c.needs).map((c) => [c.id, "a map has no bad days"]));
`;

describe("plugin test", () => {
  test("counts rules that hold and that are left out, and shares the plugin's module with its fake", async () => {
    const cwd = await folder({ "maphost.mjs": memory, "maphost.fake.mjs": memoryFake });
    const { status, stdout } = await dns01(["plugin", "test", "./maphost.mjs", "--seed", "5", "--operations", "50"], {
      cwd,
    });
    const skipped = cases.filter(({ needs }) => needs !== undefined).length;
    expect(stdout).toMatch(/^maphost against its fake maphost\.fake\.mjs$/m);
    expect(stdout).toMatch(/^ {2}✔ zones\.every +finds every zone/m);
    expect(stdout).toMatch(/^ {2}– errors\.credentials .*\(skipped: a map has no bad days\)$/m);
    expect(stdout).toContain(`${cases.length - skipped} rules hold, 0 fail, ${skipped} skipped (seed 5)`);
    expect(status).toBe(0);
  });

  test("says what is wrong with a rule that does not hold, and how to repeat it", async () => {
    const wrong = memory.replace("before.filter((v) => !remove.includes(v))", "remove.length > 0 ? [] : before");
    const cwd = await folder({
      "maphost.mjs": wrong,
      "other/fake.mjs": memoryFake.replace("./maphost.mjs", "../maphost.mjs"),
    });
    const args = ["plugin", "test", "maphost.mjs", "--fake", "other/fake.mjs", "--rule", "removing", "--json"];
    const { status, stdout } = await dns01(args, { cwd });
    const report = JSON.parse(stdout) as Report;
    expect(report.rules.every(({ id }) => id.startsWith("removing."))).toBe(true);
    const own = report.rules.find(({ id }) => id === "removing.own");
    expect(own).toMatchObject({
      outcome: "fail",
      reason: expect.stringContaining("only the value that was named is gone"),
    });
    expect(report.failed).toBeGreaterThan(0);
    expect(report.seed).toEqual(expect.any(Number));
    expect(status).toBe(3);
  });

  test.each<readonly [what: string, files: Readonly<Record<string, string>>, args: readonly string[], said: RegExp]>([
    ["a plugin that is not there", {}, ["nowhere.mjs"], /there is no file .*nowhere\.mjs/],
    [
      "a plugin that throws",
      { "p.mjs": `throw new Error("broken");` },
      ["p.mjs"],
      /p\.mjs: throws while it is loaded: broken/,
    ],
    ["a bad definition", { "p.mjs": `export default { id: "p" };` }, ["p.mjs"], /provider p: title has to be text/],
    [
      "no fake",
      { "maphost.mjs": memory },
      ["maphost.mjs"],
      /there is no maphost\.fake\.mjs beside .*or a real zone with --zone/,
    ],
    [
      "a fake that is not there",
      { "maphost.mjs": memory },
      ["maphost.mjs", "--fake", "f.mjs"],
      /--fake .*f\.mjs: there is no such file/,
    ],
    [
      "a fake that throws",
      { "maphost.mjs": memory, "maphost.fake.mjs": `throw new Error("no fake");` },
      ["maphost.mjs"],
      /maphost\.fake\.mjs: throws while it is loaded: no fake/,
    ],
    [
      "a fake without start",
      { "maphost.mjs": memory, "maphost.fake.mjs": "" },
      ["maphost.mjs"],
      /exports no function start/,
    ],
    [
      "a fake that skips what does not exist",
      {
        "maphost.mjs": memory,
        "maphost.fake.mjs": `${memoryFake.replace("export const skip", "const other")}\nexport const skip = { "no.rule": "r" };`,
      },
      ["maphost.mjs"],
      /skip names rules that do not exist: no\.rule/,
    ],
    [
      "a rule that does not exist",
      { "maphost.mjs": memory },
      ["maphost.mjs", "--rule", "adding.agian"],
      /"adding\.agian" is no rule; their subjects are zones, adding/,
    ],
    ["a zone that is no name", { "maphost.mjs": memory }, ["maphost.mjs", "--zone", "no zone"], /no zone/],
  ])("%s is told before any rule runs", async (_what, files, args, said) => {
    const cwd = await folder(files);
    const { status, stderr, stdout } = await dns01(["plugin", "test", ...args], { cwd });
    expect(stderr).toMatch(said);
    expect(stdout).toBe("");
    expect(status).toBe(2);
  });

  test("credentials that a real zone needs are told at once, all of them", async () => {
    const { status, stderr } = await dns01(["plugin", "test", "cloudflare", "--zone", "example.com"], { cwd: dir });
    expect(stderr).toContain("CLOUDFLARE_API_TOKEN");
    expect(status).toBe(2);
  });
});

test("the scaffold of a checkout compiles in strict mode, in every shape", async () => {
  const cwd = await mkdtemp(join(root, "node_modules/.scaffold-"));
  try {
    await mkdir(join(cwd, "providers"));
    await symlink(join(root, "src"), join(cwd, "src"), "dir");
    await writeFile(join(cwd, "providers/index.ts"), "");
    await writeFile(join(cwd, "package.json"), `{"name":"dns01","type":"module"}`);
    for (const flag of ["record", "rrset", "direct"]) {
      const flags = flag === "record" ? [] : [`--${flag}`];
      expect((await dns01(["plugin", "new", `my-${flag}`, ...flags], { cwd })).status).toBe(0);
    }
    const config = {
      extends: "../../tsconfig.json",
      compilerOptions: { noEmit: true, rootDir: "../.." },
      include: ["providers", "test"],
      exclude: [],
    };
    await writeFile(join(cwd, "tsconfig.json"), JSON.stringify(config));
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    expect(await dns01(["-p", cwd], { cwd, program: tsc })).toEqual({ status: 0, stdout: "", stderr: "" });
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}, 30_000);
