import { execFile, execFileSync } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const main = process.env["DNS01_TEST_CLI"] ?? fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "dns01-unit-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function print(args: readonly string[]) {
  return await new Promise<{ status: number; stdout: string; stderr: string }>((resolve) => {
    const all = [main, "run", "--print-unit", ...args];
    const env = { PATH: process.env["PATH"], HOME: dir, TOKEN: "x" };
    const child = execFile(process.execPath, all, { cwd: dir, env }, (_, stdout, stderr) =>
      resolve({ status: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

test("a unit is printed for a file that is not there yet, and stderr says that it is not", async () => {
  const config = join(dir, "later.yaml");
  const done = await print(["--config", config]);
  expect(done.status, done.stderr).toBe(0);
  expect(done.stdout).toMatch(new RegExp(`^ExecStart=.* run --config ${config}$`, "m"));
  expect(done.stderr).toContain(`${config} does not exist`);
});

describe("the walls of a service", () => {
  const byVariable = [{ provider: "cloudflare", config: { apiToken: { env: "TOKEN" } } }];
  const byFile = [{ provider: "cloudflare", config: { apiToken: { file: "token" } } }];
  const one = { domains: ["a.example.test"] };
  const always = [
    ...["NoNewPrivileges=yes", "PrivateTmp=yes", "ProtectHome=read-only", "ProtectKernelModules=yes"],
    ...["RestrictSUIDSGID=yes", "UMask=0077"],
  ];

  const has = (program: string) => {
    try {
      return execFileSync("which", [program]).length > 0;
    } catch {
      return false;
    }
  };

  async function linesFor(config: object, args: readonly string[] = []): Promise<readonly string[]> {
    const file = join(dir, "dns01.yaml");
    await writeFile(file, JSON.stringify(config));
    await chmod(file, 0o644);
    await writeFile(join(dir, "token"), "x", { mode: 0o600 });
    const { status, stdout, stderr } = await print(["--config", file, ...args]);
    expect(status, stderr).toBe(0);
    expect(stdout.split("\n")).toEqual(expect.arrayContaining(always));
    if (has("systemd-analyze")) {
      const unit = join(dir, args.includes("dns01-renew.service") ? "dns01-renew.service" : "dns01.service");
      await writeFile(unit, stdout);
      expect(
        execFileSync("systemd-analyze", ["verify", "--recursive-errors=no", unit], { stdio: "pipe" }).toString(),
      ).toBe("");
    }
    return stdout.split("\n");
  }

  test.each(["dns01.service", "dns01-renew.service"])(
    "are a user of its own and a read-only system where nothing needs root (%s)",
    async (unit) => {
      const lines = await linesFor({ solvers: byVariable, certificates: [one] }, ["--unit", unit]);
      expect(lines).toEqual(
        expect.arrayContaining(["DynamicUser=yes", "User=dns01", "StateDirectory=dns01", "ProtectSystem=strict"]),
      );
      expect(lines).toContain("CapabilityBoundingSet=");
    },
  );

  test("leave secrets in files, another state folder and copies to root, and open the folders that it writes", async () => {
    const out = { dir: "tls files", owner: "root" };
    const state = join(dir, "state");
    const lines = await linesFor({ solvers: byFile, certificates: [{ ...one, out }] }, ["--state", state]);
    expect(lines).toEqual(
      expect.arrayContaining([
        ...["ProtectSystem=strict", `ReadWritePaths=${state}`, `ReadWritePaths="-${join(dir, "tls files")}"`],
        "CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER",
      ]),
    );
    expect(lines.join("\n")).not.toMatch(/^(DynamicUser|User|StateDirectory)=/m);
    const plain = await linesFor({ solvers: byFile, certificates: [one] });
    expect(plain.join("\n")).not.toMatch(/^(DynamicUser|User)=/m);
  });

  test("leave deploy hooks the rights of root, as systemctl reload needs them", async () => {
    const deploy = { command: "nginx -t && systemctl reload nginx" };
    const lines = await linesFor({ solvers: byVariable, certificates: [{ ...one, deploy, out: "/etc/nginx/tls" }] });
    expect(lines).toEqual(expect.arrayContaining(["ProtectSystem=full", "ReadWritePaths=-/etc/nginx/tls"]));
    expect(lines.join("\n")).not.toMatch(/^(DynamicUser|User|CapabilityBoundingSet|SystemCallFilter)=/m);
  });
});
