import type { CommandSpec } from "./command-spec.ts";
import { caFlags, configFlag } from "./flags.ts";

/** The commands on what is stored already. */
export const storedCommands: readonly CommandSpec[] = [
  {
    name: "list",
    summary: "declared and stored certificates, with the state of each",
    usage: "[options]",
    flags: [
      {
        name: "check",
        kind: "boolean",
        help: "end with status 6 when a certificate is expired, failing, not issued, not deployed or damaged",
      },
      configFlag,
    ],
    example: "dns01 list --check",
  },
  {
    name: "show",
    summary: "one certificate: state, chain, key, names, renewal, history",
    usage: "NAME [options]",
    positionals: { min: 1, max: 1 },
    flags: [configFlag],
    example: "dns01 show example.com",
  },
  {
    name: "revoke",
    summary: "revoke a stored certificate at its CA",
    usage: "NAME [options]",
    positionals: { min: 1, max: 1 },
    flags: [
      {
        name: "reason",
        kind: "string",
        value: "REASON",
        help: "by name or number of RFC 5280: keyCompromise (1), superseded (4), cessationOfOperation (5) …",
      },
      { name: "by-key", kind: "boolean", help: "sign with the certificate's own key: for when the account is gone" },
      ...caFlags.filter((f) => f.name === "ca-root"),
      configFlag,
    ],
    example: "dns01 revoke example.com --reason keyCompromise",
    notes: "A revoked certificate is not renewed unless that is forced. Revoking twice is no error.",
  },
  {
    name: "delete",
    summary: "forget a stored certificate here",
    usage: "NAME [options]",
    positionals: { min: 1, max: 1 },
    flags: [{ name: "yes", kind: "boolean", help: "delete it even though it is still valid" }],
    example: "dns01 delete old.example.com",
    notes: "Certificate, key and earlier versions go; at the CA nothing changes (dns01 revoke does that).",
  },
];
