import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const main = join(root, "dist/cli/main.js");

beforeAll(async () => {
  await stat(main).catch(() => {
    throw new Error("dist/ is missing: npm run build (npm test does it first)");
  });
});

/** Every script of the package that Node compiled while the command ran, by V8's own account. */
async function loadedBy(args: readonly string[]): Promise<readonly string[]> {
  const dir = await mkdtemp(join(tmpdir(), "dns01-coverage-"));
  try {
    await promisify(execFile)(process.execPath, [main, ...args], { env: { ...process.env, NODE_V8_COVERAGE: dir } });
    const reports = await Promise.all((await readdir(dir)).map((file) => readFile(join(dir, file), "utf8")));
    const urls = reports.flatMap((text) =>
      (JSON.parse(text) as { result: { url: string }[] }).result.map((r) => r.url),
    );
    return urls.filter((url) => url.startsWith("file:"));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

test.each([["--version"], ["--help"], ["issue --help"]])(
  "dns01 %s loads nothing but its own few lines",
  async (line) => {
    const urls = await loadedBy(line.split(" "));
    expect(urls.length).toBeGreaterThan(0);
    const texts = await Promise.all(urls.map((url) => readFile(fileURLToPath(url), "utf8")));
    // Bundled libraries would be large and bring their own names; unbundled ones would lie in node_modules.
    expect(texts.reduce((n, text) => n + text.length, 0)).toBeLessThan(40_000);
    expect(urls.filter((url) => url.includes("node_modules"))).toEqual([]);
    for (const text of texts) expect(text).not.toMatch(/ZodType|acme-client|AsnParser|kubernetes/);
  },
);

test("the measure works: a command that needs zod is seen to load it", async () => {
  const texts = await Promise.all((await loadedBy(["providers"])).map((url) => readFile(fileURLToPath(url), "utf8")));
  expect(texts.some((text) => text.includes("ZodType"))).toBe(true);
});
