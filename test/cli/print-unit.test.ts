import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const main = process.env["DNS01_TEST_CLI"] ?? fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

test("a unit is printed for a file that is not there yet, and stderr says that it is not", async () => {
  const dir = await mkdtemp(join(tmpdir(), "dns01-unit-"));
  const config = join(dir, "later.yaml");
  const done = await new Promise<{ status: number; stdout: string; stderr: string }>((resolve) => {
    const args = [main, "run", "--print-unit", "--config", config];
    const child = execFile(process.execPath, args, { cwd: dir }, (_, stdout, stderr) =>
      resolve({ status: child.exitCode ?? -1, stdout, stderr }),
    );
  });
  await rm(dir, { recursive: true, force: true });
  expect(done.status, done.stderr).toBe(0);
  expect(done.stdout).toMatch(new RegExp(`^ExecStart=.* run --config ${config}$`, "m"));
  expect(done.stderr).toContain(`${config} does not exist`);
});
