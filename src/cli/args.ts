import { parseArgs } from "node:util";
import { parseDuration } from "../core/duration.ts";
import type { ConfigIssue } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import type { FlagSpec } from "./spec.ts";

export interface FlagValue {
  readonly values: readonly string[];
  /** "--ca", "DNS01_CA" or "default". */
  readonly source: string;
}

/** Parsed flags by name; what was given on the command line wins over the environment, that over the default. */
export interface Flags {
  readonly positionals: readonly string[];
  readonly given: ReadonlyMap<string, FlagValue>;
  text(name: string): string | undefined;
  list(name: string): readonly string[];
  on(name: string): boolean;
  /** Milliseconds. */
  duration(name: string): number | undefined;
  integer(name: string): number | undefined;
  source(name: string): string | undefined;
}

/** What base64url makes of a SHA-256. One in 64 begins with a hyphen: hooks hand it on as it is, and it is no option. */
const challengeValue = /^-[\w-]{42}$/;
/** Before such a value while the line is taken apart; no argument can hold it. */
const noOption = "\0";

/**
 * Reads a command line against its flags. Never throws: every fault is an issue, so that all can be told at once.
 * Unknown flags name the nearest known one.
 */
export function readFlags(
  args: readonly string[],
  specs: readonly FlagSpec[],
  env: Readonly<Record<string, string | undefined>>,
  /** Names somebody may take for a flag, and the environment name that is meant: secrets of the provider. */
  secrets: ReadonlyMap<string, string> = new Map(),
): { readonly flags: Flags; readonly issues: readonly ConfigIssue[] } {
  const issues: ConfigIssue[] = [];
  const known = new Map(specs.map((s) => [s.name, s]));
  const options: Record<string, { type: "boolean" | "string"; multiple: true; short?: string }> = Object.fromEntries(
    specs.map((s) => [
      s.name,
      {
        type: s.kind === "boolean" ? ("boolean" as const) : ("string" as const),
        multiple: true as const,
        ...(s.short === undefined ? {} : { short: s.short }),
      },
    ]),
  );
  // As options with a value, so that the value is not taken for an argument and shown.
  for (const name of secrets.keys()) options[name] ??= { type: "string", multiple: true };
  const marked = args.map((arg) =>
    challengeValue.test(arg) && options[arg.slice(2)] === undefined ? `${noOption}${arg}` : arg,
  );
  const { tokens } = parseArgs({ args: marked, options, strict: false, allowPositionals: true, tokens: true });
  const given = new Map<string, FlagValue>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value.replace(noOption, ""));
    if (token.kind !== "option") continue;
    const spec = known.get(token.name);
    const variable = spec === undefined ? secrets.get(token.name) : undefined;
    if (variable !== undefined) {
      const message = `is a secret, and argument lists are public: give it as ${variable} or ${variable}_FILE`;
      issues.push({ path: token.rawName, message });
      continue;
    }
    if (spec === undefined) {
      const near = nearest(token.name, [...known.keys()]);
      issues.push({
        path: token.rawName,
        message: `unknown option${near === undefined ? "" : `; did you mean --${near}?`}`,
      });
      continue;
    }
    if (spec.kind === "boolean") {
      if (token.value !== undefined) issues.push({ path: `--${spec.name}`, message: "takes no value" });
      given.set(spec.name, { values: ["true"], source: `--${spec.name}` });
      continue;
    }
    // "-d=x" is "-d x", as most programs read it; only Node hands the "=" on.
    const isShort = token.inlineValue === true && !token.rawName.startsWith("--");
    const text = token.value?.replace(noOption, "").replace(isShort ? /^=/ : "", "");
    if (text === undefined || (token.inlineValue !== true && /^--[a-z]/.test(text))) {
      issues.push({ path: `--${spec.name}`, message: `needs a value: --${spec.name} ${spec.value ?? "VALUE"}` });
      continue;
    }
    const before = given.get(spec.name)?.values ?? [];
    const parts = spec.repeatable === true ? text.split(",") : [text];
    if (spec.repeatable !== true && before.length > 0) {
      issues.push({ path: `--${spec.name}`, message: "is given twice" });
    }
    given.set(spec.name, { values: [...before, ...parts], source: `--${spec.name}` });
  }
  for (const spec of specs) fillFromEnvironment(spec, env, given, issues);
  for (const spec of specs) {
    const value = given.get(spec.name);
    if (value === undefined && spec.default !== undefined)
      given.set(spec.name, { values: [spec.default], source: "default" });
    for (const text of value?.values ?? []) issues.push(...faultsOf(spec, text, value?.source ?? ""));
  }
  return { flags: flagsOf(positionals, given), issues };
}

/** `--ca-root` is DNS01_CA_ROOT. */
export function environmentName(flag: string): string {
  return `DNS01_${flag.replaceAll("-", "_").toUpperCase()}`;
}

/** What a deploy hook is told of its certificate is no wish: a dns01 that the hook runs is about another one. */
const ofHook = ["DNS01_NAME", "DNS01_DIR"];

function fillFromEnvironment(
  spec: FlagSpec,
  env: Readonly<Record<string, string | undefined>>,
  given: Map<string, FlagValue>,
  issues: ConfigIssue[],
): void {
  const own = environmentName(spec.name);
  if (ofHook.includes(own) && env["DNS01_FULLCHAIN"] !== undefined) return;
  const name = (env[own] ?? "") === "" && spec.env !== undefined ? spec.env : own;
  const text = env[name];
  if (given.has(spec.name) || text === undefined || text === "" || spec.secretFile === true || spec.name === "help")
    return;
  if (spec.kind === "boolean") {
    if (/^(1|true|yes|on)$/i.test(text)) given.set(spec.name, { values: ["true"], source: name });
    else if (!/^(0|false|no|off)$/i.test(text))
      issues.push({ path: name, message: `"${text}" is neither true nor false` });
    return;
  }
  const values = spec.repeatable === true ? text.split(",").map((t) => t.trim()) : [text];
  given.set(spec.name, { values, source: name });
}

function faultsOf(spec: FlagSpec, text: string, source: string): readonly ConfigIssue[] {
  if (spec.kind === "duration" && parseDuration(text) === undefined) {
    return [{ path: source, message: `"${text}" is no duration; write 90s, 5m or 24h` }];
  }
  if (spec.kind === "integer" && !/^\d{1,9}$/.test(text))
    return [{ path: source, message: `"${text}" is no whole number` }];
  if (spec.choices !== undefined && !spec.choices.includes(text)) {
    const near = nearest(text, spec.choices);
    const hint =
      near === undefined ? `one of ${spec.choices.join(", ")}` : `did you mean "${near}"? (${spec.choices.join(", ")})`;
    return [{ path: source, message: `"${text}" is not known; ${hint}` }];
  }
  return text === "" ? [{ path: source, message: "is empty" }] : [];
}

export function flagsOf(positionals: readonly string[], given: ReadonlyMap<string, FlagValue>): Flags {
  const last = (name: string) => given.get(name)?.values.at(-1);
  return {
    positionals,
    given,
    text: last,
    list: (name) => given.get(name)?.values ?? [],
    on: (name) => last(name) === "true",
    duration: (name) => {
      const text = last(name);
      return text === undefined ? undefined : parseDuration(text);
    },
    integer: (name) => {
      const text = last(name);
      return text === undefined ? undefined : Number(text);
    },
    source: (name) => given.get(name)?.source,
  };
}
