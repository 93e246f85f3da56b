import type { Field } from "../core/fields.ts";
import { isSurelyPath } from "../core/secret-file.ts";
import { environmentName, type Flags } from "./args.ts";
import type { ProviderFlags } from "./provider-flags.ts";
import type { FlagSpec } from "./spec.ts";
import { defaultStateDir } from "./state.ts";

/** One line: a setting with what it is and where that comes from. */
export interface Shown {
  readonly name: string;
  readonly value: string | undefined;
  /** "--ca", "DNS01_CA", "default"; undefined when nothing gives it. */
  readonly source: string | undefined;
  /** What would give it. */
  readonly ways: readonly string[];
}

export const masked = "***";

/**
 * Commands refuse addresses with a login in them, because they would be printed; so they are not printed here. Of a web
 * address one slash or none is enough for the URL parser, and the backslash is one.
 */
const login = /(https?:[/\\]*|[a-z][a-z0-9+.-]*:\/\/)[^/\\?#\s,]*@/gi;

/** Every value with its source, secrets masked; a table, or one document with `--json`. `more` is what only the file has. */
export function showConfig(
  flags: Flags,
  specs: readonly FlagSpec[],
  { provider, fields }: Pick<ProviderFlags, "provider" | "fields">,
  env: Readonly<Record<string, string | undefined>>,
  more: readonly Shown[] = [],
): string {
  const ofProvider = new Set(fields.flatMap((f) => (f.flag === undefined ? [] : [f.flag.replace(/^--/, "")])));
  const shown = [
    ...specs
      .filter((s) => !["help", "show-config"].includes(s.name) && !ofProvider.has(s.name))
      .map((s) => ofFlag(flags, s, env)),
    ...fields.map((field) => ofField(flags, provider, field, env)),
    ...more,
  ].map((one) => ({ ...one, value: one.value?.replace(login, `$1${masked}@`) }));
  if (flags.on("json")) {
    const settings = shown.map(({ name, value, source }) => ({ name, value: value ?? null, source: source ?? null }));
    return `${JSON.stringify({ settings }, undefined, 2)}\n`;
  }
  const rows = shown.map((s) => [s.name, s.value ?? "", s.source ?? `unset (${s.ways.join(", ")})`] as const);
  const width = (i: 0 | 1) => Math.min(48, Math.max(...rows.map((r) => r[i].length)));
  return `${rows.map((r) => `${r[0].padEnd(width(0))}  ${r[1].padEnd(width(1))}  ${r[2]}`.trimEnd()).join("\n")}\n`;
}

function ofFlag(flags: Flags, spec: FlagSpec, env: Readonly<Record<string, string | undefined>>): Shown {
  const given = flags.given.get(spec.name);
  const variable = environmentName(spec.name);
  // The variable holds the secret itself and not a path, so that it never becomes a value of the flag.
  const held = spec.secretFile === true ? [variable, `${variable}_FILE`] : [];
  const source = given?.source ?? held.find((name) => (env[name] ?? "") !== "");
  if (spec.name === "state" && given === undefined) {
    return { name: spec.name, value: defaultStateDir(env), source: "default", ways: [] };
  }
  const value = spec.secretFile === true && source !== undefined ? masked : given?.values.join(",");
  return { name: spec.name, value, source, ways: [`--${spec.name}`, variable] };
}

/**
 * As resolveConfig reads it: the flag before the environment, that before the default. Named with its provider: a field
 * may be called as a flag is, rfc2136's `nameserver` as `--nameserver`.
 */
function ofField(
  flags: Flags,
  provider: string,
  field: Field,
  env: Readonly<Record<string, string | undefined>>,
): Shown {
  const flag = field.flag?.replace(/^--/, "");
  const given = flag === undefined ? undefined : flags.given.get(flag);
  const variable = field.env.flatMap((name) => [name, `${name}_FILE`]).find((name) => (env[name] ?? "") !== "");
  const usual = field.default === undefined ? undefined : String(field.default);
  const plain = given?.values.at(-1) ?? (variable === undefined ? usual : env[variable]);
  const isFile = variable?.endsWith("_FILE") === true && isSurelyPath(plain ?? "");
  const source = given?.source ?? variable ?? (usual === undefined ? undefined : "default");
  return {
    name: `${provider}.${field.name}`,
    value: field.secret && plain !== undefined && !isFile ? masked : plain,
    source,
    ways: [...(field.flag === undefined ? [] : [field.flag]), ...field.env],
  };
}
