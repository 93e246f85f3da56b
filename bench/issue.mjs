// node bench/issue.mjs [--runs 10] [--peer-runs 3] [--only dns01,certbot,lego]
// Issues certificates with dns01, certbot and lego in turn on one lab (Debian packages, see test/real/lab) and prints
// medians. Compiles itself and the lab to dist-bench first; the command line has to be built (npm run build).
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const out = `${root}dist-bench/issue`;
rmSync(out, { recursive: true, force: true });
const tsc = spawnSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, "-p", "bench/issue/tsconfig.json"], {
  cwd: root,
  stdio: "inherit",
});
if (tsc.status !== 0) process.exit(tsc.status ?? 1);
await import(`${out}/bench/issue/main.js`);
