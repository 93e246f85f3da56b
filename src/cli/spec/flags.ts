import type { FlagSpec } from "./command-spec.ts";

/** Taken by every command. */
export const globalFlags: readonly FlagSpec[] = [
  { name: "state", kind: "string", value: "DIR", help: "state directory (accounts, certificates, journal)" },
  { name: "json", kind: "boolean", help: "exactly one JSON document on stdout" },
  {
    name: "log-format",
    kind: "string",
    value: "FORMAT",
    choices: ["text", "json"],
    default: "text",
    help: "form of the lines on stderr",
  },
  {
    name: "log-level",
    kind: "string",
    value: "LEVEL",
    choices: ["debug", "info", "warn", "error"],
    default: "info",
    help: "least level that is shown on stderr",
  },
  { name: "quiet", short: "q", kind: "boolean", help: "no progress, only errors; nothing where nothing was to do" },
  { name: "show-config", kind: "boolean", help: "print every value with its source, secrets masked, and stop" },
  { name: "help", short: "h", kind: "boolean", help: "this text" },
];

/** How nameservers are found, and how long they are waited for. */
export const dnsFlags: readonly FlagSpec[] = [
  {
    name: "resolver",
    kind: "string",
    repeatable: true,
    value: "ADDR[:PORT]|URL",
    help: "find nameservers through this resolver or DoH address instead of walking from the root",
  },
  {
    name: "discovery",
    kind: "string",
    value: "HOW",
    choices: ["walk", "resolver"],
    help: "walk from the root, or go through the resolver (default: walk, or resolver where --resolver is given)",
  },
  {
    name: "nameserver",
    kind: "string",
    repeatable: true,
    value: "ADDR[:PORT]",
    help: "poll exactly these authoritative servers",
  },
  {
    name: "dns-port",
    kind: "integer",
    value: "N",
    default: "53",
    help: "port of the authoritative servers found (labs)",
  },
  {
    name: "propagation",
    kind: "string",
    value: "MODE",
    choices: ["authoritative", "recursive", "both", "none"],
    default: "authoritative",
    help: "whom to ask before the CA is asked to look",
  },
  {
    name: "propagation-timeout",
    kind: "duration",
    value: "TIME",
    default: "5m",
    help: "how long to wait for every nameserver",
  },
];

export const configFlag: FlagSpec = {
  name: "config",
  kind: "string",
  value: "FILE",
  help: "configuration file (default: dns01.yaml here, then in the configuration folder)",
};

export const pluginFlags: readonly FlagSpec[] = [
  {
    name: "plugin",
    kind: "string",
    repeatable: true,
    value: "PATH|PACKAGE",
    help: "one more provider, from a JavaScript file or an installed package",
  },
  configFlag,
];

/** For commands that take credentials from the file. */
export const configFlags: readonly FlagSpec[] = [
  ...pluginFlags,
  { name: "allow-inline-secrets", kind: "boolean", help: "take secrets written into the configuration file itself" },
];

export const providerFlag: FlagSpec = {
  name: "provider",
  short: "p",
  kind: "string",
  value: "ID",
  help: "DNS service that holds the zone (see: dns01 providers)",
};

/** Where a new certificate goes besides the state directory. */
export const deploymentFlags: readonly FlagSpec[] = [
  { name: "out", kind: "string", value: "DIR", help: "also copy the files there" },
  { name: "out-owner", kind: "string", value: "USER", help: "user the copies are given to" },
  { name: "out-group", kind: "string", value: "GROUP", help: "group the copies are given to" },
  { name: "out-mode", kind: "string", value: "MODE", help: "mode of the copied key, for example 0640 (default: 0600)" },
  {
    name: "pfx-password-file",
    kind: "string",
    value: "FILE",
    help: "also write certificate.pfx (PKCS #12) with the password in this file",
  },
  { name: "pfx-legacy", kind: "boolean", help: "encrypt it as old systems want it (3DES, SHA-1)" },
  {
    name: "deploy-hook",
    kind: "string",
    value: "CMD",
    help: "shell command to run once for each new certificate, after it is stored and copied",
  },
  {
    name: "deploy-timeout",
    kind: "duration",
    value: "TIME",
    default: "5m",
    help: "how long the command may take",
  },
];

export const caFlags: readonly FlagSpec[] = [
  {
    name: "ca",
    kind: "string",
    value: "ID|URL",
    default: "letsencrypt",
    help: "letsencrypt, letsencrypt-staging, google, google-staging, zerossl, sslcom, actalis, litessl or a directory URL",
  },
  { name: "ca-root", kind: "string", value: "FILE", help: "PEM file trusted for the API of a private CA" },
];

export const emailFlag: FlagSpec = {
  name: "email",
  short: "m",
  kind: "string",
  value: "ADDRESS",
  help: "contact for the account (optional)",
};

/** External account binding, for CAs that want one. */
export const eabFlags: readonly FlagSpec[] = [
  { name: "eab-kid", kind: "string", value: "ID", help: "key id of the external account binding" },
  { name: "eab-hmac-key", kind: "string", value: "FILE", secretFile: true, help: "file with the binding's HMAC key" },
];
