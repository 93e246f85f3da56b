// npm test [-- FILTER… | vitest options]
//
// Everything, from a fresh clone on: dependencies, Debian packages for the tests against real servers (where that is
// allowed), the build, lint, types, dead code, all tests. With arguments, only the build and the tests they name.
// The last line is "N passed, N failed", with ", N skipped" where some could not run.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensurePackages } from "./debian.mjs";
import { build, ensureInstalled, root } from "./prepare.mjs";

const started = Date.now();
/** Long enough for a slow machine; a suite that hangs must not hang whoever waits for it. */
const limitMs = 14.5 * 60_000;
const filters = process.argv.slice(2);
const isCi = process.env.CI !== undefined && !["", "0", "false"].includes(process.env.CI);
const bin = (path) => [process.execPath, `${root}node_modules/${path}`];
/** What may differ between versions of Node: sockets, TLS, crypto, files, processes. Adapters are tried on one Node. */
const onBoth = ["core", "dns", "acme", "store", "cli", "config", "issuer", "sandbox", "webhook", "kubernetes"];
const totals = { passed: 0, failed: 0, skipped: 0 };
const failures = [];
const unsteady = [];
const scratch = mkdtempSync(join(tmpdir(), "dns01-test-"));

try {
  await main();
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
if (totals.passed === 0 && totals.failed === 0) fail("no test ran");
if (unsteady.length > 0) console.log(`\nPassed only at the second try:\n${unsteady.map((u) => `  ${u}`).join("\n")}`);
if (failures.length > 0) console.log(`\nFailed:\n${failures.map((f) => `  ${f}`).join("\n")}`);
console.log(`\n${Math.round((Date.now() - started) / 1000)} s`);
console.log(
  `${totals.passed} passed, ${totals.failed} failed${totals.skipped > 0 ? `, ${totals.skipped} skipped` : ""}`,
);
process.exitCode = totals.failed > 0 ? 1 : 0;

async function main() {
  ensureInstalled();
  if (filters.length === 0) {
    const { missing, reason } = ensurePackages();
    if (missing.length > 0) {
      const text = `Debian packages are missing: ${missing.join(" ")} (${reason})`;
      if (isCi) fail(text);
      else console.log(`${text}; the tests that need them are skipped.`);
    }
  }
  await check("build", async () => build());
  if (filters.length === 0) {
    await check("lint", () => run("biome check", bin("@biomejs/biome/bin/biome"), ["check", "--error-on-warnings"]));
    await check("types", () => run("tsc --noEmit", bin("typescript/bin/tsc"), ["--noEmit"]));
    await check("docs", () => run("scripts/docs.mjs", [process.execPath], [`${root}scripts/docs.mjs`, "--check"]));
    await check("dead code", () => run("knip", bin("knip/bin/knip.js"), []));
  }
  await vitest("", bin("vitest/vitest.mjs"), filters);
  if (isCi && filters.length === 0) await onAnotherNode();
}

/** Unit tests once more on the Node that most people run. A registry that cannot be reached is no failure of ours. */
async function onAnotherNode() {
  if (Date.now() - started > limitMs - 5.5 * 60_000) {
    console.log("\nNo time is left for the unit tests on Node 24.");
    return;
  }
  const npx = ["npx", "--yes", "-p", "node@24", "node"];
  const probe = spawnSync(npx[0], [...npx.slice(1), "--version"], { cwd: root, encoding: "utf8", timeout: 60_000 });
  const version = probe.stdout?.trim() ?? "";
  if (!version.startsWith("v24.")) {
    console.log("\nNode 24 could not be fetched: the unit tests ran on this Node only.");
    return;
  }
  console.log(`\nUnit tests on Node ${version}`);
  await vitest(
    `Node ${version}: `,
    [...npx, `${root}node_modules/vitest/vitest.mjs`],
    ["--project", "unit", ...onBoth.map((folder) => `test/${folder}/`)],
  );
}

async function check(name, work) {
  console.log(`\n${name}`);
  try {
    await work();
    totals.passed += 1;
  } catch (error) {
    fail(`${name}: ${error instanceof Error ? error.message : error}`);
  }
}

function fail(text) {
  totals.failed += 1;
  failures.push(text);
}

/** Runs vitest and counts: cases, files that could not be loaded, and what went wrong outside of any case. */
async function vitest(label, command, args) {
  const report = join(scratch, `report-${totals.passed}.json`);
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  console.log(`\n${label}tests`);
  const fault = await run("vitest", command, ["run", ...reporters, ...args]).then(
    () => undefined,
    (error) => error.message,
  );
  const before = totals.failed;
  for (const file of readReport(report)) {
    const cases = file.assertionResults;
    for (const one of cases) {
      const said = `${label}${shorten(file.name)}: ${one.fullName}${firstLine(one.failureMessages?.[0])}`;
      if (one.status === "passed") totals.passed += 1;
      if (one.status === "passed" && one.failureMessages?.length > 0) unsteady.push(said);
      else if (one.status === "failed") fail(said);
      else if (one.status !== "passed") totals.skipped += 1;
    }
    if (file.status === "failed" && cases.every((one) => one.status !== "failed")) {
      fail(`${label}${shorten(file.name)}: ${file.message.split("\n")[0] || "the file could not be run"}`);
    }
  }
  if (fault !== undefined && totals.failed === before) fail(`${label}${fault}`);
}

/** What went wrong, for the last lines: they are all that is left of a long log. */
function firstLine(message = "") {
  const line = message.split("\n")[0];
  return line === "" ? "" : `\n      ${line.slice(0, 500)}`;
}

function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8")).testResults;
  } catch {
    return [];
  }
}

function shorten(path) {
  return path.startsWith(root) ? path.slice(root.length) : path;
}

/** Passes everything through; throws when it fails or takes longer than there is time. */
function run(name, [command, ...first], args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...first, ...args], { cwd: root, stdio: ["ignore", 1, 2], detached: true });
    let isLate = false;
    // The whole group: test workers and the servers they started would stay behind.
    const end = (signal) => {
      try {
        process.kill(-child.pid, signal);
      } catch {
        child.kill(signal);
      }
    };
    const timers = [];
    timers.push(
      setTimeout(
        () => {
          isLate = true;
          end("SIGTERM");
          timers.push(setTimeout(() => end("SIGKILL"), 10_000));
        },
        Math.max(1000, limitMs - (Date.now() - started)),
      ),
    );
    const stop = (signal) => {
      end("SIGTERM");
      rmSync(scratch, { recursive: true, force: true });
      process.exit(signal === "SIGINT" ? 130 : 143);
    };
    process.on("SIGINT", stop).on("SIGTERM", stop);
    const settle = () => {
      for (const timer of timers) clearTimeout(timer);
      process.off("SIGINT", stop).off("SIGTERM", stop);
    };
    child.on("error", (error) => {
      settle();
      reject(new Error(`${name} could not be started: ${error.message}`));
    });
    child.on("close", (code, signal) => {
      settle();
      if (isLate) reject(new Error(`${name} was stopped after ${limitMs / 60_000} minutes in all`));
      else if (code === 0) resolve();
      else reject(new Error(`${name} ended with ${signal ?? `exit status ${code}`}`));
    });
  });
}
