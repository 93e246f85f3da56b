import { ConfigError, type ConfigIssue } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import { type ConfigSources, fieldsOf, resolveConfig } from "../core/fields.ts";
import type { Provider } from "../core/provider.ts";
import { readableByOthers, readLimited, secretLimit } from "../store/files.ts";
import type { LoadedConfig } from "./load.ts";
import type { Sources } from "./settings.ts";

/** A provider and its checked configuration, not yet connected. */
export interface ChosenProvider {
  readonly provider: Provider;
  readonly config: Awaited<ReturnType<typeof resolveConfig>>;
}

/** What a solver says of its provider's fields, and where each stands. */
export interface OwnConfig {
  readonly values: Readonly<Record<string, unknown>>;
  readonly placeOf: (keys: readonly string[]) => string;
}

/** A provider by id or alias with its fields, from flags, the solver's own words and the environment. Faults are returned. */
export async function readProvider(
  id: string,
  path: string,
  sources: Sources,
  own: OwnConfig | undefined,
): Promise<{ readonly chosen: ChosenProvider | undefined; readonly issues: readonly ConfigIssue[] }> {
  try {
    const provider = await sources.registry.load(id);
    const config = await resolveFields(provider, sources, own);
    return { chosen: { provider, config }, issues: [] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { chosen: undefined, issues: error.issues.map((i) => (i.path === "--provider" ? { ...i, path } : i)) };
  }
}

async function resolveFields(provider: Provider, sources: Sources, own: OwnConfig | undefined) {
  const { flags, env, redactor, config: file, observer, filesRead } = sources;
  const byFlag = Object.fromEntries(
    fieldsOf(provider).flatMap((field) => {
      const name = field.flag?.replace(/^--/, "");
      const value = name === undefined ? undefined : flags.given.get(name);
      return value === undefined ? [] : [[field.name, value.values.at(-1) ?? ""]];
    }),
  );
  const debug = (text: string) => observer({ type: "log", level: "debug", text });
  const common: ConfigSources = {
    env,
    readFile: onceEach((name) => {
      filesRead?.add(name);
      return readSecretFile(name, observer);
    }),
    flags: byFlag,
    redactor,
    onShadowed: (variable, origin) => debug(`${variable} is set, but ${origin} counts`),
  };
  if (own === undefined) return await resolveConfig(provider, common);
  const ofSolver: ConfigSources = {
    ...common,
    config: Object.fromEntries(Object.entries(own.values).map(([key, value]) => [key, fromFolder(value, file)])),
    configPath: own.placeOf,
    inlineSecrets: flags.on("allow-inline-secrets") ? "allow" : "refuse",
  };
  try {
    return await resolveConfig(provider, ofSolver);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // A solver that is whole by itself is not spoilt by variables that are there for another one.
    const alone = await resolveConfig(provider, { ...ofSolver, ambientEnv: false }).catch(() => undefined);
    if (alone === undefined) throw error;
    debug(`${own.placeOf([])}: variables of ${provider.id} do not go with it and are left out: ${error.message}`);
    return alone;
  }
}

/** The fields may be gone through twice; what is said of a file is said once. */
function onceEach(read: (path: string) => Promise<string>): (path: string) => Promise<string> {
  const texts = new Map<string, Promise<string>>();
  return (path) => {
    const text = texts.get(path) ?? read(path);
    texts.set(path, text);
    return text;
  };
}

/** Files in the file are meant from its own folder. */
function fromFolder(value: unknown, { resolve }: LoadedConfig): unknown {
  if (typeof value !== "object" || value === null || !("file" in value) || typeof value.file !== "string") return value;
  return { ...value, file: value.file === "" ? "" : resolve(value.file) };
}

/** Reads a credential's file, and says so when other users of the machine could as well. */
export async function readSecretFile(path: string, observer: Observer): Promise<string> {
  const text = (await readLimited(path, secretLimit)).toString("utf8");
  await warnOfReaders(path, observer);
  return text;
}

/** Says so when a file with a secret can be read by every user of the machine. */
export async function warnOfReaders(path: string, observer: Observer): Promise<void> {
  const warning = await readableByOthers(path);
  if (warning !== undefined) observer({ type: "warning", code: "W_FILE_MODE", text: warning });
}
