// What a fresh clone needs before anything else works: dependencies and the compiled program. Node alone is enough.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** Runs `npm ci` unless node_modules holds exactly what package-lock.json asks for. */
export function ensureInstalled() {
  const reason = whyInstall();
  if (reason === undefined) return;
  console.error(`npm ci (${reason})`);
  // npm's own path when started by npm; on Windows a bare "npm" is a script that only a shell can run.
  const npm = process.env.npm_execpath?.endsWith(".js") ? process.env.npm_execpath : undefined;
  const args = ["ci", "--no-audit", "--no-fund"];
  const result =
    npm === undefined
      ? spawnSync("npm", args, { cwd: root, stdio: ["ignore", 2, "inherit"], shell: process.platform === "win32" })
      : spawnSync(process.execPath, [npm, ...args], { cwd: root, stdio: ["ignore", 2, "inherit"] });
  if (result.status !== 0) throw new Error("npm ci failed");
}

/** Compiles to dist/. */
export function build() {
  const result = spawnSync(process.execPath, [`${root}scripts/build.mjs`], {
    cwd: root,
    stdio: ["ignore", 2, "inherit"],
  });
  if (result.status !== 0) throw new Error("the build failed");
}

function whyInstall() {
  const wanted = lock(`${root}package-lock.json`);
  const found = lock(`${root}node_modules/.package-lock.json`);
  if (found === undefined) return "nothing is installed";
  if (wanted === undefined) return undefined;
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "" || (found[path] === undefined && entry.optional === true)) continue;
    if (found[path]?.version !== entry.version) return `${path.replace(/^.*node_modules\//, "")} has changed`;
  }
  return undefined;
}

function lock(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8")).packages;
  } catch {
    return undefined;
  }
}
