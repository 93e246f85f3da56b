import { execFileSync } from "node:child_process";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadConfig, parseConfig } from "../../src/config/load.ts";

const good = `
acme: { ca: letsencrypt, email: ops@example.com }
plugins: [./acmehost.mjs, dns01-other]
solvers:
  - zones: [example.com]
    provider: rfc2136
    config: { nameserver: 192.0.2.53, tsigSecret: { env: TSIG } }
  - provider: memory
certificates:
  - name: example
    domains: [example.com, "*.example.com"]
    deploy: { command: "systemctl reload nginx" }
`;

const parse = (text: string | Uint8Array) => parseConfig("dns01.yaml", Buffer.from(text));
const faultsOf = async (text: string | Uint8Array) =>
  (await parse(text)).issues.map(({ path, message }) => `${path}: ${message}`);

test("a good file is read whole, and every path has its line", async () => {
  const { config, place, issues } = await parse(good);
  expect(issues).toEqual([]);
  expect(config.solvers?.map((s) => s?.provider)).toEqual(["rfc2136", "memory"]);
  expect(place(["solvers", 0, "config", "nameserver"])).toBe("dns01.yaml:7 solvers[0].config.nameserver");
  expect(config.plugins).toEqual(["./acmehost.mjs", "dns01-other"]);
  expect(place(["plugins", 1])).toBe("dns01.yaml:3 plugins[1]");
});

test("all faults at once, each with its line, in plain words and with the nearest key", async () => {
  const text = `acmee: {}
solvers:
  - provder: rfc2136
    zones: []
  - zones: [1.5, example.org]
    provider: memory
    ttl: 0
certificates:
  - domains: example.com
    keyType: ec25
    reuseKey: "yes"
    deploy: { comand: x, timeout: 90 }
    out: { dir: /srv, mode: "0999" }
    pfx: { password: { fil: x } }
run: { parallel: 1.5 }
`;
  expect(await faultsOf(text)).toEqual([
    'dns01.yaml:1 acmee: unknown key "acmee"; did you mean "acme"?',
    'dns01.yaml:3 solvers[0].provder: unknown key "provder"; did you mean "provider"?',
    "dns01.yaml:4 solvers[0].zones: is empty",
    "dns01.yaml:5 solvers[1].zones[0]: has to be text, and is a number: put it in quotes",
    "dns01.yaml:7 solvers[1].ttl: has to be at least 1",
    'dns01.yaml:9 certificates[0].domains: has to be a list, and is text: write ["example.com"]',
    'dns01.yaml:10 certificates[0].keyType: "ec25" is not known; did you mean "ec256"? (ec256, ec384, rsa2048, rsa3072, rsa4096)',
    "dns01.yaml:11 certificates[0].reuseKey: has to be true or false, and is text",
    "dns01.yaml:12 certificates[0].deploy.command: is missing",
    "dns01.yaml:12 certificates[0].deploy.timeout: has to be a duration like 90s, 5m or 24h, and is a number",
    'dns01.yaml:12 certificates[0].deploy.comand: unknown key "comand"; did you mean "command"?',
    'dns01.yaml:13 certificates[0].out.mode: "0999" is no file mode; write "0640"',
    'dns01.yaml:14 certificates[0].pfx.password.fil: unknown key "fil"; did you mean "file"?',
    "dns01.yaml:15 run.parallel: has to be a whole number",
  ]);
});

test("a key is told at its own line, also where its value begins further down", async () => {
  expect(await faultsOf("acmee:\n  ca: x\nsolvers:\n  -\n    provider:\n      [memory]\n    zones:\n")).toEqual([
    'dns01.yaml:1 acmee: unknown key "acmee"; did you mean "acme"?',
    "dns01.yaml:5 solvers[0].provider: has to be text, and is a list",
    "dns01.yaml:7 solvers[0].zones: has to be a list, and is empty",
  ]);
});

test("what is sound is there all the same, each entry at its place", async () => {
  const { config, issues } = await parse(
    "solvers: [5, { provider: memory, zones: [7, example.org], ttl: x }]\nacme: { ca: zerossl, email: [] }\n",
  );
  expect(issues).toHaveLength(4);
  expect(config).toEqual({
    solvers: [undefined, { provider: "memory", zones: [undefined, "example.org"] }],
    acme: { ca: "zerossl" },
  });
});

describe("YAML", () => {
  test.each([
    ["acme: {\nca: x\n", /^dns01\.yaml:\d: is no YAML: /],
    ["acme:\n\tca: x\n", /^dns01\.yaml:2: a tab indents here/],
    ["acme: {}\nplugins: [a]\nacme: {}\n", /^dns01\.yaml:3: this key stands twice/],
    ["acme: {}\n---\nacme: {}\n", /^dns01\.yaml:2: a second document begins here/],
    ["acme: { ca: *nowhere }\n", /^dns01\.yaml:1: is no YAML: .*nowhere/],
    ["acme: { ca: !secret x }\n", /^dns01\.yaml:1: is no YAML: .*!secret/],
    ["- acme\n", /^dns01\.yaml:1: has to be a mapping of keys, and is a list/],
    ["acme\n", /^dns01\.yaml:1: has to be a mapping of keys, and is text/],
    [Buffer.from("acme: { ca: \xe4 }\n", "latin1"), /^dns01\.yaml: is no UTF-8 text$/],
    [Buffer.from("acme: {}\n", "utf16le"), /^dns01\.yaml: is no UTF-8 text \(UTF-16/],
  ])("a file that cannot be read is told with its line: %j", async (text, said) => {
    const faults = await faultsOf(text);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(said);
  });

  test("an empty file, one of comments only, and a byte order mark are fine", async () => {
    for (const text of ["", "# nothing yet\n", "---\n", "\ufeffacme: {}\n"]) expect(await faultsOf(text)).toEqual([]);
  });

  test("anchors, aliases and merge keys are followed; a fault in a copy is told where it was copied to", async () => {
    const { config, issues } = await parse(`solvers:
  - &a { provider: rfc2136, config: &c { nameserver: 192.0.2.1 } }
  - { <<: *a, zones: [example.com] }
  - { provider: rfc2136, zones: [example.org], config: *c }
`);
    expect(issues).toEqual([]);
    expect(config.solvers?.[1]).toEqual({
      provider: "rfc2136",
      zones: ["example.com"],
      config: { nameserver: "192.0.2.1" },
    });
    expect(await faultsOf("solvers:\n  - &a { provder: x }\n  - *a\n")).toEqual([
      'dns01.yaml:2 solvers[0].provder: unknown key "provder"; did you mean "provider"?',
      'dns01.yaml:3 solvers[1].provder: unknown key "provder"; did you mean "provider"?',
    ]);
  });

  test("aliases that grow without bound are refused", async () => {
    const levels = Array.from(
      { length: 12 },
      (_, i) => `x${i + 1}: &x${i + 1} [${Array(9).fill(`*x${i}`).join(", ")}]`,
    );
    expect((await faultsOf(`x0: &x0 [a]\n${levels.join("\n")}\n`))[0]).toMatch(/alias/i);
  });

  test("keys of the object's own kind are keys like any other", async () => {
    const [fault, ...more] = await faultsOf("__proto__: { acme: {} }\nconstructor: 5\n");
    expect([fault, ...more]).toHaveLength(2);
    expect(({} as Record<string, unknown>)["acme"]).toBeUndefined();
  });
});

test("a named file must exist; without one nothing is configured", async () => {
  const dir = await mkdtemp(join(tmpdir(), "dns01-config-"));
  try {
    const missing = await loadConfig(join(dir, "none.yaml"), {});
    expect(missing.issues).toEqual([{ path: "--config", message: expect.stringContaining("does not exist") }]);
    expect((await loadConfig(dir, {})).issues[0]?.message).toMatch(/cannot read .*: it is a folder/);
    const file = join(dir, "dns01.yaml");
    await writeFile(file, good);
    const loaded = await loadConfig(file, {});
    expect(loaded.file).toBe(file);
    expect(loaded.resolve("secret")).toBe(join(dir, "secret"));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test.skipIf(process.platform === "win32")("what does not end is no configuration file", async () => {
  const { issues } = await loadConfig("/dev/zero", {});
  expect(issues).toEqual([{ path: "--config", message: "cannot read /dev/zero: it has more than 16 MB" }]);
});

describe.skipIf(process.platform === "win32")("a pipe", () => {
  const withPipe = async (work: (path: string) => Promise<void>) => {
    const dir = await mkdtemp(join(tmpdir(), "dns01-config-"));
    try {
      execFileSync("mkfifo", [join(dir, "pipe")]);
      await work(join(dir, "pipe"));
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  };

  test("is read whole, also from a writer that takes its time", { timeout: 20_000 }, () =>
    withPipe(async (path) => {
      const loading = loadConfig(path, {});
      const writer = await open(path, "w");
      await writer.write(good.slice(0, 30));
      await new Promise((resolve) => setTimeout(resolve, 100));
      await writer.write(good.slice(30));
      await writer.close();
      const { issues, config } = await loading;
      expect(issues).toEqual([]);
      expect(config.certificates).toHaveLength(1);
    }),
  );

  test("that nobody writes into is a fault like any other, and not waited for without end", { timeout: 20_000 }, () =>
    withPipe(async (path) => {
      const { issues } = await loadConfig(path, {});
      expect(issues).toEqual([
        { path: "--config", message: `cannot read ${path}: it is a pipe, and nobody writes into it` },
      ]);
    }),
  );
});
