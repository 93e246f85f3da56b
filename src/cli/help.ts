import { type CommandSpec, commands, type FlagSpec, globalFlags } from "./spec.ts";

/** The text of `dns01 --help`; `docs` is the path of the page about the commands. */
export function generalHelp(docs: string | undefined): string {
  const width = Math.max(...commands.map((c) => c.name.length)) + 2;
  return [
    "Usage: dns01 <command> [options]",
    "",
    "Wildcard certificates by ACME DNS-01, with one propagation wait.",
    "",
    "Commands:",
    ...commands.map((c) => `  ${c.name.padEnd(width)}${c.summary}`),
    "",
    "Options of every command:",
    ...globalFlags.map(flagLine),
    "  -V, --version                     print the version",
    "",
    "Every flag has an environment form: --ca-root is DNS01_CA_ROOT. `dns01 <command> --help` says more.",
    "",
    "Example:",
    "  dns01 sandbox -- dns01 issue -d example.test -d '*.example.test' -p rfc2136",
    "",
    ...(docs === undefined ? [] : [`Documentation: ${docs}`, ""]),
  ].join("\n");
}

/** The text of `dns01 <word> --help` where several commands begin with that word. */
export function groupHelp(word: string): string {
  const inGroup = commands.filter((c) => c.name.startsWith(`${word} `));
  const width = Math.max(...inGroup.map((c) => c.name.length)) + 2;
  return [
    `Usage: dns01 ${word} <command> [options]`,
    "",
    "Commands:",
    ...inGroup.map((c) => `  ${c.name.padEnd(width)}${c.summary}`),
    "",
    "Example:",
    `  ${inGroup[0]?.example ?? ""}`,
    "",
  ].join("\n");
}

/** The text of `dns01 <command> --help`. */
export function commandHelp(command: CommandSpec): string {
  return [
    `Usage: dns01 ${command.name} ${command.usage}`,
    "",
    `${command.summary[0]?.toUpperCase()}${command.summary.slice(1)}.`,
    ...(command.notes === undefined ? [] : ["", command.notes]),
    "",
    ...(command.flags.length === 0 ? [] : ["Options:", ...command.flags.map(flagLine), ""]),
    ...(command.providerFlags === undefined
      ? []
      : [
          "Provider fields are flags too (--rfc2136-nameserver …) and environment names; `dns01 providers ID` lists them.",
          "",
        ]),
    "Options of every command:",
    ...globalFlags.map(flagLine),
    "",
    "Example:",
    `  ${command.example}`,
    "",
  ].join("\n");
}

function flagLine(flag: FlagSpec): string {
  const head = `${flag.short === undefined ? "    " : `-${flag.short}, `}--${flag.name}${flag.value === undefined ? "" : ` ${flag.value}`}`;
  const notes = [
    flag.choices === undefined ? "" : ` (${flag.choices.join(", ")})`,
    flag.default === undefined ? "" : ` [${flag.default}]`,
    flag.repeatable === undefined ? "" : " (repeatable)",
  ].join("");
  const text = `${flag.help}${notes}`;
  return head.length > 32 ? `  ${head}\n${" ".repeat(36)}${text}` : `  ${head.padEnd(34)}${text}`;
}
