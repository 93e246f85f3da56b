#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { tolerateClosedOutput } from "./closed-output.ts";
import type { Command } from "./command.ts";
import { docsFile } from "./docs-anchor.ts";
import { commandHelp, generalHelp, groupHelp } from "./help.ts";
import { type CommandSpec, commands, globalFlags } from "./spec.ts";

/** Loaded only when the command runs: `--help` and `--version` stay as fast as Node itself. */
const loaders: Readonly<Record<string, () => Promise<{ readonly command: Command }>>> = {
  issue: () => import("./issue.ts"),
  renew: () => import("./renew.ts"),
  run: () => import("./run-daemon.ts"),
  list: () => import("./list.ts"),
  show: () => import("./show.ts"),
  revoke: () => import("./revoke.ts"),
  delete: () => import("./delete.ts"),
  "account show": () => import("./account-show.ts"),
  "account rollover": () => import("./account-rollover.ts"),
  "account deactivate": () => import("./account-deactivate.ts"),
  present: () => import("./present.ts"),
  cleanup: () => import("./cleanup.ts"),
  check: () => import("./check.ts"),
  providers: () => import("./providers.ts"),
  "config check": () => import("./config-check.ts"),
  "config schema": () => import("./config-schema.ts"),
  "plugin new": () => import("./plugin-new.ts"),
  "plugin test": () => import("./plugin-test.ts"),
  webhook: () => import("./webhook.ts"),
  "webhook check": () => import("./webhook-check.ts"),
  "webhook validate": () => import("./webhook-validate.ts"),
  sandbox: () => import("./sandbox.ts"),
};

tolerateClosedOutput();

const home = new URL("..", import.meta.url);
const argv = process.argv.slice(2);
// What a sandbox runs after "--" is not ours to read.
const end = argv.indexOf("--");
const own = end === -1 ? argv : argv.slice(0, end);
const words = commandWords(own);
const isHelp = words[0]?.text === "help";
const asked = isHelp ? words.slice(1) : words;
const spec = specOf(asked.map(({ text }) => text));
const name = words[0]?.text;

const isVersion =
  (name === undefined && own.some((arg) => ["--version", "-V", "-v"].includes(arg))) ||
  (spec !== undefined && own.includes("--version")) ||
  (name === "version" && words.length === 1);

if (isVersion) {
  const found = version();
  process.stdout.write(own.includes("--json") ? `${JSON.stringify({ version: found }, undefined, 2)}\n` : `${found}\n`);
} else if (name === undefined && (own.length === 0 || own.includes("--help") || own.includes("-h"))) {
  process.stdout.write(generalHelp(docsFile("cli.md", home)));
  if (own.length === 0) process.exitCode = 2;
} else if (spec === undefined && (isHelp || own.includes("--help") || own.includes("-h")) && isGroup(asked[0]?.text)) {
  process.stdout.write(groupHelp(asked[0]?.text ?? ""));
} else if (isHelp && asked.length === 0) {
  process.stdout.write(generalHelp(docsFile("cli.md", home)));
} else if (spec !== undefined && (isHelp || own.includes("--help") || own.includes("-h"))) {
  process.stdout.write(commandHelp(spec));
} else {
  const { runCommand } = await import("./run.ts");
  const taken = words.slice(0, spec === undefined ? 1 : spec.name.split(" ").length).map(({ at }) => at);
  const args = argv.filter((_, at) => !taken.includes(at));
  const given =
    isGroup(name) && spec === undefined
      ? asked
          .slice(0, 2)
          .map(({ text }) => text)
          .join(" ")
      : (isHelp ? asked : words)[0]?.text;
  process.exitCode = await runCommand({
    name: given,
    spec,
    load: loaders[spec?.name ?? ""],
    args,
    version: version(),
    home,
  });
}

interface Word {
  readonly text: string;
  readonly at: number;
}

/** Words that are neither an option nor an option's value: options may stand before the command. */
function commandWords(args: readonly string[]): readonly Word[] {
  const flags = [...globalFlags, ...commands.flatMap((c) => c.flags)];
  const found: Word[] = [];
  for (let at = 0; at < args.length; at++) {
    const text = args[at] ?? "";
    if (!text.startsWith("-")) {
      found.push({ text, at });
      continue;
    }
    const meant = flags.filter((f) => text === `--${f.name}` || text === `-${f.short}`);
    if (meant.length > 0 && meant.every((f) => f.kind !== "boolean")) at++;
  }
  return found;
}

/** Commands of two words go first: "plugin new". */
function specOf([first = "", second]: readonly string[]): CommandSpec | undefined {
  return commands.find((c) => c.name === `${first} ${second}`) ?? commands.find((c) => c.name === first);
}

function isGroup(word: string | undefined): boolean {
  return word !== undefined && commands.some((c) => c.name.startsWith(`${word} `));
}

/** From package.json, two folders up from dist/cli as from src/cli. */
function version(): string {
  const parsed: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return typeof parsed === "object" && parsed !== null && "version" in parsed ? String(parsed.version) : "unknown";
}
