import { nearest } from "../../core/nearest.ts";
import type { SecretData } from "../../kubernetes/api.ts";
import { KubernetesError } from "../../kubernetes/error.ts";
import type { SecretReference } from "../solve/config.ts";
import { accountText, type Check, type Context, type IssuerFacts } from "./context.ts";
import { type Finding, failed, ok, warning } from "./finding.ts";
import { mayDo } from "./may.ts";
import { readIssuers } from "./read-issuers.ts";

const check = "secrets";

/** Whether the Secrets of every Issuer are where they are looked for, hold the keys, and may be read by dns01. */
export const secrets: Check = {
  id: check,
  async run(context) {
    const findings: Finding[] = [];
    for (const { issuer, report } of await readIssuers(context)) {
      const references = report.solvers.flatMap(({ config }) => config?.references ?? []);
      const names = [...new Set(references.map(({ name }) => name))].sort();
      for (const name of names) {
        const wanted = references.filter((one) => one.name === name);
        findings.push(...(await checkSecret(name, wanted, issuer, context)));
      }
    }
    return findings;
  },
};

async function checkSecret(
  name: string,
  wanted: readonly SecretReference[],
  issuer: IssuerFacts,
  context: Context,
): Promise<readonly Finding[]> {
  const { secretNamespace: namespace, title } = issuer;
  const what = `Secret ${namespace}/${name} of ${title}`;
  const right = await rightOf(name, namespace, what, context);
  let secret: SecretData;
  try {
    secret = await context.kube.readSecret(namespace, name, context.signal);
  } catch (error) {
    if (!(error instanceof KubernetesError)) throw error;
    if (error.status === 404) return [...right, await missing(name, issuer, what, context)];
    const next = "Run this with a user who may get it, to see whether it is there.";
    return [...right, warning({ check, what, cause: `could not be looked at: ${error.message}`, next })];
  }
  const faults = wanted.flatMap(({ key, path }) => keyFault(key, path, secret, what));
  if (faults.length > 0 || right.some(({ state }) => state !== "ok")) return [...right, ...faults];
  return [
    ok(check, what, `is there with ${[...new Set(wanted.map(({ key }) => key))].join(", ")}, and dns01 may read it`),
  ];
}

function keyFault(key: string, path: string, { data }: SecretData, what: string): readonly Finding[] {
  const bytes = Object.hasOwn(data, key) ? data[key] : undefined;
  const next = "Put the value there under this key, or name the right one in the Issuer.";
  if (bytes === undefined) {
    const keys = Object.keys(data).sort();
    const near = nearest(key, keys);
    const there = keys.length === 0 ? "it is empty" : `it has ${keys.join(", ")}`;
    const meant = near === undefined ? "" : `; did you mean ${near}?`;
    return [failed({ check, what, cause: `has no key ${key} (${path}): ${there}${meant}`, next, code: "CONFIG" })];
  }
  if (Buffer.from(bytes).toString("utf8").trim() !== "") return [];
  return [failed({ check, what, cause: `its key ${key} (${path}) is empty`, next, code: "CONFIG" })];
}

/** The rule that most threads about missing Secrets are about, and where the Secret is instead. */
async function missing(name: string, issuer: IssuerFacts, what: string, context: Context): Promise<Finding> {
  const { clusterResourceNamespace } = await context.certManager();
  const [service] = await context.services();
  const places = issuer.kind === "Issuer" ? [clusterResourceNamespace] : [service?.namespace, "default"];
  const rule =
    issuer.kind === "Issuer"
      ? "an Issuer's Secrets are read from its own namespace"
      : "a ClusterIssuer's Secrets are read from cert-manager's cluster resource namespace";
  for (const place of new Set(places)) {
    if (place === undefined || place === issuer.secretNamespace) continue;
    const there = await context.kube.readSecret(place, name, context.signal).then(
      () => true,
      () => false,
    );
    if (!there) continue;
    const cause = `there is none; ${rule}, and the one in ${place} is not looked at`;
    return failed({ check, what, cause, next: `Create it in ${issuer.secretNamespace}.`, code: "CONFIG" });
  }
  return failed({
    check,
    what,
    cause: `there is none; ${rule}`,
    next: `Create it in ${issuer.secretNamespace}.`,
    code: "CONFIG",
  });
}

async function rightOf(name: string, namespace: string, what: string, context: Context): Promise<readonly Finding[]> {
  const { account } = await context.webhook();
  // Said once, by the check of the front proxy.
  if (account === undefined) return [];
  const resource = { verb: "get", group: "", version: "v1", resource: "secrets", namespace, name };
  const decision = await mayDo(account, resource, context);
  if (decision === true) return [];
  if (decision !== false) return [decision];
  const cause = `ServiceAccount ${accountText(account)} may not get it`;
  const next = `Add ${namespace} to the chart's secretAccess, or: kubectl create role dns01-secrets -n ${namespace} --verb=get --resource=secrets --resource-name=${name} && kubectl create rolebinding dns01-secrets -n ${namespace} --role=dns01-secrets --serviceaccount=${account.namespace}:${account.name}`;
  return [failed({ check, what, cause, next, code: "REJECTED" })];
}
