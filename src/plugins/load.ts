import { realpath } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { systemClock } from "../core/clock.ts";
import { ConfigError, type ConfigIssue } from "../core/errors.ts";
import type { Provider } from "../core/provider.ts";
import { thrownText } from "../core/thrown.ts";
import { withTimeLimit } from "../core/time-limit.ts";
import { checkDefinition } from "./definition.ts";
import type { Namespace, PluginHost } from "./host.ts";
import { type Located, locate, type PluginRef } from "./locate.ts";

/** How a plugin that was named turned out. */
export type LoadedPlugin =
  | {
      readonly ref: PluginRef;
      readonly provider: Provider;
      /** As it is shown: the path of the file as it was named, or the package. */
      readonly file: string;
      /** The same for the same module, however it was named. */
      readonly identity: string;
    }
  | {
      readonly ref: PluginRef;
      readonly provider: undefined;
      readonly issues: readonly ConfigIssue[];
      /** The id it claims, where that much can be read. */
      readonly id?: string | undefined;
    };

export interface LoadPluginOptions {
  readonly signal: AbortSignal;
  /** For how long its module may take to load, in milliseconds. Default 10,000. */
  readonly timeoutMs?: number;
}

/** Imports one plugin and checks what it exports. Faults are returned: the others go on. Throws only when aborted. */
export async function loadPlugin(ref: PluginRef, host: PluginHost, options: LoadPluginOptions): Promise<LoadedPlugin> {
  const located = await locate(ref);
  const file = located.kind === "file" ? located.path : ref.text;
  const path = `${ref.from} ${file}`;
  if (located.kind === "nothing") {
    return { ref, provider: undefined, issues: [{ path: `${ref.from} ${ref.text}`, message: located.message }] };
  }
  try {
    const namespace = await importModule(located, ref, host, options);
    const checked = checkDefinition(namespace["default"], file);
    if (checked.provider !== undefined) {
      const identity = located.kind === "file" ? await realpath(file) : `package ${file}`;
      return { ref, provider: checked.provider, file, identity };
    }
    const { faults, id } = checked;
    const who = id === undefined ? "" : `provider ${id}: `;
    const others = Object.keys(namespace).filter((name) => name !== "default");
    const also = namespace["default"] === undefined && others.length > 0 ? ` (it exports ${others.join(", ")})` : "";
    return {
      ref,
      provider: undefined,
      issues: faults.map((f) => ({ path, message: `${who}${f.path} ${f.message}${also}` })),
      id,
    };
  } catch (error) {
    options.signal.throwIfAborted();
    return {
      ref,
      provider: undefined,
      issues: error instanceof ConfigError ? error.issues : [{ path, message: loadFault(error) }],
    };
  }
}

/**
 * Imports any module as a plugin, within a time limit: also the fake of a plugin. `label` names it in the ConfigError of
 * the time limit; else it rejects with what the module throws.
 */
export function importAsPlugin(
  path: string,
  label: string,
  host: PluginHost,
  options: LoadPluginOptions,
): Promise<Namespace> {
  const { href } = pathToFileURL(path);
  return limited(label, () => host.import(href, href), options);
}

function limited(
  label: string,
  load: () => Promise<Namespace>,
  { signal, timeoutMs = 10_000 }: LoadPluginOptions,
): Promise<Namespace> {
  const message = `did not finish loading within ${timeoutMs / 1000} s: an await at its top level does not end`;
  const late = () => new ConfigError([{ path: label, message }]);
  return withTimeLimit(load, { timeoutMs, late, signal, clock: systemClock });
}

async function importModule(
  located: Exclude<Located, { readonly kind: "nothing" }>,
  ref: PluginRef,
  host: PluginHost,
  options: LoadPluginOptions,
): Promise<Namespace> {
  if (located.kind === "file") return await importAsPlugin(located.path, `${ref.from} ${located.path}`, host, options);
  const { name } = located;
  // Beside the one who names it, then beside dns01 itself: where `npm install --global` puts both.
  for (const parent of [pathToFileURL(join(ref.base, "_")).href, import.meta.url]) {
    try {
      return await limited(`${ref.from} ${name}`, () => host.import(name, parent), options);
    } catch (error) {
      if (!isMissingPackage(error, name)) throw error;
    }
  }
  const message = `there is no package of this name in ${ref.base} or above, nor beside dns01, and no such file`;
  throw new ConfigError([{ path: `${ref.from} ${name}`, message }], { hint: `npm install ${packageOf(name)}` });
}

/** "@scope/name/file" → "@scope/name" */
function packageOf(name: string): string {
  return name
    .split("/")
    .slice(0, name.startsWith("@") ? 2 : 1)
    .join("/");
}

function isMissingPackage(error: unknown, name: string): boolean {
  if (!(error instanceof Error) || !("code" in error) || error.code !== "ERR_MODULE_NOT_FOUND") return false;
  // Not one that the plugin itself misses.
  return error.message.includes(`'${packageOf(name)}'`);
}

/** Why a module could not be loaded, with the line where it can be told. */
export function loadFault(error: unknown): string {
  const text = thrownText(error);
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  if (code === "ERR_UNKNOWN_FILE_EXTENSION")
    return "is no JavaScript that this Node can load: a plugin is an .mjs or .js file";
  if (error instanceof SyntaxError) return `cannot be loaded: SyntaxError: ${text}${placeOf(error)}`;
  const name = error instanceof Error && error.name !== "Error" ? `${error.name}: ` : "";
  return `throws while it is loaded: ${name}${text}${placeOf(error)}`;
}

const ownCode = new URL(".", import.meta.url).href;

/** " (acmehost.mjs, line 3)" where it can be told, else nothing. */
export function placeOf(error: unknown): string {
  const stack = error instanceof Error && typeof error.stack === "string" ? error.stack : "";
  const frames = [...stack.matchAll(/(file:\/\/[^\s()]+?):(\d+)(?::\d+)?(?=[\s)]|$)/g)];
  // What is missing is found missing by dns01's own hook, whose lines are nobody's help.
  const [, address, line] = frames.find(([, at]) => !at?.startsWith(ownCode)) ?? [];
  if (address === undefined || line === undefined) return "";
  try {
    return ` (${basename(fileURLToPath(address))}, line ${line})`;
  } catch {
    return "";
  }
}
