// node bench/storm.mjs [--certificates 1000] [--parallel 32] [--faults 0.05]
// So many certificates are due at once in `dns01 run`; prints how long the sandbox CA is kept busy, and what it took.
// The command line has to be built (npm run build).
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const out = `${root}dist-bench/storm`;
rmSync(out, { recursive: true, force: true });
const tsc = spawnSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, "-p", "bench/storm/tsconfig.json"], {
  cwd: root,
  stdio: "inherit",
});
if (tsc.status !== 0) process.exit(tsc.status ?? 1);
await import(`${out}/bench/storm/main.js`);
