import { fork } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { certManager, createAggregator, kubeAggregator, usualRequest } from "../../test/fakes/aggregator.ts";
import { serviceName } from "../../test/webhook/pki.ts";
import { type Program, startProgram } from "../../test/webhook/program.ts";
import type { Flood, FloodResult } from "./flood-child.ts";
import type { Load, LoadResult } from "./load-child.ts";

const group = "acme.dns01.io";

/** Prints one line per figure, with the goal that it has to meet. */
export async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      calls: { type: "string", default: "10000" },
      connections: { type: "string", default: "50" },
      flood: { type: "string", default: "60" },
    },
  });
  if (values.calls !== "0") {
    await measureMemory(Number(values.calls), Number(values.connections));
    await measureDiscovery();
  }
  if (values.flood !== "0") await measureFlood(1_000, Number(values.flood));
}

function say(what: string, value: string, goal: string): void {
  console.log(`${what.padEnd(58)} ${value.padStart(12)}   goal ${goal}`);
}

async function measureMemory(calls: number, connections: number): Promise<void> {
  const starts: number[] = [];
  for (let i = 0; i < 4; i++) {
    const short = await startProgram(["--providers", "memory"]);
    starts.push(short.startMs);
    await short.close();
  }
  const program = await startProgram(["--providers", "memory"]);
  try {
    starts.push(program.startMs);
    say("start to ready, median of 5", `${percentile(starts, 50).toFixed(0)} ms`, "≤ 300 ms");
    await sleep(2_000);
    say("memory, idle", `${(await residentMb(program)).toFixed(0)} MB`, "≤ 80 MB");
    await load(program, connections, 2_000);
    const { seconds, latenciesMs, failed } = await load(program, connections, calls);
    if (failed > 0) throw new Error(`${failed} calls failed`);
    say(`Present, ${connections} connections`, `${(latenciesMs.length / seconds).toFixed(0)}/s`, "≥ 3000/s");
    say("  median", `${percentile(latenciesMs, 50).toFixed(1)} ms`, "-");
    say("  99 of 100", `${percentile(latenciesMs, 99).toFixed(1)} ms`, "≤ 60 ms");
    say(`memory after ${calls + 2_000} challenges`, `${(await residentMb(program)).toFixed(0)} MB`, "≤ 110 MB");
  } finally {
    await program.close();
  }
}

/** A provider that never comes back. */
const hanging = `import { defineProvider, z } from "dns01";
export default defineProvider({
  id: "hanging", title: "Hanging", config: z.strictObject({}), traits: { ttlSeconds: { min: 0, default: 60 } },
  connect: () => ({
    findZone: async (apex) => (apex.split(".").length === 2 ? { apex, id: apex } : undefined),
    apply: (_zone, _edits, { signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  }),
});
`;

async function measureDiscovery(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "dns01-bench-"));
  const plugin = join(folder, "hanging.mjs");
  await writeFile(plugin, hanging);
  const program = await startProgram(["--plugin", plugin, "--providers", "hanging"]);
  const { pki, port } = program;
  const options = { port, caBundle: pki.servingCa.cert, service: serviceName, proxy: pki.frontProxy };
  const busy = createAggregator({ ...options, connections: 200 });
  const aggregator = createAggregator(options);
  try {
    for (let i = 0; i < 200; i++) {
      const name = `n${i}.example.org`;
      const about = { dnsName: name, resolvedFQDN: `_acme-challenge.${name}.` };
      busy.challenge(group, "hanging", about).catch(() => {});
    }
    while ((await program.metric("dns01_webhook_challenges_in_flight")) < 200) await sleep(20);
    const latenciesMs: number[] = [];
    for (let i = 0; i < 500; i++) {
      const at = performance.now();
      const answer = await aggregator.exchange({ path: `/apis/${group}/v1alpha1`, caller: kubeAggregator });
      latenciesMs.push(performance.now() - at);
      if (answer.status !== 200) throw new Error(`discovery answered ${answer.status}`);
    }
    say("discovery while 200 challenges hang, 99 of 100", `${percentile(latenciesMs, 99).toFixed(1)} ms`, "≤ 50 ms");
  } finally {
    aggregator.close();
    busy.close();
    await program.close();
    await rm(folder, { recursive: true });
  }
}

/** Good calls while a client without a certificate opens as many connections as it can. */
async function measureFlood(connections: number, seconds: number): Promise<void> {
  const program = await startProgram(["--providers", "memory"]);
  const { pki, port } = program;
  const options = { port, caBundle: pki.servingCa.cert, service: serviceName, proxy: pki.frontProxy };
  const kept = createAggregator(options);
  try {
    await kept.challenge(group, "memory");
    await sleep(2_000);
    const idle = await residentMb(program);
    const child = fork(fileURLToPath(new URL("flood-child.js", import.meta.url)));
    const flood = new Promise<FloodResult>((resolve) => child.once("message", resolve));
    child.send({ port, connections, seconds } satisfies Flood);
    const ended = flood.then(() => true);
    const overKept: number[] = [];
    const overNew: number[] = [];
    let most = idle;
    for (let round = 0; !(await Promise.race([ended, sleep(20)])); round++) {
      await timed(() => kept.challenge(group, "memory"), overKept);
      if (round % 10 > 0) continue;
      const fresh = createAggregator(options);
      await timed(() => fresh.challenge(group, "memory"), overNew);
      fresh.close();
      most = Math.max(most, await residentMb(program));
    }
    const { opened } = await flood;
    say(`${connections} connections without a certificate, ${seconds} s`, `${opened} opened`, "-");
    say("  memory above idle", `${(most - idle).toFixed(0)} MB`, "≤ 80 MB");
    say("  good calls, 99 of 100", `${percentile(overKept, 99).toFixed(1)} ms`, "≤ 100 ms");
    say("  good calls over new connections, 99 of 100", `${percentile(overNew, 99).toFixed(1)} ms`, "-");
  } finally {
    kept.close();
    await program.close();
  }
}

/** A call that fails took for ever. */
async function timed(call: () => Promise<{ readonly status: number }>, latenciesMs: number[]): Promise<void> {
  const at = performance.now();
  const succeeded = await call().then(
    ({ status }) => status === 201,
    () => false,
  );
  latenciesMs.push(succeeded ? performance.now() - at : Number.POSITIVE_INFINITY);
}

function load({ pki, port }: Program, connections: number, calls: number): Promise<LoadResult> {
  const child = fork(fileURLToPath(new URL("load-child.js", import.meta.url)));
  const name = "@.example.org";
  const request = { ...usualRequest, dnsName: name, resolvedFQDN: `_acme-challenge.${name}.` };
  const headers = [
    "Content-Type: application/json",
    "Accept: application/json, */*",
    `X-Remote-User: ${certManager.user}`,
    ...certManager.groups.map((one) => `X-Remote-Group: ${one}`),
    "Audit-Id: 5b1f5c1e-0000-4000-8000-000000000000",
  ];
  const { cert, key } = pki.frontProxy;
  const path = `/apis/${group}/v1alpha1/memory`;
  child.send({ port, cert, key, connections, calls, path, headers, body: JSON.stringify({ request }) } satisfies Load);
  return new Promise((resolve, reject) => {
    child.once("message", (result: LoadResult) => resolve(result));
    child.once("error", reject);
  });
}

async function residentMb({ pid }: Program): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1_000;
}

function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? Number.NaN;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

await main(process.argv.slice(2));
