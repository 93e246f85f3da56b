import type { Reply } from "./kube-apiserver-reviews.ts";
import { type KubeStore, type Resource, resources, versionOf } from "./kube-apiserver-store.ts";

const reviews: readonly Resource[] = ["SubjectAccessReview", "SelfSubjectAccessReview"].map((kind) => ({
  group: "authorization.k8s.io",
  version: "v1",
  resource: `${kind.toLowerCase()}s`,
  kind,
  namespaced: false,
}));

const all = [...resources, ...reviews];

/** The discovery documents, in the old form that every client still reads. */
export function discovery(path: string): unknown {
  if (path === "/version") {
    return {
      major: "1",
      minor: "33",
      gitVersion: "v1.33.1",
      goVersion: "go1.24.2",
      compiler: "gc",
      platform: "linux/amd64",
    };
  }
  if (path === "/api") return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] };
  if (path === "/apis") {
    const groups = [...new Set(all.map(({ group }) => group))].filter((group) => group !== "");
    return { kind: "APIGroupList", apiVersion: "v1", groups: groups.map(groupOf) };
  }
  const [, group = "", version = ""] = /^\/(?:api|apis\/([^/]+))\/(v[^/]+)$/.exec(path) ?? [];
  const served = all.filter((r) => r.group === group && r.version === version);
  if (served.length === 0) return undefined;
  return {
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion: served[0] === undefined ? "" : versionOf(served[0]),
    resources: served.map(({ resource, kind, namespaced }) => ({
      name: resource,
      singularName: kind.toLowerCase(),
      namespaced,
      kind,
      verbs: reviews.some((r) => r.kind === kind) ? ["create"] : ["get", "list", "watch"],
    })),
  };
}

function groupOf(name: string) {
  const version = { groupVersion: `${name}/v1`, version: "v1" };
  return { name, versions: [version], preferredVersion: version };
}

/** What the aggregation layer makes of a discovery request for a group with an APIService. */
export function aggregate(
  path: string,
  store: KubeStore,
  aggregated: ReadonlyMap<string, readonly string[]>,
): Reply | undefined {
  const [, group = ""] = /^\/apis\/([^/]+)\/v1alpha1$/.exec(path) ?? [];
  const resource = resources.find(({ kind }) => kind === "APIService");
  const object = resource && store.find(resource, undefined, `v1alpha1.${group}`);
  if (object === undefined) return undefined;
  const { conditions = [] } = (object["status"] ?? {}) as { conditions?: readonly { type: string; status: string }[] };
  if (!conditions.some(({ type, status }) => type === "Available" && status === "True")) {
    return { status: 503, body: "service unavailable\n" };
  }
  const served = (aggregated.get(group) ?? []).map((name) => ({
    name,
    singularName: "ChallengePayload",
    namespaced: false,
    group: "webhook.acme.cert-manager.io",
    version: "v1alpha1",
    kind: "ChallengePayload",
    verbs: ["create"],
  }));
  const groupVersion = `${group}/v1alpha1`;
  return { status: 200, body: { kind: "APIResourceList", apiVersion: "v1", groupVersion, resources: served } };
}
