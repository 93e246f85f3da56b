/** What a command line may contain; plain data, so that help needs nothing else loaded. */
export interface FlagSpec {
  /** Without dashes: "propagation-timeout". */
  readonly name: string;
  readonly short?: string;
  readonly kind: "string" | "boolean" | "duration" | "integer";
  readonly repeatable?: true;
  /** Shown in help for the value: "FILE". */
  readonly value?: string;
  readonly choices?: readonly string[];
  readonly default?: string;
  /** An established environment name besides DNS01_…. */
  readonly env?: string;
  readonly help: string;
  /** Its environment form holds the secret itself, the flag only a file's path. */
  readonly secretFile?: true;
}

export interface CommandSpec {
  readonly name: string;
  readonly summary: string;
  /** After the command's name in the usage line. */
  readonly usage: string;
  readonly flags: readonly FlagSpec[];
  /** SIGHUP means to read the configuration again, not to end. */
  readonly reloads?: true;
  /** Whether provider fields (`--rfc2136-nameserver` …) are taken. */
  readonly providerFlags?: true;
  readonly positionals?: { readonly min: number; readonly max: number };
  /** What follows "--" is a command and its arguments, and not arguments of its own. */
  readonly runsCommand?: true;
  /** Whether the first argument is the configuration file, as --config is. */
  readonly namesConfig?: true;
  readonly example: string;
  readonly notes?: string;
}
