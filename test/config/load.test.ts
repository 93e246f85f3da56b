import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadConfig, parseConfig } from "../../src/config/load.ts";
import { ConfigError } from "../../src/core/errors.ts";

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

test("a good file is read whole, and every path has its line", async () => {
  const { config, place } = await parseConfig("dns01.yaml", good);
  expect(config.solvers?.map((s) => s.provider)).toEqual(["rfc2136", "memory"]);
  expect(place(["solvers", 0, "config", "nameserver"])).toBe("dns01.yaml:7 solvers[0].config.nameserver");
  expect(config.plugins).toEqual(["./acmehost.mjs", "dns01-other"]);
  expect(place(["plugins", 1])).toBe("dns01.yaml:3 plugins[1]");
});

test("all faults at once, each with its line, and the nearest key", async () => {
  const text = `acmee: {}\nsolvers:\n  - provder: rfc2136\n    zones: []\ncertificates:\n  - domains: example.com\n    keyType: ec25\n`;
  const error = await parseConfig("dns01.yaml", text).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(ConfigError);
  const issues = (error as ConfigError).issues.map((i) => `${i.path}: ${i.message}`);
  expect(issues).toContainEqual(expect.stringMatching(/acmee: unknown key; did you mean "acme"/));
  expect(issues).toContainEqual(
    expect.stringMatching(/^dns01\.yaml:3 solvers\[0\]\.provder: unknown key; did you mean "provider"/),
  );
  expect(issues).toContainEqual(expect.stringMatching(/^dns01\.yaml:4 solvers\[0\]\.zones/));
  expect(issues).toContainEqual(expect.stringMatching(/^dns01\.yaml:6 certificates\[0\]\.domains/));
  expect(issues).toContainEqual(expect.stringMatching(/^dns01\.yaml:7 certificates\[0\]\.keyType/));
});

test("broken YAML is told with its line", async () => {
  await expect(parseConfig("dns01.yaml", "acme: {\nca: x\n")).rejects.toThrow(/dns01\.yaml:\d/);
});

test("a named file must exist; without one nothing is configured", async () => {
  const dir = await mkdtemp(join(tmpdir(), "dns01-config-"));
  try {
    await expect(loadConfig(join(dir, "none.yaml"), {})).rejects.toThrow("does not exist");
    const file = join(dir, "dns01.yaml");
    await writeFile(file, good);
    expect((await loadConfig(file, {})).file).toBe(file);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
