import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { LoadedConfig } from "../config/load.ts";
import { defaultState, type UnitWork } from "../daemon/unit-walls.ts";
import { type UnitName, unitText } from "../daemon/units.ts";
import { type CommandInput, type CommandOutput, failOn } from "./command.ts";

/** Flags that the unit of the daemon hands on. */
const ofService = ["listen", "parallel", "orders-per-second", "log-format", "log-level"];
const ofEveryUnit = ["print-unit", "unit", "config", "state", "json", "quiet"];

/** What else was given would be lost without a word. */
function notInUnit(flags: CommandInput["flags"], name: UnitName) {
  const kept = [...ofEveryUnit, ...(name === "dns01.service" ? ofService : [])];
  const message = `is not handed on by ${name}; write it into dns01.yaml, or into the unit with "systemctl edit"`;
  return [...flags.given.keys()]
    .filter((flag) => flags.source(flag) === `--${flag}` && !kept.includes(flag))
    .map((flag) => ({ path: `--${flag}`, message }));
}

/** With the options of this command line, paths made absolute: a service starts in another folder. */
export async function printUnit(input: CommandInput): Promise<CommandOutput> {
  const { flags } = input;
  const name = (flags.text("unit") ?? "dns01.service") as UnitName;
  // The unit may be made before the file is, or for another machine.
  const isAbsent = ({ path }: { readonly path: string }) => path === "--config";
  failOn([...input.issues.filter((issue) => !isAbsent(issue)), ...notInUnit(flags, name)]);
  for (const { message } of input.issues.filter(isAbsent)) {
    input.observer({ type: "log", level: "warn", text: `--config: ${message} (the unit names it all the same)` });
  }
  const config = await input.loadConfig();
  const file = flags.text("config") ?? config.file;
  const state = flags.text("state");
  const args = [
    ...(file === undefined ? [] : ["--config", resolve(file)]),
    ...(state === undefined ? [] : ["--state", resolve(state)]),
    ...(name === "dns01.service"
      ? ofService.flatMap((flag) => (flags.source(flag) === `--${flag}` ? [`--${flag}`, flags.text(flag) ?? ""] : []))
      : []),
  ];
  const program = [process.execPath, resolve(process.argv[1] ?? "dns01")];
  const work = await workOf(config, resolve(state ?? defaultState));
  const text = unitText(name, { program, args, work });
  return { json: { name, text }, text };
}

/** What the file says of hooks, copies and secrets; without a file there may be any of them. */
async function workOf({ file, config, resolve: resolvePath }: LoadedConfig, state: string): Promise<UnitWork> {
  const certificates = (config.certificates ?? []).flatMap((one) => (one === undefined ? [] : [one]));
  const runsScripts = (config.solvers ?? []).some((solver) => solver?.provider === "exec");
  const dirs = certificates.map(({ out }) => (typeof out === "string" ? out : out?.dir));
  return {
    state,
    runsCommands: certificates.length === 0 || runsScripts || certificates.some(({ deploy }) => deploy !== undefined),
    copies: [...new Set(dirs.flatMap((dir) => (dir === undefined ? [] : [resolvePath(dir)])))],
    needsNoRoot: file !== undefined && (await isOpenToAll(resolve(file))) && !namesFiles(config),
  };
}

/** A user that systemd makes can read it. */
async function isOpenToAll(path: string): Promise<boolean> {
  if (/^\/(?:home|root)\//.test(path)) return false;
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && (found.mode & 0o004) !== 0;
}

/** Has a secret of the form { file: PATH } anywhere. */
function namesFiles(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return "file" in value || Object.values(value).some(namesFiles);
}
