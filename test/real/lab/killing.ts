import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { cli, type Env, type Finished } from "./cli.ts";
import type { Lab } from "./lab.ts";

const killer = fileURLToPath(new URL("../kill-at.mjs", import.meta.url));

/** Something that outlives the process, as `dns01` announced it. */
export interface Step {
  readonly n: number;
  readonly kind: string;
  readonly state: string;
  readonly detail: string;
}

/** The steps up to the kill; undefined when the run ended by itself before its n-th step, as `ended` has to approve. */
export async function runAndKill(
  lab: Lab,
  args: readonly string[],
  env: Env,
  n: number,
  ended: (run: Finished, steps: readonly Step[]) => void,
): Promise<readonly Step[] | undefined> {
  const file = join(mkdtempSync(join(lab.dir, "steps-")), "steps");
  const hooks = { NODE_OPTIONS: `--import ${killer}`, DNS01_TEST_KILL_AT: String(n), DNS01_TEST_STEPS: file };
  const run = await cli(args, { ...env, ...hooks });
  const lines = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
  const steps = lines.map((line) => JSON.parse(line) as Step);
  if (run.signal === null) {
    ended(run, steps);
    expect(steps.length, "steps are announced").toBeGreaterThan(0);
    expect(steps.length, "it was to be killed").toBeLessThan(n);
    return undefined;
  }
  expect(run.signal).toBe("SIGKILL");
  expect(steps).toHaveLength(n);
  return steps;
}

/** How often each kind of step was the last one: "acme before 9, acme after 9 …". */
export function countKinds(lasts: readonly Step[]): ReadonlyMap<string, number> {
  const kinds = new Map<string, number>();
  for (const { kind, state } of lasts) kinds.set(`${kind} ${state}`, (kinds.get(`${kind} ${state}`) ?? 0) + 1);
  return kinds;
}
