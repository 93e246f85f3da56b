import type { Observer } from "../core/events.ts";
import type { Redactor } from "../core/redact.ts";
import type { Registry } from "../providers.ts";
import type { LoadedConfig } from "./load.ts";

/** What flags and their environment forms say, and the file where they say nothing: a command line is read into this. */
export interface Settings {
  readonly given: ReadonlyMap<string, { readonly values: readonly string[]; readonly source: string }>;
  text(name: string): string | undefined;
  list(name: string): readonly string[];
  on(name: string): boolean;
  /** Milliseconds. */
  duration(name: string): number | undefined;
  integer(name: string): number | undefined;
  /** "--ca", "DNS01_CA", "dns01.yaml:3 acme.ca" or "default". */
  source(name: string): string | undefined;
}

/** Everything a configuration is read from. */
export interface Sources {
  readonly flags: Settings;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly redactor: Redactor;
  readonly config: LoadedConfig;
  readonly registry: Registry;
  readonly observer: Observer;
  /** Gets every file that is read besides the configuration file (secrets, roots, requests): for who watches them. */
  readonly filesRead?: Set<string> | undefined;
  /** Whether an account is registered at this directory already; without it none is. */
  readonly isRegistered?: ((directoryUrl: string) => Promise<boolean>) | undefined;
}

/** Returns where a value was given, for a message about it; the flag where it is the default. */
export function placeOf(flags: Settings, name: string): string {
  const source = flags.source(name);
  return source === undefined || source === "default" ? `--${name}` : source;
}

/** Whether a flag or its environment form says it, and not the file or a default. */
export function isGivenOutside(flags: Settings, name: string): boolean {
  const source = flags.source(name);
  return source !== undefined && /^(--|DNS01_)/.test(source);
}
