import type { FlagSpec } from "./command-spec.ts";
import { webhookFlags } from "./webhook-flags.ts";

/** Flags of `dns01 webhook` that say what is served, for the commands that look at it from outside. */
function shared(...names: readonly string[]): readonly FlagSpec[] {
  return webhookFlags.filter(({ name }) => names.includes(name));
}

export const webhookValidateFlags: readonly FlagSpec[] = [
  ...shared("group-name", "providers", "allowed-endpoint", "restrict-nameservers", "propagation-gate"),
];

export const webhookCheckFlags: readonly FlagSpec[] = [
  ...shared("group-name"),
  {
    name: "kubeconfig",
    kind: "string",
    value: "FILE",
    help: "how to reach the cluster (default: KUBECONFIG, the pod's own account, ~/.kube/config)",
  },
  { name: "context", kind: "string", value: "NAME", help: "context of the kubeconfig (default: its current one)" },
  {
    name: "namespace",
    kind: "string",
    value: "NAME",
    help: "where dns01 runs (default: the namespace that the APIService names)",
  },
  {
    name: "service-account",
    kind: "string",
    value: "[NAMESPACE/]NAME",
    help: "ServiceAccount of dns01 (default: that of its Deployment)",
  },
  {
    name: "cert-manager-service-account",
    kind: "string",
    value: "NAMESPACE/NAME",
    help: "ServiceAccount of cert-manager's controller (default: that of its Deployment, else cert-manager/cert-manager)",
  },
  {
    name: "cluster-resource-namespace",
    kind: "string",
    value: "NAME",
    help: "where Secrets of ClusterIssuers are (default: what cert-manager's Deployment says, else cert-manager)",
  },
  {
    name: "issuer",
    kind: "string",
    value: "NAME|NAMESPACE/NAME",
    help: "only this ClusterIssuer or Issuer, and write a value with it (with --domain)",
  },
  {
    name: "domain",
    kind: "string",
    value: "NAME",
    help: "write a random value for this domain, look for it at the nameservers, take it out",
  },
  { name: "write", kind: "boolean", help: "the same with every Issuer whose selector names a domain" },
  ...shared("allowed-endpoint", "restrict-nameservers", "propagation-gate"),
];
