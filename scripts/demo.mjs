// npm run demo
//
// From a fresh clone to a wildcard certificate: installs and builds what is missing, starts the sandbox (a CA and two
// nameservers on loopback) and issues from it for example.test and *.example.test. Needs nothing but Node and npm.
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, ensureInstalled, root } from "./prepare.mjs";

const main = join(root, JSON.parse(readFileSync(`${root}package.json`, "utf8")).bin.dns01);

ensureInstalled();
if (isOutdated()) {
  console.error("building");
  build();
}
const state = mkdtempSync(join(tmpdir(), "dns01-demo-"));
const issue = ["issue", "-d", "example.test", "-d", "*.example.test", "-p", "rfc2136", "--state", state];
// The second nameserver is a second behind the first, so that there is something to wait for.
const sandbox = ["sandbox", "--lag", "1s", "--", "dns01", ...issue];
console.error(`dns01 ${sandbox.map((a) => (a.includes("*") ? `'${a}'` : a)).join(" ")}\n`);
const status = await run(process.execPath, [main, ...sandbox], withoutSettings(process.env));
if (status === 0) {
  console.log(`\nAccount, certificate and key are in ${state}`);
  console.log(`  openssl x509 -noout -text -in ${join(state, "certificates/example.test/current/cert.pem")}`);
}
process.exitCode = status;

/** Whether anything that is compiled is newer than the program. */
function isOutdated() {
  const built = modifiedAt(main);
  const inputs = ["src", "providers", "package.json", "tsconfig.json", "scripts/build.mjs"];
  return built === undefined || inputs.some((name) => newest(`${root}${name}`) > built);
}

function newest(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}

function modifiedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}

/** What the caller has set for dns01 or rfc2136 elsewhere is not meant for the demonstration. */
function withoutSettings(env) {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(DNS01|RFC2136)_/.test(name)));
}

/** Runs on this terminal; signals are passed on, and the exit status comes back. */
function run(command, args, env) {
  return new Promise((resolve, reject) => {
    // In a folder of its own: a dns01.yaml lying around here is not meant either.
    const child = spawn(command, args, { env, cwd: state, stdio: "inherit" });
    const pass = (signal) => {
      // Ctrl-C on a terminal has reached the child as well.
      if (signal !== "SIGINT" || process.stdin.isTTY !== true) child.kill(signal);
    };
    process.on("SIGINT", pass).on("SIGTERM", pass);
    child.on("error", reject);
    child.on("close", (code, signal) => resolve(code ?? (signal === "SIGINT" ? 130 : 143)));
  });
}
