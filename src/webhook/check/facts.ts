import { openDns } from "../../issuer/network.ts";
import { type AllowedEndpoint, parseAllowedEndpoints } from "../solve/endpoints.ts";
import { asObject, type Json } from "../validate/fault.ts";
import { rulesOf } from "../validate/rules.ts";
import type { CertManagerFacts, CheckDeps, Context, ServiceRef, WebhookFacts } from "./context.ts";
import { listIssuers } from "./issuer-list.ts";
import { accountOf, argumentsOf, flagsOf, itemsOf, look, matches, nameOf, textOf } from "./look.ts";

/** Asks for each fact once, when the first check wants it. */
export function createContext(deps: CheckDeps): Context {
  const services = once(() => findServices(deps));
  const webhook = once(async () => findWebhook(deps, await services()));
  const certManager = once(() => findCertManager(deps));
  const rules = once(async () => {
    const { settings, registry } = deps;
    const { served, flags } = await webhook();
    return await rulesOf(registry, {
      groups: settings.groups,
      endpoints: {
        allowed: [...settings.allowedEndpoints, ...allowedBy(flags)],
        anyNameserver: settings.anyNameserver && flags?.has("restrict-nameservers") !== true,
      },
      gate: settings.gate || flags?.has("propagation-gate") === true,
      served,
    });
  });
  const issuers = once(async () => listIssuers(deps, (await certManager()).clusterResourceNamespace));
  const network = once(() => openDns(deps.settings.dns, deps.observer, undefined, deps.clock));
  return { ...deps, services, webhook, certManager, rules, issuers, network };
}

/** What the Deployment allows; the webhook itself does not start with one that cannot be read. */
function allowedBy(flags: WebhookFacts["flags"]): readonly AllowedEndpoint[] {
  try {
    return parseAllowedEndpoints(flags?.get("allowed-endpoint") ?? []);
  } catch {
    return [];
  }
}

/** Returns the groups of the settings and, unless the user gave them, those that the same Service serves besides. */
export async function groupsOf(deps: CheckDeps): Promise<readonly string[]> {
  const { groups, findGroups } = deps.settings;
  if (findGroups !== true) return groups;
  const found = itemsOf(await look(deps, "/apis/apiregistration.k8s.io/v1/apiservices")).flatMap((item) => {
    const { group, version } = asObject(item["spec"]);
    const service = serviceOf(item);
    if (service === undefined || version !== "v1alpha1" || typeof group !== "string") return [];
    return [{ group, service: `${service.namespace}/${service.name}` }];
  });
  const ours = found.flatMap(({ group, service }) => (groups.includes(group) ? [service] : []));
  const beside = found.flatMap(({ group, service }) => (ours.includes(service) ? [group] : []));
  return [...new Set([...groups, ...beside])];
}

/** Where the APIServices lead. */
async function findServices(deps: CheckDeps): Promise<readonly ServiceRef[]> {
  const found = new Map<string, ServiceRef>();
  for (const group of deps.settings.groups) {
    const seen = await look(deps, apiServicePath(group));
    const ref = seen.state === "found" ? serviceOf(seen.object) : undefined;
    if (ref !== undefined) found.set(`${ref.namespace}/${ref.name}:${ref.port}`, ref);
  }
  return [...found.values()];
}

export function apiServicePath(group: string): string {
  return `/apis/apiregistration.k8s.io/v1/apiservices/v1alpha1.${encodeURIComponent(group)}`;
}

export function serviceOf(apiService: Json): ServiceRef | undefined {
  const service = asObject(asObject(apiService["spec"])["service"]);
  const [namespace, name] = [textOf(service["namespace"]), textOf(service["name"])];
  if (namespace === undefined || name === undefined) return undefined;
  const { port } = service;
  return { namespace, name, port: typeof port === "number" ? port : 443 };
}

async function findWebhook(deps: CheckDeps, services: readonly ServiceRef[]): Promise<WebhookFacts> {
  const { settings } = deps;
  const [ref] = services;
  const deployment = ref === undefined ? await deploymentIn(deps) : await deploymentOf(deps, ref);
  const served = new Set<string>();
  for (const group of settings.groups) {
    const document = await look(deps, `/apis/${group}/v1alpha1`);
    if (document.state !== "found") continue;
    const { resources } = document.object;
    for (const one of Array.isArray(resources) ? resources : []) served.add(textOf(asObject(one)["name"]) ?? "");
  }
  return {
    account: settings.webhookAccount ?? (deployment === undefined ? undefined : accountOf(deployment)),
    deployment: deployment === undefined ? undefined : titleOf(deployment),
    flags: deployment === undefined ? undefined : flagsOf(argumentsOf(deployment)),
    served: served.size === 0 ? undefined : [...served].filter((one) => one !== "").sort(),
  };
}

function titleOf(deployment: Json): string {
  return `${accountOf(deployment)?.namespace ?? ""}/${nameOf(deployment)}`;
}

/** The Deployment whose pods the Service leads to. */
async function deploymentOf(deps: CheckDeps, { namespace, name }: ServiceRef): Promise<Json | undefined> {
  const service = await look(deps, `/api/v1/namespaces/${namespace}/services/${name}`);
  if (service.state !== "found") return undefined;
  const selector = asObject(asObject(service.object["spec"])["selector"]);
  const deployments = itemsOf(await look(deps, `/apis/apps/v1/namespaces/${namespace}/deployments`));
  const labelsOf = (one: Json) => asObject(asObject(asObject(asObject(one["spec"])["template"])["metadata"])["labels"]);
  return deployments.find((one) => matches(selector, labelsOf(one)));
}

/** Without an APIService that leads to it: one that runs `dns01 webhook` where it is said to be. */
async function deploymentIn(deps: CheckDeps): Promise<Json | undefined> {
  const { namespace } = deps.settings;
  if (namespace === undefined) return undefined;
  const deployments = itemsOf(await look(deps, `/apis/apps/v1/namespaces/${namespace}/deployments`));
  return deployments.find((one) => argumentsOf(one).includes("webhook") && flagsOf(argumentsOf(one)).has("group-name"));
}

const certManagerLabels = { "app.kubernetes.io/name": "cert-manager", "app.kubernetes.io/component": "controller" };

async function findCertManager(deps: CheckDeps): Promise<CertManagerFacts> {
  const { settings } = deps;
  const query = Object.entries(certManagerLabels).map(([key, value]) => `${key}=${value}`);
  const path = `/apis/apps/v1/deployments?labelSelector=${encodeURIComponent(query.join(","))}`;
  const deployments = itemsOf(await look(deps, path));
  const deployment = deployments.find((one) =>
    matches(certManagerLabels, asObject(asObject(one["metadata"])["labels"])),
  );
  const running = deployment === undefined ? undefined : accountOf(deployment);
  const usual = { namespace: "cert-manager", name: "cert-manager" };
  const account = settings.certManagerAccount ?? running ?? usual;
  const said =
    deployment === undefined ? undefined : flagsOf(argumentsOf(deployment)).get("cluster-resource-namespace");
  // "$(POD_NAMESPACE)" in its chart.
  const own = said?.[0]?.startsWith("$(") === true ? running?.namespace : said?.[0];
  return {
    account,
    running,
    source:
      settings.certManagerAccount !== undefined
        ? "--cert-manager-service-account"
        : running !== undefined
          ? "its Deployment"
          : "the usual one; its Deployment could not be seen",
    clusterResourceNamespace: settings.clusterResourceNamespace ?? own ?? running?.namespace ?? account.namespace,
  };
}

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => {
    result ??= work();
    return result;
  };
}
