import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readFlags } from "../../../src/cli/args.ts";
import type { CommandInput } from "../../../src/cli/command.ts";
import { commands, globalFlags } from "../../../src/cli/spec.ts";
import { command } from "../../../src/cli/webhook-check.ts";
import type { Dns01Event } from "../../../src/core/events.ts";
import { createRedactor } from "../../../src/core/redact.ts";
import { builtInProviders } from "../../../src/providers.ts";
import type { Finding } from "../../../src/webhook/check/finding.ts";
import type { KubeApiServer, KubeObject } from "../../fakes/kube-apiserver.ts";
import { configMap, folder, grant, secret, startApi } from "../../kubernetes/support.ts";

export const group = "acme.dns01.io";
export const certManager = "system:serviceaccount:cert-manager:cert-manager";
export const webhook = "system:serviceaccount:dns01:dns01";

export const object = (
  apiVersion: string,
  kind: string,
  metadata: KubeObject["metadata"],
  rest: object,
): KubeObject => ({
  apiVersion,
  kind,
  metadata,
  ...rest,
});

export function apiService(
  spec: object = {},
  available: object = { status: "True", reason: "Passed" },
  name = group,
): KubeObject {
  return object(
    "apiregistration.k8s.io/v1",
    "APIService",
    { name: `v1alpha1.${name}`, annotations: { "cert-manager.io/inject-ca-from": "dns01/dns01-tls" } },
    {
      spec: {
        group: name,
        version: "v1alpha1",
        caBundle: "LS0t",
        service: { namespace: "dns01", name: "dns01", port: 443 },
        ...spec,
      },
      status: { conditions: [{ type: "Available", message: "all checks passed", ...available }] },
    },
  );
}

export function endpointSlice(ready: boolean): KubeObject {
  const labels = { "kubernetes.io/service-name": "dns01" };
  const endpoints = [{ addresses: ["10.0.0.7"], conditions: { ready } }];
  return object("discovery.k8s.io/v1", "EndpointSlice", { name: "dns01-x", namespace: "dns01", labels }, { endpoints });
}

function deployment(name: string, namespace: string, labels: object, account: string, args: string[]): KubeObject {
  const template = { metadata: { labels }, spec: { serviceAccountName: account, containers: [{ name: "c", args }] } };
  return object("apps/v1", "Deployment", { name, namespace, labels }, { spec: { template } });
}

export function certManagerDeployment(account = "cert-manager", namespace = "cert-manager"): KubeObject {
  const labels = { "app.kubernetes.io/name": "cert-manager", "app.kubernetes.io/component": "controller" };
  const args = ["--v=2", "--cluster-resource-namespace=$(POD_NAMESPACE)"];
  return deployment("cert-manager", namespace, labels, account, args);
}

export function issuer(name: string, namespace: string | undefined, ...solvers: readonly object[]): KubeObject {
  const metadata = { name, ...(namespace === undefined ? {} : { namespace }) };
  const kind = namespace === undefined ? "ClusterIssuer" : "Issuer";
  return object("cert-manager.io/v1", kind, metadata, { spec: { acme: { server: "https://ca.test", solvers } } });
}

export function solver(solverName: string, config: object, more: object = {}, groupName = group) {
  return { ...more, dns01: { webhook: { groupName, solverName, config } } };
}

export const cloudflare = solver("cloudflare", { apiTokenSecretRef: { name: "cf", key: "token" } });

/** A cluster as the charts of cert-manager and dns01 leave it, with one ClusterIssuer. */
export async function startCluster(): Promise<KubeApiServer> {
  const api = await startApi();
  const { store } = api;
  const labels = { "app.kubernetes.io/name": "dns01" };
  store.put(apiService());
  store.put(
    object(
      "v1",
      "Service",
      { name: "dns01", namespace: "dns01" },
      { spec: { selector: labels, ports: [{ port: 443 }] } },
    ),
  );
  store.put(endpointSlice(true));
  const args = ["webhook", `--group-name=${group}`, `--allowed-caller=${certManager}`];
  store.put(deployment("dns01", "dns01", labels, "dns01", args));
  store.put(certManagerDeployment());
  const authentication = "extension-apiserver-authentication";
  const pem = "-----BEGIN CERTIFICATE-----\n";
  store.put(configMap(authentication, "kube-system", { "requestheader-client-ca-file": pem }));
  const reader = { verbs: ["get", "list", "watch"], apiGroups: [""], resources: ["configmaps"] };
  grant(api, webhook, { ...reader, resourceNames: [authentication] }, "kube-system");
  grant(api, webhook, { verbs: ["get"], apiGroups: [""], resources: ["secrets"] }, "cert-manager");
  grant(api, certManager, { verbs: ["create"], apiGroups: [group], resources: ["*"] });
  store.put(secret("cf", "cert-manager", { token: "s3cr3t-cloudflare-token\n" }));
  store.put(issuer("letsencrypt", undefined, cloudflare));
  api.aggregated.set(group, ["cloudflare", "dnspod", "rfc2136", "route53"]);
  return api;
}

export interface Checked {
  readonly status: number;
  readonly text: string;
  readonly findings: readonly Finding[];
  readonly events: readonly Dns01Event[];
  /** Failed ones as "WHAT: CAUSE → NEXT". */
  readonly failures: readonly string[];
  readonly warnings: readonly string[];
}

/** Runs the command as an administrator, or as the user of a token. */
export async function check(
  api: KubeApiServer,
  args: readonly string[] = [],
  options: { token?: string; signal?: AbortSignal; inPod?: boolean } = {},
): Promise<Checked> {
  const file = join(await folder(), "kubeconfig");
  const token = options.token ?? api.token("admin", ["system:masters"]);
  await writeFile(file, api.kubeconfig({ token }));
  const spec = commands.find(({ name }) => name === "webhook check");
  const given = options.inPod === true ? args : ["--kubeconfig", file, ...args];
  const env = options.inPod === true ? { KUBECONFIG: file, KUBERNETES_SERVICE_HOST: "10.96.0.1" } : {};
  const { flags, issues } = readFlags(given, [...globalFlags, ...(spec?.flags ?? [])], {});
  const io = { env, signal: options.signal ?? new AbortController().signal };
  const events: Dns01Event[] = [];
  const observer = (event: Dns01Event) => void events.push(event);
  const redactor = createRedactor();
  const more = { observer, redactor, registry: builtInProviders(), version: "0" };
  const output = await command.run({ flags, issues, io, ...more } as unknown as CommandInput);
  if (output === undefined) throw new Error("the command said nothing");
  const { findings } = output.json as { readonly findings: readonly Finding[] };
  const told = (state: Finding["state"]) =>
    findings.flatMap((one) => (one.state === state ? [`${one.what}: ${one.cause} → ${one.next ?? ""}`] : []));
  return {
    status: output.status ?? 0,
    text: output.text,
    findings,
    events,
    failures: told("failed"),
    warnings: told("warning"),
  };
}
