import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { commands, globalFlags } from "../src/cli/spec.ts";
import { loadProvider, providerIds } from "../src/providers.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string) => readFileSync(join(root, path), "utf8");
const below = (folder: string) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((file) => join(folder, file));
const pages = [
  ...["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"],
  // The parts become pages by npm run docs; their links are meant from there.
  ...below("docs").filter((file) => file.endsWith(".md") && !file.includes("parts")),
];
const sources = [...below("src"), ...below("providers")].filter((file) => file.endsWith(".ts"));

/** As GitHub makes them of a heading. */
const anchorsOf = (text: string) =>
  [...text.replace(/^```.*?^```/gms, "").matchAll(/^#+ (.+)$/gm)].map((heading) =>
    (heading[1] ?? "")
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replace(/ /g, "-"),
  );

const codeBlocks = (text: string, language: string) =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map((block) => block[1] ?? "");

const isProviderFlag = (flag: string) => providerIds().some((id) => flag.startsWith(`--${id}-`));

describe.each(pages)("%s", (page) => {
  test("leads to pages and headings that exist", () => {
    for (const [, target = ""] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? page : relative(root, resolve(root, dirname(page), path));
      expect(existsSync(join(root, file)), `${page}: ${target}`).toBe(true);
      if (anchor !== undefined) expect(anchorsOf(read(file)), `${page}: ${target}`).toContain(anchor);
    }
  });

  test("names no default that is nothing", () => {
    expect(read(page)).not.toMatch(/Default `\s*`/);
  });

  test("has JSON that parses", () => {
    for (const block of codeBlocks(read(page), "json")) expect(() => JSON.parse(block)).not.toThrow();
  });

  test("names no flag of dns01 that does not exist", () => {
    const known = new Set([...globalFlags, ...commands.flatMap((c) => c.flags)].map((flag) => `--${flag.name}`));
    for (const line of read(page).split("\n")) {
      const command = /'dns01 [^']*|(?:^|`| -- )dns01 [^`]*/.exec(line)?.[0] ?? "";
      for (const [flag] of command.matchAll(/--[a-z][a-z0-9-]+/g)) {
        if (["--help", "--version"].includes(flag) || isProviderFlag(flag)) continue;
        expect(known, `${page}: ${line}`).toContain(flag);
      }
    }
  });
});

describe("docs/errors.md", () => {
  const text = read("docs/errors.md");

  test("has every code with its exit status", () => {
    const union = /export type ErrorCode =([^;]+);/.exec(read("src/core/errors.ts"))?.[1] ?? "";
    const codes = [...union.matchAll(/"([A-Z_]+)"/g)].map((m) => m[1] ?? "");
    const table = /statusByCode[^{]*\{([^}]+)\}/.exec(read("src/cli/exit.ts"))?.[1] ?? "";
    expect(codes.length).toBeGreaterThan(10);
    for (const code of codes) {
      const status = new RegExp(`\\b${code}: (\\d+)`).exec(table)?.[1];
      const section = text.split(`\n## ${code}\n`)[1]?.split("\n## ")[0];
      expect(section, code).toContain(`Exit status ${status}`);
      expect(text.split("## CONFIG")[0], code).toMatch(new RegExp(`\\| ${status}\\b.*\`${code}\``));
    }
  });

  test("has every warning, and none that nobody gives", () => {
    const given = new Set(sources.flatMap((file) => [...read(file).matchAll(/"(W_[A-Z_]+)"/g)].map((m) => m[1] ?? "")));
    const told = [...text.matchAll(/^\| `(W_[A-Z_]+)` \|/gm)].map((m) => m[1]);
    expect(told).toEqual([...given].sort());
  });
});

describe("docs/cli.md", () => {
  const text = read("docs/cli.md");

  test.each(commands.map((c) => c.name))("has the command %s with each of its flags", (name) => {
    const section = text.split(`\n## dns01 ${name}\n`)[1]?.split("\n## ")[0];
    expect(section).toBeDefined();
    const shared = text.split("\n## Finding and asking nameservers\n")[1]?.split("\n## ")[0] ?? "";
    const fromIssue = text.split("\n## dns01 issue\n")[1]?.split("\n## ")[0] ?? "";
    for (const flag of commands.find((c) => c.name === name)?.flags ?? []) {
      expect(`${section}${shared}${fromIssue}`).toMatch(new RegExp(`--${flag.name}\\b`));
    }
  });

  test("has every global flag", () => {
    for (const flag of globalFlags) expect(text).toContain(`--${flag.name}`);
  });

  test("has no command that does not exist", () => {
    const sections = [...text.matchAll(/^## dns01 (.+)$/gm)].map((m) => m[1]);
    expect(sections).toEqual(commands.map((c) => c.name));
  });
});

test("README.md fits three screens of 55 lines, none of them wider than 120 characters", () => {
  const lines = read("README.md").split("\n");
  expect(lines.length).toBeLessThanOrEqual(3 * 55);
  expect(lines.filter((line) => line.length > 120)).toEqual([]);
});

test("docs/propagation.md explains every class and status a verdict can have", () => {
  const types = read("src/dns/types.ts");
  const text = read("docs/propagation.md");
  const classes = /export type AnswerClass =([^;]+);/.exec(types)?.[1] ?? "";
  const statuses = /export interface Verdict \{[^:]+:([^;]+);/.exec(types)?.[1] ?? "";
  const words = [...`${classes}${statuses}`.matchAll(/"([a-z-]+)"/g)].map((m) => m[1] ?? "");
  expect(words.length).toBeGreaterThan(18);
  for (const word of words) expect(text).toMatch(new RegExp(`^\\| \`${word}\``, "m"));
});

test("docs/sandbox.md has every fault", async () => {
  const { faultNames } = await import("../src/sandbox/weather.ts");
  const text = read("docs/sandbox.md");
  for (const fault of Object.keys(faultNames)) expect(text).toContain(`\`${fault}\``);
});

test("docs/sandbox.md has every behaviour in its form", async () => {
  const { behaviours } = await import("../src/sandbox/behaviours.ts");
  const text = read("docs/sandbox.md").replaceAll("\\|", "|");
  for (const [name, { value }] of Object.entries(behaviours)) {
    expect(text).toContain(`\n| \`${value === undefined ? name : `${name}=${value}`}\` |`);
  }
});

test("docs/providers/rfc2136.md has every field", async () => {
  const text = read("docs/providers/rfc2136.md");
  const provider = await loadProvider("rfc2136");
  const schema = z.toJSONSchema(provider.config, { io: "input" });
  for (const field of Object.keys(schema.properties ?? {}))
    expect(text).toMatch(new RegExp(`^\\| \`${field}\`[, ]`, "m"));
});

test("the programs in README.md and docs/library.md compile in strict mode", async () => {
  const blocks = [...codeBlocks(read("README.md"), "ts"), ...codeBlocks(read("docs/library.md"), "ts")];
  expect(blocks.length).toBeGreaterThan(1);
  const folder = await mkdtemp(join(root, "node_modules/.readme-"));
  try {
    for (const [i, block] of blocks.entries()) {
      await writeFile(join(folder, `block-${i}.ts`), block.replace('"dns01"', JSON.stringify("../../src/library.ts")));
    }
    const config = {
      extends: "../../tsconfig.json",
      compilerOptions: { noEmit: true, rootDir: "../.." },
      include: ["*.ts"],
      exclude: [],
    };
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify(config));
    await writeFile(join(folder, "package.json"), `{"type":"module"}`);
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const said = await promisify(execFile)(process.execPath, [tsc, "-p", folder], { cwd: folder }).then(
      () => "",
      (error: { stdout: string }) => error.stdout,
    );
    expect(said).toBe("");
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("nothing in the repository names a place on somebody's machine", () => {
  const places = new RegExp(`(${["/home/", "/Users/", "/root/", `/${"work"}/`].join("|")})[a-z]`);
  for (const file of [...pages, ...sources]) expect(read(file), file).not.toMatch(places);
});
