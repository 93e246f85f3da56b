import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type LoadedConfig, requireOwn } from "../config/load.ts";
import type { Observer } from "../core/events.ts";
import { thrownText } from "../core/thrown.ts";
import type { PluginHost } from "../plugins/host.ts";
import { placeOf } from "../plugins/load.ts";
import { locate, type PluginRef } from "../plugins/locate.ts";
import { builtInProviders, openRegistry, type Registry } from "../providers.ts";
import type { Flags } from "./args.ts";
import type { CommandSpec } from "./spec.ts";

export interface PluginSources {
  readonly spec: CommandSpec;
  readonly flags: Flags;
  readonly loadConfig: () => Promise<LoadedConfig>;
  readonly host: PluginHost;
  readonly observer: Observer;
  readonly signal: AbortSignal;
}

/** The providers of a command: those of dns01, of `--plugin`, and of `plugins` in the configuration file. */
export async function openProviders(sources: PluginSources): Promise<Registry> {
  const { spec, flags, host, observer, signal } = sources;
  if (!spec.flags.some(({ name }) => name === "plugin")) return builtInProviders();
  // A faulty file is the command's to tell, with all that is wrong besides.
  const config = await sources.loadConfig();
  const ofFile = fromFile(config);
  if (config.isFound) await requireOwnPlugins(ofFile, config.file ?? "", host);
  const refs = [...fromFlags(flags), ...ofFile];
  if (refs.length > 0) watchPlugins(observer);
  return await openRegistry(refs, { host, observer, signal });
}

/**
 * What a plugin leaves behind must not decide how the program ends: what it throws where nobody waits for it is told
 * instead of ending the process with values in DNS, and sockets and timers that stay open do not keep it alive.
 */
export function watchPlugins(observer: Observer): void {
  const tell = (what: string) => (thrown: unknown) => {
    const text = `${what}: ${thrownText(thrown)}${placeOf(thrown)}`;
    observer({ type: "warning", code: "W_PLUGIN", text });
  };
  process.on("unhandledRejection", tell("a promise was rejected that nobody waited for"));
  process.on("uncaughtException", tell("something was thrown outside of any call"));
}

/** To be called when the command is over. */
export function endPlugins(graceMs = 2000): void {
  if (process.listenerCount("unhandledRejection") === 0) return;
  setTimeout(() => process.exit(), graceMs).unref();
}

function fromFlags(flags: Flags): readonly PluginRef[] {
  const from = flags.source("plugin") ?? "--plugin";
  return flags.list("plugin").map((text) => ({ text, base: process.cwd(), from }));
}

function fromFile({ file, config, place }: LoadedConfig): readonly PluginRef[] {
  const base = dirname(resolve(file ?? ""));
  return (config.plugins ?? []).flatMap((text, index) =>
    text === undefined ? [] : [{ text, base, from: place(["plugins", index]) }],
  );
}

/** Nothing of a plugin runs before its owner is known, unless the user named the configuration file or the plugin. */
async function requireOwnPlugins(refs: readonly PluginRef[], file: string, host: PluginHost): Promise<void> {
  for (const ref of refs) {
    const path = await pathOf(ref, host);
    if (path !== undefined) await requireOwn(path, ref.from, file);
  }
}

/** Undefined for a plugin that is missing, and for a package beside dns01: who can change that can change dns01. */
async function pathOf(ref: PluginRef, host: PluginHost): Promise<string | undefined> {
  const located = await locate(ref);
  if (located.kind === "file") return located.path;
  if (located.kind === "nothing") return undefined;
  try {
    const url = host.resolve(located.name, pathToFileURL(join(ref.base, "_")).href);
    return url.startsWith("file:") ? fileURLToPath(url) : undefined;
  } catch {
    return undefined;
  }
}
