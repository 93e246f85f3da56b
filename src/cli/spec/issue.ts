import type { CommandSpec } from "./command-spec.ts";
import { caFlags, configFlags, deploymentFlags, dnsFlags, eabFlags, emailFlag, providerFlag } from "./flags.ts";

/** The command that gets one certificate. */
export const issueCommands: readonly CommandSpec[] = [
  {
    name: "issue",
    summary: "get one certificate, now",
    usage: "-d DOMAIN… -p PROVIDER [options]",
    providerFlags: true,
    flags: [
      {
        name: "domain",
        short: "d",
        kind: "string",
        repeatable: true,
        value: "NAME",
        help: "name to certify, *.wildcards too; the first one names the certificate",
      },
      providerFlag,
      {
        name: "name",
        kind: "string",
        value: "NAME",
        help: "name of the certificate in the state directory; without -d one that dns01.yaml declares",
      },
      emailFlag,
      ...caFlags,
      ...eabFlags,
      {
        name: "key-type",
        kind: "string",
        value: "TYPE",
        choices: ["ec256", "ec384", "rsa2048", "rsa3072", "rsa4096"],
        default: "ec256",
        help: "type of the certificate's key",
      },
      { name: "profile", kind: "string", value: "NAME", help: "certificate profile the CA offers" },
      {
        name: "preferred-chain",
        kind: "string",
        value: "NAME",
        help: "common name of an issuer in the chain to prefer",
      },
      { name: "reuse-key", kind: "boolean", help: "keep the private key of the stored certificate" },
      { name: "csr", kind: "string", value: "FILE", help: "certify this request (PEM or DER) with a key of your own" },
      ...deploymentFlags,
      ...dnsFlags,
      ...configFlags,
      {
        name: "dry-run",
        kind: "boolean",
        help: "everything up to finalize, at the CA's staging endpoint where it has one",
      },
      {
        name: "expand",
        kind: "boolean",
        help: "keep the names of the stored certificate, and its key type unless --key-type is given, and add those of -d",
      },
      {
        name: "replace",
        kind: "boolean",
        help: "order exactly these names and this key type, whatever the stored certificate has",
      },
      { name: "force", kind: "boolean", help: "order even if a valid certificate of these names is stored" },
    ],
    example: "dns01 issue -d example.com -d '*.example.com' -p rfc2136 --rfc2136-nameserver 192.0.2.53",
  },
];
