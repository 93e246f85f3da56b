import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { cases } from "../../src/testing/index.ts";

/** Output of `node --test`; it ends with 1 when a test failed. */
function run(file: string): Promise<string> {
  const { NODE_OPTIONS: _options, NODE_TEST_CONTEXT: _context, ...env } = process.env;
  return new Promise((resolve) => {
    execFile(process.execPath, ["--test", "--test-reporter=tap", file], { env }, (_error, stdout) => resolve(stdout));
  });
}

test("the suite runs under node:test, prints reasons for what is skipped, and fails what is wrong", async () => {
  const folder = await mkdtemp(join(tmpdir(), "dns01-node-test-"));
  try {
    const outfile = join(folder, "suite.mjs");
    await build({
      entryPoints: [fileURLToPath(new URL("node-test-child.ts", import.meta.url))],
      bundle: true,
      platform: "node",
      format: "esm",
      outfile,
      logLevel: "error",
    });
    const lines = (await run(outfile)).split("\n").map((line) => line.trim());
    const failed = lines.filter((line) => line.startsWith("not ok"));
    expect(failed.filter((line) => line.includes("- right: "))).toEqual([]);
    const rules = failed.flatMap((line) => /- wrong: (\S+)/.exec(line)?.[1] ?? []);
    expect(rules).toEqual(["adding.verbatim", "adding.alike", "removing.alike"]);
    expect(lines.filter((line) => /^ok .*- right: /.test(line))).toHaveLength(cases.length);
    expect(lines.find((line) => line.includes("# SKIP"))).toContain("only to see a reason printed");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
