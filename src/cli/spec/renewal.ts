import type { CommandSpec } from "./command-spec.ts";
import { caFlags, configFlags, deploymentFlags, dnsFlags, eabFlags, emailFlag, providerFlag } from "./flags.ts";

/** The commands that keep certificates valid. */
export const renewalCommands: readonly CommandSpec[] = [
  {
    name: "renew",
    summary: "issue the declared certificates that are missing, and renew every one that is due",
    usage: "[NAME…] [options]",
    positionals: { min: 0, max: 10_000 },
    providerFlags: true,
    flags: [
      { name: "force", kind: "boolean", help: "renew what is not due, too" },
      {
        name: "dry-run",
        kind: "boolean",
        help: "everything up to finalize for what is due, at the CA's staging endpoint where it has one",
      },
      {
        name: "parallel",
        kind: "integer",
        value: "N",
        default: "4",
        help: "certificates worked on at once",
      },
      providerFlag,
      emailFlag,
      ...caFlags,
      ...eabFlags,
      ...deploymentFlags,
      ...dnsFlags,
      ...configFlags,
    ],
    example: "dns01 renew",
    notes:
      "Works on every certificate that dns01.yaml declares or the state directory holds. Names, CA, key type, profile and chain are those of dns01.yaml where it declares the certificate, else of the record. Credentials come from the environment or dns01.yaml. When nothing is due and the CA need not be asked, no request is sent. Safe to run every hour.",
  },
  {
    name: "run",
    summary: "keep certificates valid: a daemon that issues what the file declares and renews whatever is stored",
    usage: "[options]",
    reloads: true,
    providerFlags: true,
    flags: [
      {
        name: "listen",
        kind: "string",
        value: "ADDR:PORT",
        help: "serve /healthz and /metrics here (:9402 is every address of the machine)",
      },
      { name: "parallel", kind: "integer", value: "N", default: "4", help: "certificates worked on at once" },
      {
        name: "orders-per-second",
        kind: "integer",
        value: "N",
        default: "1",
        help: "orders placed at one CA in a second, at most",
      },
      { name: "once", kind: "boolean", help: "do one round, as renew does, and end" },
      { name: "print-unit", kind: "boolean", help: "print a unit for systemd with these options, and stop" },
      {
        name: "unit",
        kind: "string",
        value: "UNIT",
        choices: ["dns01.service", "dns01-renew.service", "dns01-renew.timer"],
        default: "dns01.service",
        help: "which unit --print-unit prints; the other two run renew by the clock instead",
      },
      providerFlag,
      emailFlag,
      ...caFlags,
      ...eabFlags,
      ...deploymentFlags,
      ...dnsFlags,
      ...configFlags,
    ],
    example: "dns01 run --config /etc/dns01/dns01.yaml --listen 127.0.0.1:9402",
    notes:
      "Reads the file again when it or a secret it names changes, and on SIGHUP; one that is broken leaves the earlier one in force. SIGTERM ends it in order, with status 0: what stands in DNS is taken out first. One run per state directory.",
  },
];
