// node bench/providers.mjs [--runs 3] [--latency 20] [--only cloudflare,route53]
// Calls and time of each operation on the services' fakes (test/fakes), dns01 beside lego where that can be pointed at
// them (Debian package lego). Compiles itself to dist-bench first.
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const out = `${root}dist-bench/providers`;
rmSync(out, { recursive: true, force: true });
const tsc = spawnSync(
  process.execPath,
  [`${root}node_modules/typescript/bin/tsc`, "-p", "bench/providers/tsconfig.json"],
  { cwd: root, stdio: "inherit" },
);
if (tsc.status !== 0) process.exit(tsc.status ?? 1);
const { main } = await import(`${out}/bench/providers/main.js`);
await main(process.argv.slice(2));
