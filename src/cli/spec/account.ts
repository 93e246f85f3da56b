import type { CommandSpec } from "./command-spec.ts";
import { caFlags, configFlag } from "./flags.ts";

/** The commands on the ACME account. */
export const accountCommands: readonly CommandSpec[] = [
  {
    name: "account show",
    summary: "the ACME account in use, and what the CA says of it",
    usage: "[options]",
    flags: [...caFlags, configFlag],
    example: "dns01 account show --ca letsencrypt",
  },
  {
    name: "account rollover",
    summary: "give the ACME account a new key",
    usage: "[options]",
    flags: [...caFlags, configFlag],
    example: "dns01 account rollover --ca letsencrypt",
    notes: "The new key is stored before the CA hears of it; an interrupted change is ended by the next use.",
  },
  {
    name: "account deactivate",
    summary: "end the ACME account for good",
    usage: "--yes [options]",
    flags: [...caFlags, { name: "yes", kind: "boolean", help: "really: it cannot be undone" }, configFlag],
    example: "dns01 account deactivate --ca letsencrypt-staging --yes",
    notes: "Its certificates stay valid. The next `dns01 issue` at this CA registers a new account.",
  },
];
