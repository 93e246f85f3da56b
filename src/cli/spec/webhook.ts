import type { CommandSpec } from "./command-spec.ts";
import { dnsFlags, pluginFlags } from "./flags.ts";
import { webhookCheckFlags, webhookValidateFlags } from "./webhook-check-flags.ts";
import { webhookFlags } from "./webhook-flags.ts";

/** The commands for cert-manager's webhook. */
export const webhookCommands: readonly CommandSpec[] = [
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
      "Looks only, but for --domain and --write: they put one random value into DNS and take it out again. Exit status 0 when nothing failed, else 2, 3 or 4 by the class of what did.",
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
];
