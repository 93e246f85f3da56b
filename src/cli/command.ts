import { inOrder } from "../config/document.ts";
import type { LoadedConfig } from "../config/load.ts";
import { ConfigError, type ConfigIssue, type Dns01Error } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import type { Redactor } from "../core/redact.ts";
import type { Warning } from "../dns/types.ts";
import type { PluginHost } from "../plugins/host.ts";
import type { Registry } from "../providers.ts";
import type { Flags } from "./args.ts";
import type { Io } from "./io.ts";
import type { CommandSpec } from "./spec.ts";

/** Everything a command is given. */
export interface CommandInput {
  readonly spec: CommandSpec;
  readonly flags: Flags;
  /** Faults of the command line; a command adds its own and throws them together, before anything is called. */
  readonly issues: readonly ConfigIssue[];
  /** Raw arguments without the command's name, and what stood after "--". */
  readonly args: readonly string[];
  readonly rest: readonly string[];
  readonly io: Io;
  readonly observer: Observer;
  /** What `observer` was warned of so far, each once. */
  readonly warnings: () => readonly Warning[];
  readonly redactor: Redactor;
  /** The providers that come with dns01, and those of the plugins that were named. */
  readonly registry: Registry;
  readonly plugins: PluginHost;
  /** The configuration file, read once; its own faults are among `issues` already. */
  readonly loadConfig: () => Promise<LoadedConfig>;
  /** The configuration file as it is now, and the flags with it: for a command that outlives a change of the file. */
  readonly reread: () => Promise<Pick<CommandInput, "flags" | "issues" | "loadConfig">>;
  readonly version: string;
  /** Folder of the running copy, dist/ or src/; its neighbour is docs/. */
  readonly home: URL;
}

/** What a command answers: `text` for people, `json` for `--json`; both go to stdout. */
export interface CommandOutput {
  readonly json: unknown;
  readonly text: string;
  readonly status?: number;
  /** What failed of several; told on stderr as well, each with whose it is. */
  readonly errors?: readonly { readonly name: string; readonly error: Dns01Error }[];
}

export interface Command {
  /** Fails with Dns01Error; `undefined` when the command wrote its own output. */
  run(input: CommandInput): Promise<CommandOutput | undefined>;
}

/** Throws all faults at once, each told once and those of a file in the order of its lines, if there is any. */
export function failOn(issues: readonly ConfigIssue[]): void {
  if (issues.length > 0) throw new ConfigError(inOrder(issues));
}
