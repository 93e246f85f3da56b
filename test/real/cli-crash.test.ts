import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { cli, type Env, issueArgs, labEnv } from "./lab/cli.ts";
import type { Lab } from "./lab/lab.ts";
import { expectCleanDns, expectGoodCertificate, expectPair, issued } from "./lab/outcome.ts";
import { describeInLab } from "./lab/suite.ts";

const killer = fileURLToPath(new URL("kill-at.mjs", import.meta.url));

interface Step {
  readonly n: number;
  readonly kind: string;
  readonly state: string;
  readonly detail: string;
}

describeInLab("killed at every step", (inLab) => {
  const tracks = [
    { title: "a first certificate", zone: "zone0.test", renewal: false },
    { title: "a renewal of a stored certificate", zone: "zone1.test", renewal: true },
  ];

  test.concurrent.each(tracks)(
    "$title: whatever was reached, the next run leaves DNS clean, pairs no certificate with another key, and issues",
    { timeout: 600_000 },
    async ({ zone, renewal, title }) => {
      const lab = inLab();
      const seen = new Map<string, number>();
      let killed = 0;
      for (let n = 1; ; n++) {
        const env = labEnv(lab);
        if (renewal) issued(await cli(issueArgs([zone]), env));
        const steps = await runAndKill(lab, [zone, `*.${zone}`], env, n, renewal);
        if (steps === undefined) break;
        killed++;
        const last = steps[steps.length - 1];
        if (last !== undefined)
          seen.set(`${last.kind} ${last.state}`, (seen.get(`${last.kind} ${last.state}`) ?? 0) + 1);
        await expectRecovery(lab, zone, env, renewal, last);
      }
      console.log(`${title}: killed at each of ${killed} steps: ${[...seen].map(([k, v]) => `${k} ${v}`).join(", ")}`);
      // An engine that announces no steps would pass by not being killed.
      for (const kind of ["dns", "acme", "journal", "file"]) {
        for (const state of ["before", "after"]) expect([...seen.keys()]).toContain(`${kind} ${state}`);
      }
    },
  );
});

/** The steps up to the kill; undefined when the run ended by itself before its n-th step. */
async function runAndKill(
  lab: Lab,
  domains: readonly string[],
  env: Env,
  n: number,
  force: boolean,
): Promise<readonly Step[] | undefined> {
  const file = join(mkdtempSync(join(lab.dir, "steps-")), "steps");
  const hooks = { NODE_OPTIONS: `--import ${killer}`, DNS01_KILL_AT: String(n), DNS01_STEPS: file };
  const run = await cli(issueArgs(domains, ...(force ? ["--force"] : [])), { ...env, ...hooks });
  const steps = existsSync(file)
    ? readFileSync(file, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Step)
    : [];
  if (run.signal === null) {
    issued(run);
    expect(steps.length, "steps are announced").toBeGreaterThan(0);
    return undefined;
  }
  expect(run.signal).toBe("SIGKILL");
  expect(steps).toHaveLength(n);
  return steps;
}

async function expectRecovery(
  lab: Lab,
  zone: string,
  env: Env,
  renewal: boolean,
  last: Step | undefined,
): Promise<void> {
  const where = `after a kill at step ${last?.n}: ${last?.state} ${last?.kind} ${last?.detail}`;
  const current = join(env["DNS01_STATE"] ?? "", "certificates", zone, "current");
  const names = [zone, `*.${zone}`];
  try {
    if (renewal || existsSync(join(current, "cert.pem"))) {
      expectPair(join(current, "cert.pem"), join(current, "privkey.pem"));
    }
    const document = issued(await cli(issueArgs(names), env));
    await expectCleanDns(lab, [`_acme-challenge.${zone}`]);
    await expectGoodCertificate(lab, document, names);
  } catch (cause) {
    throw new Error(`${where}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
