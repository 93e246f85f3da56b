import { type Resource, resources, versionOf } from "./kube-apiserver-store.ts";

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
