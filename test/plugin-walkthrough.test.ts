import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const main = join(root, "dist/cli/main.js");

let dir: string;
let page: string;

/** What the page shows, in its order. */
const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map((block) => block[1] ?? "");

interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(file: string, args: readonly string[], cwd: string): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(file, [...args], { cwd }, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

/** A line of the page as a person types it. */
const typed = (line: string, more: readonly string[] = []) =>
  run(process.execPath, [main, ...line.split(" ").slice(1), ...more], dir);

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "dns01-walkthrough-"));
  page = await readFile(join(root, "docs/writing-a-provider.md"), "utf8");
});

afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

test("the page leads from the scaffold to a provider that keeps every rule", async () => {
  const [begin = "", check = "", use = ""] = blocks("sh");
  const [adapter = "", answer = ""] = blocks("js");

  expect(await typed(begin.trim())).toMatchObject({ status: 0, stdout: expect.stringContaining("wrote acmehost.mjs") });

  const unfilled = await typed(check.trim(), ["--json"]);
  expect(unfilled.status, "a scaffold keeps no rule yet").toBe(3);
  const before = JSON.parse(unfilled.stdout) as { rules: { outcome: string; reason?: string }[] };
  expect(before.rules.filter(({ outcome }) => outcome === "pass")).toEqual([]);
  for (const { reason } of before.rules) expect(reason).toMatch(/write findZone in acmehost\.mjs/);

  await writeFile(join(dir, "acmehost.mjs"), adapter);
  const emptyFake = await typed(check.trim(), ["--rule", "adding"]);
  expect(emptyFake.stdout).toContain("write answer in acmehost.fake.mjs");
  expect(emptyFake.status).toBe(3);

  const fake = await readFile(join(dir, "acmehost.fake.mjs"), "utf8");
  const filled = fake.replace(/^ {4}answer: .*?^ {4}\},\n/ms, () => answer);
  expect(filled).not.toBe(fake);
  await writeFile(join(dir, "acmehost.fake.mjs"), filled);
  const green = await typed(check.trim(), ["--json"]);
  const after = JSON.parse(green.stdout) as { failed: number; skipped: number; rules: { outcome: string }[] };
  expect(after.rules.filter(({ outcome }) => outcome !== "pass")).toEqual([]);
  expect(after.rules.length).toBeGreaterThan(40);
  expect(green.status).toBe(0);

  const providers = use.split("\n").find((line) => line.startsWith("dns01 providers")) ?? "";
  expect(await typed(providers)).toMatchObject({ status: 0, stdout: expect.stringContaining("ACMEHOST_TOKEN") });
}, 120_000);

test("the scaffold's own test runs in a project that has dns01 installed", async () => {
  await writeFile(join(dir, "package.json"), `{"name":"project","private":true}`);
  await mkdir(join(dir, "node_modules"), { recursive: true });
  await symlink(root, join(dir, "node_modules/dns01"), "dir");
  const { stdout, status } = await run(process.execPath, ["--test", "--test-reporter=tap"], dir);
  expect(stdout).toMatch(/^# pass [4-9]\d$/m);
  expect(stdout).toMatch(/^# fail 0$/m);
  expect(status).toBe(0);
}, 120_000);

test("the page's service that stores sets keeps every rule too, with the scaffold's fake", async () => {
  const [adapter = "", answer = ""] = blocks("javascript");
  expect((await typed("dns01 plugin new sethost --rrset")).status).toBe(0);
  await writeFile(join(dir, "sethost.mjs"), adapter);
  const fake = await readFile(join(dir, "sethost.fake.mjs"), "utf8");
  const filled = fake
    .replace(/^ {4}answer: .*?^ {4}\},\n/ms, () => answer)
    .replace("{ connectBackend, ", "{ connectBackend, decodeTxt, encodeTxt, ");
  await writeFile(join(dir, "sethost.fake.mjs"), filled);
  const { stdout, status } = await typed("dns01 plugin test ./sethost.mjs", ["--operations", "50", "--json"]);
  const { rules } = JSON.parse(stdout) as { rules: { outcome: string }[] };
  expect(rules.filter(({ outcome }) => outcome !== "pass")).toEqual([]);
  expect(status).toBe(0);
}, 120_000);

test("it takes at most 90 lines and four concepts", () => {
  const code = ["js", "sh", "yaml"].flatMap(blocks).flatMap((block) => block.trim().split("\n"));
  expect(code.length).toBeLessThanOrEqual(90);
  expect(page).toContain("`defineProvider`, a zod object, one of two backend shapes, and `classify`");
  const imported = /^import \{(.+)\} from "dns01";$/m.exec(blocks("js")[0] ?? "")?.[1]?.split(",") ?? [];
  expect(imported.map((name) => name.trim())).toEqual([
    "AuthError",
    "defineProvider",
    "HttpError",
    "httpUrl",
    "recordBackend",
    "secret",
    "z",
  ]);
});
