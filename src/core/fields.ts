import type { z } from "zod";
import { ConfigError, type ConfigIssue } from "./errors.ts";
import { createNaming } from "./naming.ts";
import { nearest } from "./nearest.ts";
import type { Provider } from "./provider.ts";
import type { Redactor } from "./redact.ts";
import { ruleIssues } from "./rules.ts";
import { type Field, fieldsOf, ttlField } from "./schema.ts";
import { unreadableSecret } from "./secret-file.ts";

export { type Field, fieldsOf } from "./schema.ts";

/**
 * Where a provider's settings come from. A flag wins over the configuration object, that over the environment: what is
 * written for one solver is meant for it, while a variable is there for every solver of the provider.
 */
export interface ConfigSources {
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Text of the file that a `_FILE` name or `{ file }` points to. */
  readonly readFile?: (path: string) => Promise<string>;
  /** By field name. */
  readonly flags?: Readonly<Record<string, string>>;
  /** From a configuration file or an Issuer; a value may also be `{ env: NAME }` or `{ file: PATH }`. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** What stands in front of a key of `config` in messages, "solvers[0].config"; or names the place of a path in it. */
  readonly configPath?: string | ((path: readonly string[]) => string);
  /** "refuse" demands `{ env }` or `{ file }` for secrets in `config`. Default "allow". */
  readonly inlineSecrets?: "allow" | "refuse";
  /** Is told every secret that was read. */
  readonly redactor?: Redactor;
  /** Default true. With false the provider's own variables are not read; `{ env: NAME }` still is. */
  readonly ambientEnv?: boolean;
  /** Is told of each variable that is set but does not count, because `config` says otherwise. */
  readonly onShadowed?: (variable: string, origin: string) => void;
}

export interface ResolvedConfig<S extends z.ZodObject> {
  readonly config: z.output<S>;
  /** Undefined when the user said nothing. */
  readonly ttlSeconds: number | undefined;
  /** Per field that was given: the flag, environment name or configuration key it came from. */
  readonly origins: Readonly<Record<string, string>>;
  /** Puts what this user gave, and where, in place of the documented variables in a hint. */
  readonly reword: (hint: string) => string;
}

/** A value as it was given, and where. */
interface Given {
  readonly value: unknown;
  readonly origin: string;
}

/**
 * Gathers a provider's settings and parses them by its schema. Text from flags and environment becomes a number or a
 * boolean only where the schema says so. Throws one ConfigError with every fault, each with its place.
 */
export async function resolveConfig<S extends z.ZodObject>(
  provider: Provider<S>,
  sources: ConfigSources,
): Promise<ResolvedConfig<S>> {
  const fields = fieldsOf(provider);
  const issues: ConfigIssue[] = unknownKeys(fields, sources);
  const given = new Map<string, Given>();
  for (const field of fields) {
    const found = await read(field, sources, issues);
    if (found === undefined) continue;
    if (field.secret && typeof found.value === "string") sources.redactor?.add(found.value.replace(/[\r\n]+$/, ""));
    given.set(field.name, { ...found, value: typed(field, found.value) });
  }

  const ttlSeconds = readTtl(given.get(ttlField), provider.traits.ttlSeconds.min, issues);
  const input = Object.fromEntries(
    [...given].filter(([name]) => name !== ttlField).map(([name, g]) => [name, g.value]),
  );
  const parsed = provider.config.safeParse(input);
  if (!parsed.success) {
    const all = [...parsed.error.issues, ...ruleIssues(provider.config, input, parsed.error)];
    issues.push(...schemaIssues(provider.id, all, fields, given, sources));
  }
  if (issues.length > 0 || !parsed.success) {
    const redact = sources.redactor?.redact ?? ((text: string) => text);
    throw new ConfigError(
      issues.map(({ path, message }) => ({ path, message: redact(message) })),
      { provider: provider.id, hint: `dns01 providers ${provider.id} shows every field.` },
    );
  }
  const origins = Object.fromEntries([...given].map(([name, { origin }]) => [name, origin]));
  const unset = readsVariables(sources) ? undefined : (name: string) => at(sources.configPath, name);
  return { config: parsed.data, ttlSeconds, origins, reword: createNaming(fields, origins, unset) };
}

/** The library and an Issuer's author give a configuration and nothing else. */
function readsVariables({ env, ambientEnv }: ConfigSources): boolean {
  return env !== undefined && ambientEnv !== false;
}

function unknownKeys(fields: readonly Field[], { config = {}, configPath }: ConfigSources): ConfigIssue[] {
  const known = fields.flatMap(({ name, aliases }) => [name, ...aliases]);
  return Object.keys(config)
    .filter((key) => !known.includes(key))
    .map((key) => ({ path: at(configPath, key), message: `is not a field of this provider; ${meant(key, known)}` }));
}

function meant(key: string, known: readonly string[]): string {
  const near = nearest(key, known);
  return near === undefined ? `known are ${known.join(", ")}` : `did you mean ${near}?`;
}

/** The first source that says something. Faults of the others are reported too: they are mistakes all the same. */
async function read(field: Field, sources: ConfigSources, issues: ConfigIssue[]): Promise<Given | undefined> {
  const flag = sources.flags?.[field.name];
  const fromEnv = sources.ambientEnv === false ? undefined : await readEnv(field, sources, issues);
  const fromConfig = await readConfig(field, sources, issues);
  if (flag !== undefined && field.flag !== undefined) return { value: flag, origin: field.flag };
  if (fromEnv !== undefined && fromConfig !== undefined) sources.onShadowed?.(fromEnv.origin, fromConfig.origin);
  return fromConfig ?? fromEnv;
}

async function readEnv(
  field: Field,
  { env = {}, readFile }: ConfigSources,
  issues: ConfigIssue[],
): Promise<Given | undefined> {
  let found: Given | undefined;
  for (const name of field.env) {
    const file = env[`${name}_FILE`] || undefined;
    // An empty variable is as good as none, but for a secret it is a mistake worth telling.
    const direct = env[name] === "" && !field.secret ? undefined : env[name];
    if (direct !== undefined && file !== undefined) {
      issues.push({ path: name, message: `is set together with ${name}_FILE: give one of them` });
    }
    if (found !== undefined) continue;
    if (direct !== undefined) found = { value: direct, origin: name };
    else if (file !== undefined) found = await readText(file, `${name}_FILE`, readFile, issues);
  }
  return found;
}

async function readConfig(field: Field, sources: ConfigSources, issues: ConfigIssue[]): Promise<Given | undefined> {
  const { config = {}, configPath, env = {}, readFile } = sources;
  const keys = [field.name, ...field.aliases].filter((key) => config[key] !== undefined && config[key] !== null);
  const [key, second] = keys;
  if (key === undefined) return undefined;
  const origin = at(configPath, key);
  if (second !== undefined)
    issues.push({ path: at(configPath, second), message: `means the same as ${key}: give one of them` });
  const value = config[key];
  if (typeof value !== "object") {
    if (!field.secret || sources.inlineSecrets !== "refuse") return { value, origin };
    issues.push({ path: origin, message: "is a secret and has to be { env: NAME } or { file: PATH }" });
    return { value, origin };
  }
  const { env: name, file, ...rest } = value as { readonly env?: unknown; readonly file?: unknown };
  if (Object.keys(rest).length === 0 && typeof name === "string" && file === undefined) {
    const text = env[name];
    if (text === undefined)
      issues.push({ path: origin, message: `the environment variable ${shownVariable(name)} is not set` });
    return { value: text ?? missing, origin };
  }
  if (Object.keys(rest).length === 0 && typeof file === "string" && name === undefined) {
    return readText(file, origin, readFile, issues);
  }
  issues.push(...referenceFaults(value ?? {}, key, configPath));
  return { value: missing, origin };
}

/** A secret is easily written where the name of its variable belongs: what does not look like a name is not repeated. */
export function shownVariable(name: string): string {
  return /^[A-Z][A-Z0-9_]*$/.test(name) || name.length < 16 ? name : "that is named here";
}

/** What is wrong with a value that is neither plain nor a reference: a key misspelt, or both keys at once. */
function referenceFaults(value: object, key: string, configPath: ConfigSources["configPath"]): readonly ConfigIssue[] {
  const named = ["env", "file"];
  const unknown = Object.keys(value).filter((inner) => !named.includes(inner) && nearest(inner, named) !== undefined);
  if (unknown.length === 0) {
    return [{ path: at(configPath, key), message: "has to be a plain value, { env: NAME } or { file: PATH }" }];
  }
  return unknown.map((inner) => ({
    path: at(configPath, key, inner),
    message: `unknown key ${inner}; ${meant(inner, named)}`,
  }));
}

/** Stands for a value whose fault is already among the issues, so that it is not reported twice. */
const missing = Symbol("missing");

async function readText(
  path: string,
  origin: string,
  readFile: ConfigSources["readFile"],
  issues: ConfigIssue[],
): Promise<Given> {
  try {
    if (readFile === undefined) throw new Error("no files can be read here");
    // Editors end every file with a line end that nobody means.
    return { value: (await readFile(path)).replace(/[\r\n]+$/, ""), origin };
  } catch (error) {
    issues.push({ path: origin, message: unreadableSecret(path, error) });
    return { value: missing, origin };
  }
}

/** Text to what the schema wants; what does not look like it is left for the schema to refuse. */
function typed({ type }: Field, value: unknown): unknown {
  if (typeof value !== "string" || type === "string") return value;
  const text = value.trim();
  if (type === "boolean") {
    if (/^(true|yes|on|1)$/i.test(text)) return true;
    return /^(false|no|off|0)$/i.test(text) ? false : value;
  }
  return /^[+-]?\d+(\.\d+)?$/.test(text) ? Number(text) : value;
}

/** One that is too low for the service is raised to its minimum; 0 is left to those that take it. */
function readTtl(given: Given | undefined, min: number, issues: ConfigIssue[]): number | undefined {
  if (given === undefined || given.value === missing) return undefined;
  const { value, origin } = given;
  // RFC 2181 §8: 31 bits.
  const least = Math.min(1, min);
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value < 2 ** 31) return value;
  issues.push({ path: origin, message: `has to be a whole number of seconds, at least ${least} (without a unit)` });
  return undefined;
}

/** zod's issues at the place where each value came from; what was never given is named with all its names. */
function schemaIssues(
  id: string,
  found: readonly z.core.$ZodIssue[],
  fields: readonly Field[],
  given: ReadonlyMap<string, Given>,
  sources: ConfigSources,
): readonly ConfigIssue[] {
  const { configPath } = sources;
  const isRead = readsVariables(sources);
  return found.flatMap((issue): readonly ConfigIssue[] => {
    const field = fields.find(({ name }) => name === issue.path[0]);
    const origin = field && given.get(field.name)?.origin;
    if (field === undefined) return [{ path: id, message: issue.message }];
    if (origin === undefined) {
      // In a file it is missed where it would stand.
      const inPlace = typeof configPath === "function" || !isRead;
      const path = inPlace ? at(configPath, field.name) : (field.env[0] ?? field.name);
      return [{ path, message: howToGive(field, issue.message, isRead) }];
    }
    if (given.get(field.name)?.value === missing) return [];
    return [{ path: origin, message: lowerFirst(issue.message) }];
  });
}

function howToGive(field: Field, message: string, isRead: boolean): string {
  const missingByRule = /^is missing\b/i.test(message);
  // Any other rule over several fields (exactly one of two, for example) says all there is to say.
  if (!field.required && !missingByRule) return lowerFirst(message);
  const names = field.env.flatMap((name) => [name, `${name}_FILE`]);
  const ways = [...(field.flag === undefined ? [] : [field.flag]), ...names, `${field.name} in the configuration`];
  const what = missingByRule ? lowerFirst(message) : `is missing (${field.description})`;
  if (!isRead) return what;
  return `${what}; give it as ${ways.join(", ")}`;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function at(path: ConfigSources["configPath"], ...keys: readonly string[]): string {
  if (typeof path === "function") return path(keys);
  return path === undefined || path === "" ? keys.join(".") : [path, ...keys].join(".");
}
