import type { CommandSpec } from "./command-spec.ts";
import { configFlag, configFlags, dnsFlags, providerFlag } from "./flags.ts";

/** The commands on one challenge value in DNS. */
export const challengeCommands: readonly CommandSpec[] = [
  {
    name: "present",
    summary: "put one challenge value into DNS (also a certbot --manual-auth-hook)",
    usage: "[FQDN VALUE] -p PROVIDER [options]",
    positionals: { min: 0, max: 2 },
    providerFlags: true,
    flags: [providerFlag, ...dnsFlags, ...configFlags],
    example: "dns01 present _acme-challenge.example.com 0123456789abcdefghijklmnopqrstuvwxyzABCDEFG -p rfc2136",
    notes:
      "Without arguments CERTBOT_DOMAIN and CERTBOT_VALIDATION are used, and the command waits until every nameserver has the value. With arguments it waits only if --propagation is given.",
  },
  {
    name: "cleanup",
    summary: "take challenge values out of DNS: one (also a certbot --manual-cleanup-hook), or what was left over",
    usage: "[FQDN VALUE] -p PROVIDER [options], or --leftovers [FQDN…] [options]",
    positionals: { min: 0, max: 100 },
    providerFlags: true,
    flags: [
      { name: "leftovers", kind: "boolean", help: "take out what runs that are over have left behind" },
      {
        name: "yes",
        kind: "boolean",
        help: "also what only looks like an old challenge value, which is shown otherwise",
      },
      {
        name: "domain",
        short: "d",
        kind: "string",
        repeatable: true,
        value: "NAME",
        help: "with --leftovers: also look at the challenge name of this domain",
      },
      providerFlag,
      ...dnsFlags.filter((f) => !f.name.startsWith("propagation")),
      ...configFlags,
    ],
    example: "dns01 cleanup _acme-challenge.example.com 0123456789abcdefghijklmnopqrstuvwxyzABCDEFG -p rfc2136",
    notes:
      "Only this value is removed; others at the same name stay. Values of a run that is under way are never left over.",
  },
  {
    name: "check",
    summary: "wait until every authoritative nameserver serves a value, and show each",
    usage: "FQDN VALUE… [options]",
    positionals: { min: 2, max: 16 },
    flags: [...dnsFlags, configFlag],
    example:
      "dns01 check _acme-challenge.example.com 0123456789abcdefghijklmnopqrstuvwxyzABCDEFG --propagation-timeout 30s",
  },
];
