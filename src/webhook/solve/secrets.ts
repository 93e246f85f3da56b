import { type ConfigIssue, TransientError } from "../../core/errors.ts";
import { type Stop, signalOf } from "../../core/lazy-signal.ts";
import { nearest } from "../../core/nearest.ts";
import type { KubernetesApi, SecretData } from "../../kubernetes/api.ts";
import { KubernetesError } from "../../kubernetes/error.ts";
import type { SecretReference } from "./config.ts";

/** Values of all references, or why there are none. */
export type ReadSecrets =
  | {
      readonly found: true;
      /** By field. */
      readonly values: Readonly<Record<string, string>>;
      /** Of all Secrets read, as text: another one after any of them was changed. */
      readonly versions: string;
    }
  | { readonly found: false; readonly issues: readonly ConfigIssue[] };

const theRule = "(read where the Issuer is; for a ClusterIssuer, where cert-manager is)";

/**
 * Reads what an Issuer refers to, from its own namespace and no other, anew for every call. What is missing or forbidden
 * is returned; throws TransientError when the API server could not say.
 */
export async function readSecrets(
  references: readonly SecretReference[],
  namespace: string,
  kubernetes: KubernetesApi | undefined,
  stop: Stop,
): Promise<ReadSecrets> {
  if (references.length === 0) return { found: true, values: {}, versions: "" };
  if (kubernetes === undefined) {
    const message = "refers to a Secret, and dns01 was started without a cluster (--kubeconfig none)";
    return { found: false, issues: references.map(({ path }) => ({ path, message })) };
  }
  const signal = signalOf(stop);
  const names = [...new Set(references.map(({ name }) => name))].sort();
  const secrets = await Promise.all(
    names.map(async (name) => {
      const wanted = references.filter((reference) => reference.name === name);
      return { name, wanted, read: await readOne(kubernetes, namespace, name, wanted, signal) };
    }),
  );
  const issues: ConfigIssue[] = [];
  const values: Record<string, string> = {};
  for (const { wanted, read } of secrets) {
    if (!("data" in read)) issues.push(read);
    else for (const reference of wanted) take(reference, namespace, read, values, issues);
  }
  if (issues.length > 0) return { found: false, issues };
  const versions = secrets.map(({ name, read }) => `${name}@${"data" in read ? read.resourceVersion : ""}`);
  return { found: true, values, versions: versions.join(" ") };
}

async function readOne(
  kubernetes: KubernetesApi,
  namespace: string,
  name: string,
  wanted: readonly SecretReference[],
  signal: AbortSignal,
): Promise<SecretData | ConfigIssue> {
  try {
    return await kubernetes.readSecret(namespace, name, signal);
  } catch (error) {
    if (!(error instanceof KubernetesError)) throw error;
    const path = wanted[0]?.path ?? "config";
    const keys = [...new Set(wanted.map(({ key }) => `"${key}"`))].sort().join(", ");
    const what = `Secret "${name}" (key ${keys}) in namespace "${namespace}"`;
    if (error.status === 404) {
      return { path, message: `names ${what}, and there is none: create it there ${theRule}` };
    }
    if (error.status === 403) {
      const [, account] = /system:serviceaccount:([^"\s:]+:[^"\s:]+)/.exec(error.message) ?? [];
      const whom = account === undefined ? "dns01's ServiceAccount" : account.replace(":", "/");
      const cure = `add there a Role (get secrets) and a RoleBinding to ${whom}`;
      return { path, message: `names ${what}, which dns01 may not read: ${cure} ${theRule}` };
    }
    const why = error.status === undefined ? "it cannot be reached" : `it answered with status ${error.status}`;
    throw new TransientError(`cannot ask the API server for ${what}: ${why}`, { cause: error });
  }
}

function take(
  { path, field, name, key }: SecretReference,
  namespace: string,
  { data }: SecretData,
  values: Record<string, string>,
  issues: ConfigIssue[],
): void {
  const bytes = Object.hasOwn(data, key) ? data[key] : undefined;
  const where = `Secret "${name}" in namespace "${namespace}"`;
  if (bytes === undefined) {
    const keys = Object.keys(data).sort();
    const near = nearest(key, keys);
    const there = keys.length === 0 ? "it is empty" : `it has ${keys.slice(0, 10).join(", ")}`;
    const meant = near === undefined ? "" : `; did you mean ${near}?`;
    issues.push({ path, message: `names the key "${key}", which ${where} does not have: ${there}${meant}` });
    return;
  }
  try {
    // Files that Secrets are made of end in a line end that nobody means.
    values[field] = new TextDecoder("utf-8", { fatal: true }).decode(bytes).replace(/[\r\n]+$/, "");
  } catch {
    issues.push({ path, message: `names the key "${key}" of ${where}, whose value is no text` });
  }
}
