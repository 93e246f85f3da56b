// Builds dist/ from nothing, so that a deleted source leaves nothing behind: JavaScript in few files by esbuild (a
// process that reads 150 small modules spends a third of its life on it), type declarations by tsc.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
// Made aside and swapped in whole: whoever runs dist/ meanwhile keeps a complete one.
const fresh = mkdtempSync(`${root}.dist-`);
const outdir = `${fresh}/dist`;
process.on("exit", () => rmSync(fresh, { recursive: true, force: true }));

await build({
  absWorkingDir: root,
  entryPoints: {
    "cli/main": "src/cli/main.ts",
    library: "src/library.ts",
    testing: "src/testing/index.ts",
    "plugin-hook": "src/plugins/hook.ts",
  },
  outdir,
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  mainFields: ["module", "main"],
  // Reached into by path: it stays a package.
  external: ["acme-client", "acme-client/*", "@aws-sdk/*", "tencentcloud-sdk-nodejs-dnspod"],
  // For the CommonJS packages among what is bundled.
  banner: {
    js: 'import { createRequire as dns01Require } from "node:module"; const require = dns01Require(import.meta.url);',
  },
  logLevel: "warning",
});
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
