// Builds dist/ from nothing, so that a deleted source leaves nothing behind: JavaScript in few files by esbuild (a
// process that reads 150 small modules spends a third of its life on it), type declarations by tsc.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { bundle } from "./bundle.mjs";
import { bundled, writeLicences } from "./licences.mjs";
import { root } from "./prepare.mjs";

// Made aside and swapped in whole: whoever runs dist/ meanwhile keeps a complete one.
const fresh = mkdtempSync(`${root}.dist-`);
const outdir = `${fresh}/dist`;
process.on("exit", () => rmSync(fresh, { recursive: true, force: true }));

writeLicences(bundled(await bundle(outdir)), outdir);
chmodSync(`${outdir}/cli/main.js`, 0o755);

const tsc = spawnSync(
  process.execPath,
  [`${root}node_modules/typescript/bin/tsc`, "-p", "tsconfig.build.json", "--outDir", `${outdir}/types`],
  {
    cwd: root,
    stdio: "inherit",
  },
);
if (tsc.status !== 0) process.exit(tsc.status ?? 1);

rmSync(`${fresh}/old`, { recursive: true, force: true });
try {
  renameSync(`${root}dist`, `${fresh}/old`);
} catch (error) {
  if (error.code !== "ENOENT") throw error;
}
renameSync(outdir, `${root}dist`);
