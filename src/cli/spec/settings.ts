import type { CommandSpec } from "./command-spec.ts";
import { configFlags, pluginFlags } from "./flags.ts";

/** The commands that explain providers and dns01.yaml. */
export const settingsCommands: readonly CommandSpec[] = [
  {
    name: "providers",
    summary: "the DNS services; fields, environment names and an example of one",
    usage: "[ID] [options]",
    positionals: { min: 0, max: 1 },
    flags: pluginFlags,
    example: "dns01 providers rfc2136",
  },
  {
    name: "config check",
    summary: "everything that is wrong with dns01.yaml, at once; nothing is called",
    usage: "[FILE] [options]",
    positionals: { min: 0, max: 1 },
    namesConfig: true,
    flags: configFlags,
    example: "dns01 config check dns01.yaml",
  },
  {
    name: "config schema",
    summary: "JSON Schema of dns01.yaml, for editors",
    usage: "[options]",
    flags: pluginFlags,
    example: "dns01 config schema > dns01.schema.json",
    notes: "Providers of --plugin, and of the plugins that dns01.yaml names, are in it.",
  },
];
