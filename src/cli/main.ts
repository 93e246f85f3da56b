#!/usr/bin/env node
import { readFileSync } from "node:fs";
import type { Command } from "./command.ts";
import { commandHelp, generalHelp } from "./help.ts";
import { commands, globalFlags } from "./spec.ts";

/** Loaded only when the command runs: `--help` and `--version` stay as fast as Node itself. */
const loaders: Readonly<Record<string, () => Promise<{ readonly command: Command }>>> = {
  issue: () => import("./issue.ts"),
  list: () => import("./list.ts"),
  show: () => import("./show.ts"),
  present: () => import("./present.ts"),
  cleanup: () => import("./cleanup.ts"),
  check: () => import("./check.ts"),
  providers: () => import("./providers.ts"),
  sandbox: () => import("./sandbox.ts"),
};

const argv = process.argv.slice(2);
// What a sandbox runs after "--" is not ours to read.
const end = argv.indexOf("--");
const own = end === -1 ? argv : argv.slice(0, end);
const name = commandName(own);

if (name === undefined && own.includes("--version")) {
  process.stdout.write(`${version()}\n`);
} else if (name === undefined && (own.length === 0 || own.includes("--help") || own.includes("-h"))) {
  process.stdout.write(generalHelp());
  if (own.length === 0) process.exitCode = 2;
} else {
  const spec = commands.find((c) => c.name === (name === "help" ? own[own.indexOf("help") + 1] : name));
  const load = loaders[spec?.name ?? ""];
  if (name === "help" && spec === undefined) process.stdout.write(generalHelp());
  else if (spec !== undefined && (name === "help" || own.includes("--help") || own.includes("-h"))) {
    process.stdout.write(commandHelp(spec));
  } else {
    const { runCommand } = await import("./run.ts");
    const at = name === undefined ? -1 : argv.indexOf(name);
    const args = at === -1 ? argv : [...argv.slice(0, at), ...argv.slice(at + 1)];
    process.exitCode = await runCommand({ name, spec, load, args, version: version() });
  }
}

/** The first word that is neither an option nor the value of a global option (they may stand before the command). */
function commandName(args: readonly string[]): string | undefined {
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? "";
    if (!arg.startsWith("-")) return arg;
    const flag = globalFlags.find((f) => arg === `--${f.name}` || arg === `-${f.short}`);
    if (flag !== undefined && flag.kind !== "boolean") i++;
  }
  return undefined;
}

/** From package.json, two folders up from dist/cli as from src/cli. */
function version(): string {
  const parsed: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return typeof parsed === "object" && parsed !== null && "version" in parsed ? String(parsed.version) : "unknown";
}
