import type { CommandSpec } from "./command-spec.ts";
import { dnsFlags } from "./flags.ts";

/** The commands for the authors of providers. */
export const pluginCommands: readonly CommandSpec[] = [
  {
    name: "plugin new",
    summary: "begin a provider of your own: adapter, fake of the service and test",
    usage: "ID [options]",
    positionals: { min: 1, max: 1 },
    flags: [
      { name: "rrset", kind: "boolean", help: "for an API where a write replaces all values of a name" },
      { name: "direct", kind: "boolean", help: "for an API where adding one value is one atomic, idempotent act" },
      { name: "dir", kind: "string", value: "DIR", help: "where to write the files (default: the working directory)" },
    ],
    example: "dns01 plugin new acmehost",
    notes:
      "Without --rrset or --direct it is for an API that gives each record an id. In a checkout of dns01 the files go to providers/ and test/. Nothing is overwritten.",
  },
  {
    name: "plugin test",
    summary: "run the conformance suite against a provider of your own",
    usage: "PATH|PACKAGE [options]",
    positionals: { min: 1, max: 1 },
    flags: [
      { name: "fake", kind: "string", value: "FILE", help: "fake of the service (default: ID.fake.mjs beside it)" },
      {
        name: "zone",
        kind: "string",
        value: "NAME",
        help: "a real zone instead of the fake; credentials from the environment",
      },
      {
        name: "rule",
        kind: "string",
        repeatable: true,
        value: "RULE",
        help: "only these rules or subjects: zones, adding.again …",
      },
      { name: "seed", kind: "integer", value: "N", help: "of the random rules, to repeat a run" },
      {
        name: "operations",
        kind: "integer",
        value: "N",
        help: "of the random rules (default: 1000, in a real zone 20)",
      },
      ...dnsFlags.filter((f) => f.name !== "propagation"),
    ],
    example: "dns01 plugin test ./acmehost.mjs",
    notes:
      "Exit status 0 when every rule holds, 3 when one does not. A real zone is written to below a name of its own, which is taken out again.",
  },
];
