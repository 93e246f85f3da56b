import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import { connectKubernetes, type KubernetesConnection, type KubernetesOptions } from "../../src/kubernetes/client.ts";
import type { KubernetesError } from "../../src/kubernetes/error.ts";
import { type KubeApiServer, startKubeApiServer } from "../fakes/kube-apiserver.ts";

export const never: AbortSignal = new AbortController().signal;
export const webhookUser = "system:serviceaccount:dns01:dns01-webhook";

const closers: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

export async function startApi(options: Parameters<typeof startKubeApiServer>[0] = {}): Promise<KubeApiServer> {
  const api = await startKubeApiServer(options);
  closers.push(() => api.stop());
  return api;
}

export async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "dns01-kube-"));
  closers.push(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** As in a pod: files of the service account, the address in the environment. */
export async function inPod(
  api: KubeApiServer,
  token: string,
  options: Partial<KubernetesOptions> = {},
): Promise<{ readonly kube: KubernetesConnection; readonly dir: string }> {
  const dir = await folder();
  await Promise.all([
    writeFile(join(dir, "token"), token),
    writeFile(join(dir, "ca.crt"), api.ca.pem),
    writeFile(join(dir, "namespace"), "dns01"),
  ]);
  const { hostname, port } = new URL(api.url);
  const env = { KUBERNETES_SERVICE_HOST: hostname.replace(/[[\]]/g, ""), KUBERNETES_SERVICE_PORT: port };
  const kube = await connectKubernetes({ env, serviceAccountDir: dir, ...options });
  closers.push(() => kube.close());
  return { kube, dir };
}

export async function byKubeconfig(
  text: string,
  options: Partial<KubernetesOptions> = {},
): Promise<KubernetesConnection> {
  const file = join(await folder(), "kubeconfig");
  await writeFile(file, text);
  const kube = await connectKubernetes({ env: {}, kubeconfig: file, ...options });
  closers.push(() => kube.close());
  return kube;
}

/** A Role and its binding, as the chart writes them. */
export function grant(
  api: KubeApiServer,
  user: string,
  rule: { verbs: string[]; apiGroups: string[]; resources: string[]; resourceNames?: string[] },
  namespace?: string,
): void {
  const name = `grant-${api.store.version()}`;
  const apiVersion = "rbac.authorization.k8s.io/v1";
  const metadata = { name, ...(namespace === undefined ? {} : { namespace }) };
  const [role, binding] = namespace === undefined ? ["ClusterRole", "ClusterRoleBinding"] : ["Role", "RoleBinding"];
  const [, ns, account] = /^system:serviceaccount:([^:]+):(.+)$/.exec(user) ?? [];
  const person = user.startsWith("group:") ? { kind: "Group", name: user.slice(6) } : { kind: "User", name: user };
  const subject = account === undefined ? person : { kind: "ServiceAccount", name: account, namespace: ns };
  api.store.put({ apiVersion, kind: role, metadata, rules: [rule] });
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: role, name };
  api.store.put({ apiVersion, kind: binding, metadata, roleRef, subjects: [subject] });
}

export function configMap(name: string, namespace: string, data: Record<string, string>) {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace }, data };
}

export function secret(name: string, namespace: string, data: Record<string, string>) {
  const encoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString("base64")]);
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace },
    type: "Opaque",
    data: Object.fromEntries(encoded),
  };
}

/** What a call fails with. */
export async function failureOf(call: Promise<unknown>): Promise<KubernetesError> {
  return await call.then(
    (value) => {
      throw new Error(`it did not fail: ${JSON.stringify(value)}`);
    },
    (error: KubernetesError) => error,
  );
}

/** Resolves when `condition` holds; the test's own limit ends it. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
