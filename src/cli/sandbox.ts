import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { ConfigError, type ConfigIssue } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import { parseName } from "../core/name.ts";
import { nearest } from "../core/nearest.ts";
import { namesProxy } from "../proxy/environment.ts";
import {
  behaviours,
  type CaBehaviour,
  type FaultName,
  type Faults,
  faultNames,
  isFaultName,
  readBehaviour,
  type Sandbox,
  startSandbox,
} from "../sandbox/index.ts";
import { describeEntry } from "../sandbox/log.ts";
import { type Command, type CommandInput, type CommandOutput, failOn } from "./command.ts";
import { InterruptError } from "./exit.ts";
import type { Io } from "./io.ts";
import { runInSandbox } from "./sandbox-child.ts";

export const command: Command = { run: sandbox };

/** `dns01 sandbox`: prints what a client needs and serves until it is stopped, or runs a command inside. */
async function sandbox({ flags, issues, rest, io, observer }: CommandInput): Promise<CommandOutput> {
  const faults = readFaults(flags.list("fault"), flags.source("fault") ?? "--fault");
  const zones = readZones(flags.list("zone"), flags.source("zone") ?? "--zone");
  const behaviour = readBehaviours(flags.list("behaviour"), flags.source("behaviour") ?? "--behaviour");
  failOn([...issues, ...faults.issues, ...zones.issues, ...behaviour.issues]);
  const hasCommand = rest.length > 0;
  // Not ended by the signal itself: a command inside takes its values out of DNS first.
  const box = await startSandbox({
    ...behaviour.change,
    lagMs: flags.duration("lag"),
    faults: faults.faults,
    seed: flags.integer("seed"),
    zones: zones.zones,
    eab: flags.on("eab") ? { kid: "sandbox", hmacKey: randomBytes(32).toString("base64url") } : undefined,
    onEntry: (entry) => {
      // The command's own progress is what its user wants to read.
      const level = hasCommand || entry.kind === "query" ? "debug" : "info";
      observer({ type: "log", level, text: describeEntry(entry) });
    },
  });
  // A second Ctrl-C ends the process at once; the file goes even then.
  const onExit = () => rmSync(dirname(box.caRootFile), { recursive: true, force: true });
  process.once("exit", onExit);
  const env = {
    ...box.env,
    ...withoutProxy(io.env),
    DNS01_STATE: stateFor(flags.text("state"), box, io.env["DNS01_CA_ROOT"]),
  };
  try {
    if (hasCommand) return done(await runInSandbox(rest, childEnvironment(io.env, env), io.signal));
    io.stdout.write(flags.on("json") ? `${JSON.stringify(env, undefined, 2)}\n` : exportsOf(env));
    tellReady(box, observer);
    return done(await stopped(io.signal));
  } finally {
    await box.close();
    process.off("exit", onExit);
  }
}

/** The folder that the user named, else one that ends with the sandbox: a trial leaves nothing among real accounts. */
function stateFor(named: string | undefined, box: Sandbox, outerRoot = ""): string {
  // In a shell with the exports of another sandbox, its folder stands in DNS01_STATE: the user did not name that.
  const isNamed = named !== undefined && named !== stateBeside(outerRoot);
  return isNamed ? resolve(named) : stateBeside(box.caRootFile);
}

function stateBeside(caRootFile: string): string {
  return join(dirname(caRootFile), "state");
}

function done(status: number): CommandOutput {
  return { json: undefined, text: "", status };
}

/** Resolves with the exit status when somebody asks for the end. */
function stopped(signal: AbortSignal): Promise<number> {
  return new Promise((resolve) => {
    const onAbort = () => resolve(signal.reason instanceof InterruptError ? signal.reason.exitStatus : 130);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}

function tellReady(box: Sandbox, observer: Observer): void {
  const servers = box.nameservers.map((s) => `${s.name} at ${s.address}`).join(" and ");
  const text = `sandbox ready: ${servers}, port ${box.dnsPort}; seed ${box.seed}. Ctrl-C ends it.`;
  observer({ type: "log", level: "info", text });
}

/** Everything of a sandbox is on loopback, where a proxy of the environment cannot reach it. */
function withoutProxy(env: Io["env"]): Readonly<Record<string, string>> {
  if (!namesProxy(env)) return {};
  const names = ["no_proxy", "NO_PROXY"].filter((name) => env[name] !== undefined);
  const own = ["localhost", "127.0.0.1", "::1"];
  return Object.fromEntries(
    (names.length === 0 ? ["NO_PROXY"] : names).map((name) => [name, [env[name], ...own].filter(Boolean).join(",")]),
  );
}

/** For a POSIX shell: `. FILE` or `eval`. */
function exportsOf(env: Readonly<Record<string, string>>): string {
  const quoted = (value: string) => `'${value.replaceAll("'", `'\\''`)}'`;
  return Object.entries(env)
    .map(([name, value]) => `export ${name}=${quoted(value)}\n`)
    .join("");
}

/** The sandbox's settings, without what would contradict them. */
function childEnvironment(outer: Io["env"], own: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...outer };
  for (const name of Object.keys(own)) delete env[`${name}_FILE`];
  // Meant for this process.
  for (const name of ["LAG", "FAULT", "BEHAVIOUR", "SEED", "ZONE", "EAB", "JSON"]) delete env[`DNS01_${name}`];
  return { ...env, ...own };
}

function readFaults(values: readonly string[], source: string): { faults: Faults; issues: readonly ConfigIssue[] } {
  const faults: Partial<Record<FaultName, number>> = {};
  const issues: ConfigIssue[] = [];
  for (const value of values) {
    const [, kind = "", number = "", percent] = /^([^=]*)=(\d*\.?\d+)(%?)$/.exec(value) ?? [];
    const rate = Number(number) / (percent === "%" ? 100 : 1);
    const name = kind === "" ? (value.split("=")[0] ?? "") : kind;
    if (!isFaultName(name)) {
      const near = nearest(name, Object.keys(faultNames));
      const known = Object.keys(faultNames).join(", ");
      const hint = near === undefined ? `known are ${known}` : `did you mean "${near}"? (${known})`;
      issues.push({ path: source, message: `"${name}" is no kind of fault; ${hint}` });
    } else if (number === "" || rate > 1) {
      issues.push({ path: source, message: `"${value}" needs a rate from 0 to 1, or in percent: ${name}=0.1` });
    } else {
      faults[name] = rate;
    }
  }
  return { faults, issues };
}

function readBehaviours(
  values: readonly string[],
  source: string,
): { readonly change: Partial<CaBehaviour>; readonly issues: readonly ConfigIssue[] } {
  const read = values.map(readBehaviour);
  const issues = read.flatMap((one) => {
    if (!("fault" in one)) return [];
    const known = Object.keys(behaviours);
    const near = nearest(one.name, known);
    const list = near === undefined ? `known are ${known.join(", ")}` : `did you mean "${near}"? (${known.join(", ")})`;
    const hint = known.includes(one.name) ? "" : `; ${list}`;
    return [{ path: source, message: `${one.fault}${hint}` }];
  });
  return { change: Object.assign({}, ...read.map((one) => ("change" in one ? one.change : {}))), issues };
}

function readZones(
  values: readonly string[],
  source: string,
): { zones: readonly string[]; issues: readonly ConfigIssue[] } {
  const issues: ConfigIssue[] = [];
  for (const value of values) {
    try {
      const name = parseName(value, source);
      if (!name.includes(".") || name.includes("*"))
        issues.push({ path: source, message: `"${value}" cannot be a zone here` });
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      issues.push(...error.issues);
    }
  }
  return { zones: values, issues };
}
