import { randomInt } from "node:crypto";
import { expect, test } from "vitest";
import { disagreedInTruth, faultsOf } from "./propagation-oracle.ts";
import { simulate } from "./propagation-simulation.ts";

/** DNS01_SOAK=1 or DNS01_SIM_RUNS=100000 for a long run, DNS01_SIM_SEED=… to see one failing world again. */
const runs = Number(process.env["DNS01_SIM_RUNS"] ?? (process.env["DNS01_SOAK"] === undefined ? 1_500 : 100_000));
const replay = process.env["DNS01_SIM_SEED"];

async function runMany(first: number, count: number) {
  const failures: string[] = [];
  const statuses = new Map<string, number>();
  const faults = new Map<string, number>();
  const shares = { pool: { runs: 0, early: 0 }, vanishing: { runs: 0, early: 0 } };
  const count1 = (map: Map<string, number>, key: string) => map.set(key, (map.get(key) ?? 0) + 1);
  for (let seed = first; seed < first + count && failures.length < 10; seed++) {
    const run = await simulate(seed);
    for (const fault of faultsOf(run)) failures.push(`seed ${seed}: ${fault}`);
    count1(statuses, run.verdict.status);
    for (const name of run.script.faults) count1(faults, name);
    // No question from one place can exclude that a pool or a server that takes the value back disagrees later.
    for (const kind of ["pool", "vanishing"] as const) {
      if (run.verdict.status !== "propagated" || !run.script.faults.has(kind)) continue;
      shares[kind].runs++;
      if (disagreedInTruth(run)) shares[kind].early++;
    }
  }
  return { failures, statuses: Object.fromEntries(statuses), faults: Object.fromEntries([...faults].sort()), shares };
}

const start =
  replay === undefined
    ? ([
        ["a fixed seed", 1, runs],
        ["a seed of the day", randomInt(2 ** 31), Math.ceil(runs / 2)],
      ] as const)
    : ([["the given seed", Number(replay), 1]] as const);

for (const [what, seed, count] of start) {
  test(`never early, always in time, within the budget, in ${count} worlds from ${what}`, {
    timeout: 60_000 + 20 * count,
    retry: 0,
  }, async () => {
    const { failures, statuses, faults, shares } = await runMany(seed, count);
    console.log(
      `worlds ${seed} to ${seed + count - 1}: ${JSON.stringify(statuses)}\nfaults met: ${JSON.stringify(faults)}\n` +
        `propagated while some machine disagreed: ${shares.pool.early} of ${shares.pool.runs} worlds with pools, ${shares.vanishing.early} of ${shares.vanishing.runs} with vanishing values`,
    );
    expect(failures, "replay with DNS01_SIM_SEED=<seed>").toEqual([]);
  });
}
