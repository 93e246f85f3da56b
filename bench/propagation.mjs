// node bench/propagation.mjs [--runs 400]
// Waits in virtual time for records that appear at a known moment T, and prints how much later they were seen and how
// many questions that took, beside the goals: 0.1 + 0.05·√T s in the mean, and 4 per address + 1.2·∫dt/Δ per owner for
// the gap Δ of src/dns/polling.ts; then the same behind paths that lose datagrams. Compiles itself to dist-bench first.
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const out = `${root}dist-bench/propagation`;
rmSync(out, { recursive: true, force: true });
const tsc = spawnSync(
  process.execPath,
  [`${root}node_modules/typescript/bin/tsc`, "-p", "bench/propagation/tsconfig.json"],
  { cwd: root, stdio: "inherit" },
);
if (tsc.status !== 0) process.exit(tsc.status ?? 1);
const { main } = await import(`${out}/bench/propagation/main.js`);
process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1;
