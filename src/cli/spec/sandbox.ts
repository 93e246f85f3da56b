import type { CommandSpec } from "./command-spec.ts";

/** The command that runs everything locally. */
export const sandboxCommands: readonly CommandSpec[] = [
  {
    name: "sandbox",
    summary: "a local CA and nameservers, to try everything without an account",
    usage: "[options] [-- COMMAND…]",
    runsCommand: true,
    flags: [
      { name: "lag", kind: "duration", value: "TIME", help: "the second nameserver follows the first after this long" },
      {
        name: "fault",
        kind: "string",
        repeatable: true,
        value: "KIND=RATE",
        help: "weather: drop, servfail, truncate, badNonce … with a rate from 0 to 1",
      },
      {
        name: "behaviour",
        kind: "string",
        repeatable: true,
        value: "NAME[=VALUE]",
        help: "how the CA differs: ari=past, processing=2m, lifetime=6d, caching-resolver …",
      },
      { name: "zone", kind: "string", repeatable: true, value: "NAME", help: "serve this zone as well" },
      { name: "seed", kind: "integer", value: "N", help: "of weather and shuffling, to repeat a run" },
      { name: "eab", kind: "boolean", help: "require external account binding, and print its key" },
    ],
    example: "dns01 sandbox -- dns01 issue -d example.test -d '*.example.test' -p rfc2136",
  },
];
