import { channel } from "node:diagnostics_channel";
import { inOrder } from "../config/document.ts";
import { emptyConfig, type LoadedConfig, loadConfig } from "../config/load.ts";
import { ConfigError, type ConfigIssue, Dns01Error } from "../core/errors.ts";
import type { Dns01Event, Observer } from "../core/events.ts";
import { nearest } from "../core/nearest.ts";
import { printable } from "../core/printable.ts";
import { createRedactor } from "../core/redact.ts";
import { requireVerification } from "../core/tls-verification.ts";
import { keepWarnings } from "../issuer/kept-warnings.ts";
import { createPluginHost } from "../plugins/host.ts";
import { proxySecrets } from "../proxy/environment.ts";
import { createLog, type LogLevel } from "../telemetry/log.ts";
import { environmentName, type Flags, readFlags } from "./args.ts";
import type { Command } from "./command.ts";
import { exitStatusOf, InterruptError } from "./exit.ts";
import { listenForInterrupts } from "./interrupt.ts";
import type { Io } from "./io.ts";
import { asDns01Error, errorDocument, errorLine, errorText, printer } from "./output.ts";
import { endPlugins, openProviders } from "./plugins.ts";
import { createLiveProgress } from "./progress.ts";
import { noProviderFlags, readProviderFlags } from "./provider-flags.ts";
import { showConfig } from "./show-config.ts";
import { type CommandSpec, commands, type FlagSpec, globalFlags, pluginFlags } from "./spec.ts";
import { unknownVariables } from "./unknown-variables.ts";

export interface RunOptions {
  readonly name: string | undefined;
  readonly spec: CommandSpec | undefined;
  readonly load: (() => Promise<{ readonly command: Command }>) | undefined;
  /** Everything but the command's name. */
  readonly args: readonly string[];
  readonly version: string;
  /** Folder of the running copy, dist/ or src/. */
  readonly home: URL;
}

/** Runs one command in this process: signals, flags, progress, output. Returns the exit status; never throws. */
export async function runCommand(options: RunOptions): Promise<number> {
  const redactor = createRedactor();
  for (const secret of proxySecrets(process.env)) redactor.add(secret);
  const print = printer(process.stdout, redactor);
  const tell = printer(process.stderr, redactor);
  const end = options.args.indexOf("--");
  const own = end === -1 ? options.args : options.args.slice(0, end);
  const line = options.spec?.runsCommand === true ? own : options.args;
  const interrupt = listenForInterrupts(
    (error) => fail(atOnce(error), own, options.home, print, tell),
    options.spec?.reloads === true ? ["SIGINT", "SIGTERM"] : ["SIGINT", "SIGTERM", "SIGHUP"],
  );
  const io: Io = { env: process.env, stdout: process.stdout, stderr: process.stderr, signal: interrupt.signal };
  let progress: Progress = { observer: () => {}, stop: () => {} };
  let isLeft = false;
  try {
    const { spec, load } = options;
    if (spec === undefined || load === undefined) throw unknownCommand(options.name, own);
    requireVerification(io.env, "--ca-root FILE");
    // One set of options serves every command: one that needs no configuration takes these, and does not read them.
    const idle = pluginFlags.filter(({ name }) => !spec.flags.some((flag) => flag.name === name));
    const first = readFlags(line, [...globalFlags, ...spec.flags, ...idle], io.env).flags;
    progress = openProgress(first, io, tell);
    const { observer: keep, warnings } = keepWarnings(progress.observer);
    const observer = (event: Dns01Event) => {
      isLeft ||= event.type === "warning" && event.code === "W_LEFTOVER";
      keep(event);
    };
    const plugins = createPluginHost(options.home);
    const readConfig = once(() => loadConfig(configFile(spec, first), io.env));
    const sources = { spec, flags: first, loadConfig: readConfig, host: plugins, observer, signal: io.signal };
    const registry = await openProviders(sources);
    const more =
      spec.providerFlags === undefined ? noProviderFlags : await readProviderFlags(first.text("provider"), registry);
    const specs = [...globalFlags, ...spec.flags, ...more.specs];
    const { flags: ownFlags, issues } = readFlags(line, [...specs, ...idle], io.env, more.secrets);
    const config = spec.flags.some((f) => f.name === "config") ? await readConfig() : emptyConfig;
    for (const text of await unknownVariables(io.env, registry, (name) => mentions(config, name)))
      observer({ type: "warning", code: "W_VARIABLE", text });
    const flags = config.file === undefined ? ownFlags : (await import("./file-flags.ts")).withFile(ownFlags, config);
    const all = [...issues, ...positionalFaults(spec, flags), ...config.issues];
    if (flags.on("show-config")) {
      const file =
        config.file === undefined
          ? undefined
          : await (await import("./show-file.ts")).showFile(
              { flags, env: io.env, redactor, config, registry, observer },
              new Set(specs.map((s) => s.name)),
            );
      print(showConfig(flags, specs, more, io.env, file?.rows));
      // What is sound has been shown; what is not is told beside it.
      const faults = inOrder([...all, ...(file?.issues ?? [])]);
      if (faults.length > 0) tell(failure(new ConfigError(faults), options.home, isJsonLog(flags)));
      return faults.length === 0 ? 0 : 2;
    }
    const command = (await load()).command;
    const output = await command.run({
      spec,
      flags,
      issues: all,
      args: own,
      rest: end === -1 ? [] : options.args.slice(end + 1),
      io,
      observer,
      warnings,
      redactor,
      registry,
      plugins,
      loadConfig: readConfig,
      reread: async () => {
        const fresh = await loadConfig(configFile(spec, first), io.env);
        const { withFile } = await import("./file-flags.ts");
        return { flags: withFile(ownFlags, fresh), issues: fresh.issues, loadConfig: async () => fresh };
      },
      version: options.version,
      home: options.home,
    });
    progress.stop();
    if (output === undefined) return 0;
    for (const { name, error } of output.errors ?? []) {
      tell(failure(error, options.home, isJsonLog(flags), { name }));
    }
    // No document: stdout belonged to somebody else, as with "sandbox -- COMMAND".
    const document = output.json === undefined ? "" : `${JSON.stringify(output.json, undefined, 2)}\n`;
    print(flags.on("json") ? document : printable(output.text));
    return output.status ?? 0;
  } catch (thrown) {
    progress.stop();
    const hint = isLeft ? mayBeLeft : hintsAfterInterrupt[options.spec?.name ?? ""];
    const cut = thrown instanceof InterruptError ? new InterruptError(thrown.by, hint) : thrown;
    return fail(cut, own, options.home, print, tell);
  } finally {
    endPlugins();
    interrupt.stop();
  }
}

function fail(
  thrown: unknown,
  args: readonly string[],
  home: URL,
  print: (text: string) => void,
  tell: (text: string) => void,
): number {
  const error = asDns01Error(thrown);
  // Read from the raw arguments: the flags themselves may be what is wrong.
  if (args.includes("--json") || /^(1|true|yes|on)$/i.test(process.env["DNS01_JSON"] ?? "")) {
    print(`${JSON.stringify(errorDocument(error), undefined, 2)}\n`);
  }
  const has = (flag: string, value: string) =>
    args.some((a, i) => a === `--${flag}=${value}` || (a === `--${flag}` && args[i + 1] === value)) ||
    process.env[environmentName(flag)] === value;
  const debug = has("log-level", "debug");
  tell(failure(error, home, has("log-format", "json"), { debug }));
  return exitStatusOf(error);
}

const clean = "Nothing that this run put into DNS is left there; run the same command again.";
/** By command, where there is more to say than to run it again. */
const hintsAfterInterrupt: Readonly<Record<string, string>> = {
  issue: clean,
  renew: clean,
  run: clean,
  present: clean,
  cleanup: "What this run was to remove may still be in DNS; run the same command again.",
};
const mayBeLeft =
  "Values may be left in DNS. The journal remembers them: run the same command again, and they are taken out first.";

/** What a second signal leaves: the clean-up was cut short. */
function atOnce(error: InterruptError): Dns01Error {
  return new Dns01Error(error.code, `${error.message} during the clean-up`, true, {
    hint: mayBeLeft,
    cause: error,
  });
}

/** A failure for stderr; a defect of ours with where it broke. */
function failure(
  error: Dns01Error,
  home: URL,
  json: boolean,
  { name, debug = false }: { name?: string; debug?: boolean } = {},
): string {
  const withStack = debug || error.code === "UNKNOWN";
  if (json) return errorLine(error, new Date(), withStack, name);
  return `${name === undefined ? "" : `${name}: `}${errorText(error, home, withStack)}`;
}

function isJsonLog(flags: Flags): boolean {
  return flags.text("log-format") === "json";
}

function unknownCommand(name: string | undefined, args: readonly string[]): ConfigError {
  const names = commands.map((c) => c.name);
  const near = name === undefined ? undefined : nearest(name, names);
  const inGroup = names.filter((n) => n.startsWith(`${name} `));
  const message =
    name === undefined
      ? `no command given; one of ${names.join(", ")}`
      : inGroup.length > 0
        ? `"${name}" is half a command; one of ${inGroup.join(", ")}`
        : `unknown command "${name}"${near === undefined ? `; one of ${names.join(", ")}` : `; did you mean "${near}"?`}`;
  const mistyped = name === undefined ? mistypedOptions(args) : [];
  return new ConfigError([...mistyped, { path: "", message }], { hint: "dns01 --help lists the commands." });
}

/** Options that look like one of any command, or of none: "dns01 --versoin". */
function mistypedOptions(args: readonly string[]): readonly ConfigIssue[] {
  const version: FlagSpec = { name: "version", kind: "boolean", help: "" };
  const { issues } = readFlags(args, [version, ...globalFlags, ...commands.flatMap((c) => c.flags)], {});
  return issues.filter(({ message }) => message.startsWith("unknown option; did you mean"));
}

/** As the name of a variable that holds a value: `{ env: NAME }`. */
function mentions({ config }: LoadedConfig, name: string): boolean {
  return JSON.stringify(config).includes(`"env":"${name}"`);
}

function configFile(spec: CommandSpec, flags: Flags): string | undefined {
  return (spec.namesConfig === true ? flags.positionals[0] : undefined) ?? flags.text("config");
}

function positionalFaults(spec: CommandSpec, flags: Flags): readonly ConfigIssue[] {
  const { min, max } = spec.positionals ?? { min: 0, max: 0 };
  const count = flags.positionals.length;
  if (spec.namesConfig === true && count > 0 && flags.source("config") === "--config") {
    return [{ path: "--config", message: "and FILE name the same thing: give one of them" }];
  }
  if (count > max) {
    const extra = flags.positionals.slice(max).join(" ");
    return [{ path: "", message: `unexpected argument: ${extra} (usage: dns01 ${spec.name} ${spec.usage})` }];
  }
  return count < min ? [{ path: "", message: `usage: dns01 ${spec.name} ${spec.usage}` }] : [];
}

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => {
    result ??= work();
    return result;
  };
}

interface Progress {
  readonly observer: Observer;
  readonly stop: () => void;
}

function openProgress(flags: Flags, io: Io, tell: (text: string) => void): Progress {
  const level: LogLevel = flags.on("quiet") ? "error" : ((flags.text("log-level") as LogLevel | undefined) ?? "info");
  const format = flags.text("log-format") === "json" ? "json" : "text";
  const live = io.stderr.isTTY === true && format === "text" && level === "info" && io.env["TERM"] !== "dumb";
  const shown = live
    ? createLiveProgress({
        write: tell,
        size: () => ({ columns: io.stderr.columns || 80, rows: io.stderr.rows || 24 }),
        color: (io.env["NO_COLOR"] ?? "") === "",
      })
    : { observer: createLog({ level, format, write: tell, now: () => new Date() }), stop: () => {} };
  // Tools and tests can follow what outlives the process without a switch of their own.
  const steps = channel("dns01:step");
  return {
    observer: (event: Dns01Event) => {
      if (event.type === "step") steps.publish(event);
      else shown.observer(event);
    },
    stop: shown.stop,
  };
}
