import { parseArgs } from "node:util";
import { cliFile, issueArgs, labEnv, startCli } from "../../test/real/lab/cli.ts";
import { markUpdates, updatesSince } from "../../test/real/lab/counts.ts";
import { zoneHolding } from "../../test/real/lab/judge.ts";
import { type Lab, startLab } from "../../test/real/lab/lab.ts";
import { type Contender, contenders, type Scenario } from "./contenders.ts";
import { median, peakMemory, seconds, table, timed } from "./measure.ts";

const pair = ["example.test", "*.example.test"];
const scenarios: readonly Scenario[] = [
  { title: "apex and wildcard, no lag", names: pair, lagMs: 0, goalMs: 700 },
  {
    title: "20 names in one zone",
    names: Array.from({ length: 20 }, (_, i) => `h${i}.example.test`),
    lagMs: 0,
    goalMs: 1000,
  },
  { title: "apex and wildcard, 5 s lag on one secondary", names: pair, lagMs: 5000, goalMs: 5800 },
  { title: "one of two nameservers refuses", names: ["dead.test", "*.dead.test"], lagMs: 0, goalMs: 3700, alone: true },
  {
    title: "one of two nameservers is silent",
    names: ["mute.test", "*.mute.test"],
    lagMs: 0,
    goalMs: 3700,
    alone: true,
  },
];

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "10" },
    "peer-runs": { type: "string", default: "3" },
    only: { type: "string", default: contenders.map((contender) => contender.name).join(",") },
  },
});
const chosen = contenders.filter((contender) => values.only.split(",").includes(contender.name));

console.log("## Start-up, medians of 20 in turn\n");
console.log(await startUp());
const lab = await startLab();
try {
  console.log(
    "\n## Issuance, process start to exit, a new account each time, in turn on one Pebble and its nameservers\n",
  );
  for (const contender of chosen) console.log(`- ${contender.name}: ${contender.note}`);
  console.log("");
  const rows = [];
  for (const scenario of scenarios) rows.push(...(await compare(lab, scenario)));
  console.log(table(["scenario", "client", "runs", "median", "fastest", "slowest", "DNS updates", "goal"], rows));
  console.log(`\nPeak RSS of one issuance by dns01, median of 3: ${await memory(lab)} MiB (goal 90)`);
} finally {
  await lab.stop();
}

async function startUp(): Promise<string> {
  const bare = ["-e", "0"];
  const commands = [bare, [cliFile, "--version"], [cliFile, "--help"]] as const;
  const times: number[][] = commands.map(() => []);
  for (let i = 0; i < 20; i++) {
    for (const [k, args] of commands.entries()) times[k]?.push(await timed(process.execPath, args));
  }
  const medians = times.map(median);
  const base = medians[0] ?? Number.NaN;
  const names = ["node -e 0", "dns01 --version", "dns01 --help"];
  const rows = names.map((name, k) => [
    name,
    `${(medians[k] ?? 0).toFixed(0)} ms`,
    `${((medians[k] ?? 0) / base).toFixed(2)}`,
  ]);
  return table(["command", "median", "× node -e 0 (goal 2)"], rows);
}

/** One scenario, every client once per round as long as it has runs left. */
async function compare(lab: Lab, scenario: Scenario): Promise<readonly (readonly string[])[]> {
  const times = new Map<Contender, number[]>(chosen.map((contender) => [contender, []]));
  const updates = new Map<Contender, number>();
  const zone = zoneHolding(scenario.names[0] ?? "").apex;
  lab.lag.nsd = scenario.lagMs;
  for (let round = 0; round < Number(values.runs); round++) {
    for (const [contender, taken] of times) {
      if (contender.name !== "dns01" && (scenario.alone === true || round >= Number(values["peer-runs"]))) continue;
      const mark = await markUpdates(lab, zone);
      const elapsed = await contender.run(lab, scenario);
      if (elapsed === undefined) continue;
      taken.push(elapsed);
      updates.set(contender, await updatesSince(lab, mark, zone));
      // What the run took out must be gone on the lagging server too before the next one starts.
      await new Promise((resolve) => setTimeout(resolve, scenario.lagMs + 200));
    }
  }
  lab.lag.nsd = 0;
  return [...times].flatMap(([contender, taken]) => {
    if (contender.name !== "dns01" && scenario.alone === true) return [];
    if (taken.length === 0) return [[scenario.title, contender.name, "0", "cannot", "", "", "", ""]];
    const goal = contender.name === "dns01" ? seconds(scenario.goalMs) : "";
    const figures = [median(taken), Math.min(...taken), Math.max(...taken)].map(seconds);
    return [[scenario.title, contender.name, String(taken.length), ...figures, String(updates.get(contender)), goal]];
  });
}

async function memory(lab: Lab): Promise<string> {
  const peaks: number[] = [];
  for (let i = 0; i < 3; i++) {
    const run = startCli(issueArgs(pair), labEnv(lab));
    const peak = peakMemory(run.child);
    await run.done;
    peaks.push(peak());
  }
  return median(peaks).toFixed(0);
}
