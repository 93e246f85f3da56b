/** What the API server knows of one resource. */
export interface Resource {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Defined by cert-manager: lists name the kind of each item only then. */
  readonly custom?: true;
}

const builtIn = (group: string, version: string, resource: string, kind: string, namespaced: boolean): Resource => ({
  group,
  version,
  resource,
  kind,
  namespaced,
});
const custom = (group: string, version: string, resource: string, kind: string, namespaced: boolean): Resource => ({
  ...builtIn(group, version, resource, kind, namespaced),
  custom: true,
});

export const resources: readonly Resource[] = [
  builtIn("", "v1", "configmaps", "ConfigMap", true),
  builtIn("", "v1", "endpoints", "Endpoints", true),
  builtIn("", "v1", "namespaces", "Namespace", false),
  builtIn("", "v1", "pods", "Pod", true),
  builtIn("", "v1", "secrets", "Secret", true),
  builtIn("", "v1", "serviceaccounts", "ServiceAccount", true),
  builtIn("", "v1", "services", "Service", true),
  builtIn("apiregistration.k8s.io", "v1", "apiservices", "APIService", false),
  builtIn("apps", "v1", "deployments", "Deployment", true),
  builtIn("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", true),
  builtIn("events.k8s.io", "v1", "events", "Event", true),
  builtIn("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", false),
  builtIn("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", false),
  builtIn("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", true),
  builtIn("rbac.authorization.k8s.io", "v1", "roles", "Role", true),
  custom("acme.cert-manager.io", "v1", "challenges", "Challenge", true),
  custom("cert-manager.io", "v1", "clusterissuers", "ClusterIssuer", false),
  custom("cert-manager.io", "v1", "issuers", "Issuer", true),
];

export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly resourceVersion?: string;
    readonly uid?: string;
    readonly [key: string]: unknown;
  };
  readonly [key: string]: unknown;
}

export interface Change {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly version: number;
  readonly resource: Resource;
  readonly object: KubeObject;
}

export interface KubeStore {
  version(): number;
  /** Changes before this one are forgotten: watches from there on are told 410. */
  oldest(): number;
  put(object: KubeObject): KubeObject;
  remove(kind: string, name: string, namespace?: string): void;
  find(resource: Resource, namespace: string | undefined, name: string): KubeObject | undefined;
  list(resource: Resource, namespace: string | undefined): readonly KubeObject[];
  since(version: number): readonly Change[];
  onChange(listener: (change: Change) => void): () => void;
  /** etcd's compaction. */
  compact(): void;
  /** The cluster lives on: changes elsewhere move the version. */
  tick(): void;
}

export function resourceOf(apiVersion: string, kind: string): Resource {
  const found = resources.find((r) => versionOf(r) === apiVersion && r.kind === kind);
  if (found === undefined) throw new Error(`the fake does not know ${apiVersion} ${kind}`);
  return found;
}

export function versionOf({ group, version }: Resource): string {
  return group === "" ? version : `${group}/${version}`;
}

export function createKubeStore(): KubeStore {
  const objects = new Map<string, KubeObject>();
  const listeners = new Set<(change: Change) => void>();
  const changes: Change[] = [];
  let version = 1000;
  let oldest = version;
  let uids = 0;
  const keyOf = ({ group, resource }: Resource, namespace: string | undefined, name: string) =>
    `${group}/${resource}/${namespace ?? ""}/${name}`;
  const tell = (change: Change) => {
    changes.push(change);
    for (const listener of [...listeners]) listener(change);
  };
  return {
    version: () => version,
    oldest: () => oldest,
    put(given) {
      const resource = resourceOf(given.apiVersion, given.kind);
      const { name, namespace } = given.metadata;
      if (resource.namespaced !== (namespace !== undefined)) throw new Error(`${given.kind} ${name}: wrong scope`);
      const key = keyOf(resource, namespace, name);
      const before = objects.get(key);
      version++;
      const uid = before?.metadata.uid ?? `00000000-0000-4000-8000-${String(++uids).padStart(12, "0")}`;
      const metadata = {
        creationTimestamp: "2026-01-01T00:00:00Z",
        ...given.metadata,
        uid,
        resourceVersion: String(version),
      };
      const object = { ...given, metadata };
      objects.set(key, object);
      tell({ type: before === undefined ? "ADDED" : "MODIFIED", version, resource, object });
      return object;
    },
    remove(kind, name, namespace) {
      const resource = resources.find((r) => r.kind === kind);
      if (resource === undefined) throw new Error(`the fake does not know ${kind}`);
      const key = keyOf(resource, namespace, name);
      const object = objects.get(key);
      if (object === undefined) throw new Error(`there is no ${kind} ${name}`);
      objects.delete(key);
      version++;
      const metadata = { ...object.metadata, resourceVersion: String(version) };
      tell({ type: "DELETED", version, resource, object: { ...object, metadata } });
    },
    find: (resource, namespace, name) => objects.get(keyOf(resource, namespace, name)),
    list: (resource, namespace) =>
      [...objects.values()].filter(
        (object) =>
          object.kind === resource.kind &&
          object.apiVersion === versionOf(resource) &&
          (namespace === undefined || object.metadata.namespace === namespace),
      ),
    since: (from) => changes.filter((change) => change.version > from),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    compact() {
      changes.splice(0);
      oldest = version;
    },
    tick() {
      version++;
    },
  };
}
