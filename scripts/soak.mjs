// npm run soak [-- FILTER…]: the tests that honour DNS01_SOAK with their full number of runs, then the benches.
// Takes long (an hour is normal) and is no part of `npm test`.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { ensurePackages } from "./debian.mjs";
import { build, ensureInstalled, root } from "./prepare.mjs";

const env = { ...process.env, DNS01_SOAK: "1" };
const run = (args) => spawnSync(process.execPath, args, { cwd: root, stdio: ["ignore", 1, 2], env }).status === 0;

ensureInstalled();
const { missing } = ensurePackages();
if (missing.length > 0) console.log(`Debian packages are missing: ${missing.join(" ")}; what needs them is skipped.`);
build();
const results = [
  // Hours are allowed: a case says itself how long it may take, the default limit is for `npm test`.
  ["tests", run(["node_modules/vitest/vitest.mjs", "run", "--testTimeout=7200000", ...process.argv.slice(2)])],
];
for (const bench of ["bench/propagation.mjs", "bench/issue.mjs"]) {
  if (existsSync(`${root}${bench}`)) results.push([bench, run([bench])]);
}
for (const [name, passed] of results) console.log(`${passed ? "passed" : "FAILED"}  ${name}`);
process.exitCode = results.every(([, passed]) => passed) ? 0 : 1;
