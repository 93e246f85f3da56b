// node bench/webhook.mjs [--calls 10000] [--connections 50] [--flood 60]
// Starts the built `dns01 webhook` on flags alone and measures what docs claim: start, memory, challenges per second against
// the memory provider, discovery while 200 challenges hang, and good calls while a client without a certificate opens 1,000
// connections for that many seconds (0 leaves a part out). Compiles itself to dist-bench first; the command line has to be
// built (npm run build).
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const out = `${root}dist-bench/webhook`;
rmSync(out, { recursive: true, force: true });
const tsc = spawnSync(
  process.execPath,
  [`${root}node_modules/typescript/bin/tsc`, "-p", "bench/webhook/tsconfig.json"],
  {
    cwd: root,
    stdio: "inherit",
  },
);
if (tsc.status !== 0) process.exit(tsc.status ?? 1);
process.env.DNS01_TEST_CLI ??= `${root}dist/cli/main.js`;
await import(`${out}/bench/webhook/main.js`);
