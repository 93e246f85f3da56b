import { webhookCheckFlags, webhookValidateFlags } from "./webhook-check-flags.ts";
import { webhookFlags } from "./webhook-flags.ts";

/** What a command line may contain; plain data, so that help needs nothing else loaded. */
export interface FlagSpec {
  /** Without dashes: "propagation-timeout". */
  readonly name: string;
  readonly short?: string;
  readonly kind: "string" | "boolean" | "duration" | "integer";
  readonly repeatable?: true;
  /** Shown in help for the value: "FILE". */
  readonly value?: string;
  readonly choices?: readonly string[];
  readonly default?: string;
  /** An established environment name besides DNS01_…. */
  readonly env?: string;
  readonly help: string;
  /** Its environment form holds the secret itself, the flag only a file's path. */
  readonly secretFile?: true;
}

export interface CommandSpec {
  readonly name: string;
  readonly summary: string;
  /** After the command's name in the usage line. */
  readonly usage: string;
  readonly flags: readonly FlagSpec[];
  /** SIGHUP means to read the configuration again, not to end. */
  readonly reloads?: true;
  /** Whether provider fields (`--rfc2136-nameserver` …) are taken. */
  readonly providerFlags?: true;
  readonly positionals?: { readonly min: number; readonly max: number };
  /** Whether the first argument is the configuration file, as --config is. */
  readonly namesConfig?: true;
  readonly example: string;
  readonly notes?: string;
}

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
  { name: "quiet", short: "q", kind: "boolean", help: "no progress, only errors" },
  { name: "show-config", kind: "boolean", help: "print every value with its source, secrets masked, and stop" },
  { name: "help", short: "h", kind: "boolean", help: "this text" },
];

const dnsFlags: readonly FlagSpec[] = [
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

const configFlag: FlagSpec = {
  name: "config",
  kind: "string",
  value: "FILE",
  help: "configuration file (default: dns01.yaml here, then in the configuration folder)",
};

const pluginFlags: readonly FlagSpec[] = [
  {
    name: "plugin",
    kind: "string",
    repeatable: true,
    value: "PATH|PACKAGE",
    help: "one more provider, from a JavaScript file or an installed package",
  },
  configFlag,
];

const configFlags: readonly FlagSpec[] = [
  ...pluginFlags,
  { name: "allow-inline-secrets", kind: "boolean", help: "take secrets written into the configuration file itself" },
];

const providerFlag: FlagSpec = {
  name: "provider",
  short: "p",
  kind: "string",
  value: "ID",
  help: "DNS service that holds the zone (see: dns01 providers)",
};

const deploymentFlags: readonly FlagSpec[] = [
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

const caFlags: readonly FlagSpec[] = [
  {
    name: "ca",
    kind: "string",
    value: "ID|URL",
    default: "letsencrypt",
    help: "letsencrypt, letsencrypt-staging, google, google-staging, zerossl, sslcom, actalis, litessl or a directory URL",
  },
  { name: "ca-root", kind: "string", value: "FILE", help: "PEM file trusted for the API of a private CA" },
];

const emailFlag: FlagSpec = {
  name: "email",
  short: "m",
  kind: "string",
  value: "ADDRESS",
  help: "contact for the account (optional)",
};

const eabFlags: readonly FlagSpec[] = [
  { name: "eab-kid", kind: "string", value: "ID", help: "key id of the external account binding" },
  { name: "eab-hmac-key", kind: "string", value: "FILE", secretFile: true, help: "file with the binding's HMAC key" },
];

const configFile = pluginFlags.filter((f) => f.name === "config");

export const commands: readonly CommandSpec[] = [
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
      { name: "force", kind: "boolean", help: "order even if a valid certificate of these names is stored" },
    ],
    example: "dns01 issue -d example.com -d '*.example.com' -p rfc2136 --rfc2136-nameserver 192.0.2.53",
  },
  {
    name: "renew",
    summary: "renew every stored certificate that is due",
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
      "Names, CA, key type, profile and chain are those of the record, or of dns01.yaml where it declares the certificate; credentials come from the environment or dns01.yaml. Nothing is sent to anybody when nothing is due and the CA need not be asked. Safe to run every hour.",
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
  {
    name: "list",
    summary: "stored certificates",
    usage: "[options]",
    flags: [],
    example: "dns01 list --json",
  },
  {
    name: "show",
    summary: "one stored certificate: chain, key, names, renewal, history",
    usage: "NAME [options]",
    positionals: { min: 1, max: 1 },
    flags: [],
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
      ...configFile,
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
  {
    name: "account show",
    summary: "the ACME account in use, and what the CA says of it",
    usage: "[options]",
    flags: [...caFlags, ...configFile],
    example: "dns01 account show --ca letsencrypt",
  },
  {
    name: "account rollover",
    summary: "give the ACME account a new key",
    usage: "[options]",
    flags: [...caFlags, ...configFile],
    example: "dns01 account rollover --ca letsencrypt",
    notes: "The new key is stored before the CA hears of it; an interrupted change is ended by the next use.",
  },
  {
    name: "account deactivate",
    summary: "end the ACME account for good",
    usage: "--yes [options]",
    flags: [...caFlags, { name: "yes", kind: "boolean", help: "really: it cannot be undone" }, ...configFile],
    example: "dns01 account deactivate --ca letsencrypt-staging --yes",
    notes: "Its certificates stay valid. The next `dns01 issue` at this CA registers a new account.",
  },
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
  {
    name: "webhook",
    summary: "solve DNS-01 challenges for cert-manager, in a cluster",
    usage: "--tls-cert-file FILE --tls-private-key-file FILE [options]",
    flags: [...webhookFlags, ...dnsFlags.filter((f) => f.name !== "propagation"), ...pluginFlags],
    example: "dns01 webhook --tls-cert-file /tls/tls.crt --tls-private-key-file /tls/tls.key --log-format json",
    notes:
      "An extension API server: kube-apiserver calls it for cert-manager. Ends at SIGTERM when every call is answered.",
  },
  {
    name: "webhook check",
    summary: "what keeps a cluster's Issuers from dns01: APIService, certificates, rights, Secrets, credentials",
    usage: "[options]",
    flags: [...webhookCheckFlags, ...dnsFlags.filter((f) => f.name !== "propagation"), ...pluginFlags],
    example: "dns01 webhook check --issuer letsencrypt --domain example.com",
    notes:
      "Looks only, but for --domain and --write: they put one random value into DNS and take it out again. Exit status 0 when nothing failed (docs/webhook-check.md).",
  },
  {
    name: "webhook validate",
    summary: "everything that dns01 would refuse in Issuer manifests, at once; nothing is called",
    usage: "FILE… [options]",
    positionals: { min: 1, max: 10_000 },
    flags: [...webhookValidateFlags, ...pluginFlags],
    example: "dns01 webhook validate issuers.yaml",
    notes:
      "FILE holds one or several objects (YAML or JSON, lists too); - is standard input. Exit status 0, or 2 with every fault and its line.",
  },
  {
    name: "sandbox",
    summary: "a local CA and nameservers, to try everything without an account",
    usage: "[options] [-- COMMAND…]",
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
        help: "how the CA differs: ari=past, processing=2m, lifetime=6d, caching-resolver … (docs/sandbox.md)",
      },
      { name: "zone", kind: "string", repeatable: true, value: "NAME", help: "serve this zone as well" },
      { name: "seed", kind: "integer", value: "N", help: "of weather and shuffling, to repeat a run" },
      { name: "eab", kind: "boolean", help: "require external account binding, and print its key" },
    ],
    example: "dns01 sandbox -- dns01 issue -d example.test -d '*.example.test' -p rfc2136",
  },
];
