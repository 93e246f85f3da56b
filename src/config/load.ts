import { readFile } from "node:fs/promises";
import { homedir, platform } from "node:os";
import { join } from "node:path";
import type { z } from "zod";
import { ConfigError, type ConfigIssue } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import type { ConfigFile } from "./schema.ts";

export interface LoadedConfig {
  /** Absent when no file was named and none stands in the usual places. */
  readonly file?: string;
  readonly config: ConfigFile;
  /** "dns01.yaml:12 solvers[0].provider": where in the file a path stands. */
  readonly place: (path: readonly (string | number)[]) => string;
}

/** What holds without a file. */
export const emptyConfig: LoadedConfig = { config: {}, place: (path) => pathText(path) };

/** Reads `--config`, else dns01.yaml in the working directory, else in the configuration folder. Throws ConfigError. */
export async function loadConfig(
  named: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Promise<LoadedConfig> {
  if (named !== undefined) {
    const text = await readText(named);
    if (text === undefined) throw new ConfigError([{ path: "--config", message: `${named} does not exist` }]);
    return await parseConfig(named, text);
  }
  for (const file of ["dns01.yaml", join(configFolder(env), "dns01.yaml")]) {
    const text = await readText(file);
    if (text !== undefined) return await parseConfig(file, text);
  }
  return emptyConfig;
}

/** Parses the text of one file; every fault at once, each with its line. */
export async function parseConfig(file: string, text: string): Promise<LoadedConfig> {
  // Most runs have no file: neither the parser nor the schema is loaded for them.
  const [{ LineCounter, parseDocument }, { configSchema }] = await Promise.all([
    import("./yaml.ts"),
    import("./schema.ts"),
  ]);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineOf = (offset: number) => lines.linePos(offset).line;
  if (document.errors.length > 0) {
    throw new ConfigError(document.errors.map((e) => ({ path: `${file}:${lineOf(e.pos[0])}`, message: e.message })));
  }
  const place = (path: readonly (string | number)[]): string => {
    for (let length = path.length; length >= 0; length--) {
      const node: unknown = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
      const range = typeof node === "object" && node !== null && "range" in node ? node.range : undefined;
      const start: unknown = Array.isArray(range) ? range[0] : undefined;
      if (typeof start === "number") return `${file}:${lineOf(start)} ${pathText(path)}`.trimEnd();
    }
    return `${file} ${pathText(path)}`.trimEnd();
  };
  const value: unknown = document.toJS() ?? {};
  const parsed = configSchema.safeParse(value);
  if (!parsed.success) throw new ConfigError(parsed.error.issues.flatMap((issue) => faults(issue, place)));
  return { file, config: parsed.data, place };
}

function faults(issue: z.core.$ZodIssue, place: LoadedConfig["place"]): readonly ConfigIssue[] {
  const path = issue.path.map((p) => (typeof p === "symbol" ? String(p) : p));
  if (issue.code !== "unrecognized_keys") return [{ path: place(path), message: issue.message }];
  return issue.keys.map((key) => {
    const near = nearest(key, knownKeys(path));
    return {
      path: place([...path, key]),
      message: `unknown key${near === undefined ? "" : `; did you mean "${near}"?`}`,
    };
  });
}

/** Keys of each object of the schema, for "did you mean". */
function knownKeys(path: readonly (string | number)[]): readonly string[] {
  switch (path.filter((p) => typeof p === "string").join(".")) {
    case "":
      return ["acme", "plugins", "solvers", "certificates"];
    case "acme":
      return ["ca", "email", "caRoot", "profile", "preferredChain"];
    case "solvers":
      return ["zones", "provider", "config"];
    case "certificates":
      return ["name", "domains", "keyType", "deploy"];
    default:
      return ["command", "env", "file"];
  }
}

function pathText(path: readonly (string | number)[]): string {
  return path.map((p, i) => (typeof p === "number" ? `[${p}]` : i === 0 ? p : `.${p}`)).join("");
}

async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new ConfigError([{ path: "--config", message: `cannot read ${file}: ${String(code ?? error)}` }]);
  }
}

function configFolder(env: Readonly<Record<string, string | undefined>>): string {
  if (platform() === "win32") return join(env["APPDATA"] ?? join(homedir(), "AppData", "Roaming"), "dns01");
  if (process.getuid?.() === 0) return "/etc/dns01";
  if (platform() === "darwin") return join(homedir(), "Library", "Application Support", "dns01");
  return join(env["XDG_CONFIG_HOME"] ?? join(homedir(), ".config"), "dns01");
}
