import { createHash } from "node:crypto";
import { homedir, platform } from "node:os";
import { dirname, join, resolve } from "node:path";
import { ConfigError, type ConfigIssue } from "../core/errors.ts";
import { reasonText } from "../core/thrown.ts";
import { configLimit, readLimited } from "../store/files.ts";
import { inOrder, type Path, parseYaml, pathText } from "./document.ts";
import type { ConfigFile } from "./schema.ts";
import { foreignHand } from "./trust.ts";

export interface LoadedConfig {
  /** Absent when no file was named and none stands in the usual places. */
  readonly file?: string;
  /** The file was found in a usual place and not named: what it refers to as code must be safe from other users. */
  readonly isFound?: true;
  /** As much of it as is sound. */
  readonly config: ConfigFile;
  /** What is wrong with the file by itself; with any of these nothing may be called. */
  readonly issues: readonly ConfigIssue[];
  /** "dns01.yaml:12 solvers[0].provider": where in the file a path stands. */
  readonly place: (path: Path) => string;
  /** Of the bytes that were read, see watch.ts. */
  readonly digest?: string;
  /** Paths in the file are meant from the folder it stands in. */
  readonly resolve: (path: string) => string;
}

/** What holds without a file. */
export const emptyConfig: LoadedConfig = { config: {}, issues: [], place: pathText, resolve: (path) => path };

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Reads `--config`, else dns01.yaml in the working directory, else in the configuration folder. Faults are returned, but
 * a file that was not named and that another user could have written throws ConfigError: it may name code to run.
 */
export async function loadConfig(named: string | undefined, env: Env): Promise<LoadedConfig> {
  for (const file of named === undefined ? usualPlaces(env) : [named]) {
    try {
      if (named !== undefined) return await parseConfig(file, await readLimited(file, configLimit));
      await requireOwn(file, file, file);
      return { ...(await parseConfig(file, await readLimited(file, configLimit))), isFound: true };
    } catch (error) {
      if (error instanceof ConfigError) throw error;
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      const absent = code === "ENOENT" || code === "ENOTDIR";
      if (absent && named === undefined) continue;
      const message = absent ? `${file} does not exist` : `cannot read ${file}: ${reasonText(error)}`;
      return { ...emptyConfig, issues: [{ path: "--config", message }] };
    }
  }
  return emptyConfig;
}

/** Throws ConfigError when another user could change `path`, which the file found in a usual place names at `place`. */
export async function requireOwn(path: string, place: string, file: string): Promise<void> {
  const reason = await foreignHand(path);
  if (reason === undefined) return;
  const message = `is not used unless you name it, because another user could have changed it: ${reason}`;
  throw new ConfigError([{ path: place, message }], {
    hint: `Read ${file} and the plugins it names. If you trust them, give --config ${file}.`,
  });
}

/** Parses the bytes of one file; every fault at once, each with its line, and what is sound besides. */
export async function parseConfig(file: string, bytes: Uint8Array): Promise<LoadedConfig> {
  const { value = {}, issues, place } = await parseYaml(file, bytes);
  const folder = dirname(resolve(file));
  const loaded = { file, place, digest: digestOf(bytes), resolve: (path: string) => resolve(folder, path) };
  if (issues.length > 0) return { ...loaded, config: {}, issues };
  const [{ configSchema }, { faultsOf, without }] = await Promise.all([import("./schema.ts"), import("./faults.ts")]);
  const parsed = configSchema.safeParse(value);
  if (parsed.success) return { ...loaded, config: parsed.data, issues };
  const faults = faultsOf(configSchema, parsed.error, value, place);
  const sound = without(
    value,
    faults.map(({ at }) => at),
  );
  return {
    ...loaded,
    config: (sound ?? {}) as ConfigFile,
    issues: inOrder(faults.map(({ path, message }) => ({ path, message }))),
  };
}

/** The same for the same content. */
export function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Where the file is looked for when none is named, in this order. */
function usualPlaces(env: Env): readonly string[] {
  return ["dns01.yaml", join(configFolder(env), "dns01.yaml")];
}

function configFolder(env: Env): string {
  if (platform() === "win32") return join(env["APPDATA"] ?? join(homedir(), "AppData", "Roaming"), "dns01");
  if (process.getuid?.() === 0) return "/etc/dns01";
  if (platform() === "darwin") return join(homedir(), "Library", "Application Support", "dns01");
  return join(env["XDG_CONFIG_HOME"] ?? join(homedir(), ".config"), "dns01");
}
