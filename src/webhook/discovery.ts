import { acceptedBy, isPlainJson } from "./accept.ts";
import { type Document, documentOf } from "./document.ts";

/** The version is cert-manager's: it has no other. */
export const apiVersion = "v1alpha1";

/** The type of what is posted belongs to cert-manager, not to the group it is posted to. */
export const payloadKind = {
  group: "webhook.acme.cert-manager.io",
  version: "v1alpha1",
  kind: "ChallengePayload",
} as const;

export interface Served {
  readonly groups: readonly string[];
  /** Each group has all of them. */
  readonly solvers: readonly string[];
}

export interface Discovery {
  /** `GET /apis/GROUP/v1alpha1` */
  readonly resources: ReadonlyMap<string, Document>;
  /** `GET /apis/GROUP` */
  readonly group: ReadonlyMap<string, Document>;
  /** `GET /apis`, by what the caller accepts; undefined when none of it fits. */
  readonly list: (accept: string | undefined) => Document | undefined;
}

export function createDiscovery({ groups, solvers }: Served): Discovery {
  const legacy = documentOf({ kind: "APIGroupList", apiVersion: "v1", groups: groups.map(groupOf) });
  const aggregated = new Map(
    ["v2", "v2beta1"].map((version) => [version, aggregatedList(version, { groups, solvers })] as const),
  );
  return {
    resources: new Map(groups.map((group) => [group, documentOf(resourceList(group, solvers))])),
    group: new Map(
      groups.map((group) => [group, documentOf({ kind: "APIGroup", apiVersion: "v1", ...groupOf(group) })]),
    ),
    list(accept) {
      for (const range of acceptedBy(accept)) {
        if (isPlainJson(range)) return legacy;
        if (range.type !== "application/json" || range.parameters.get("g") !== "apidiscovery.k8s.io") continue;
        const found = aggregated.get(range.parameters.get("v") ?? "");
        if (found !== undefined && range.parameters.get("as") === "APIGroupDiscoveryList") return found;
      }
      return undefined;
    },
  };
}

function groupOf(name: string) {
  const version = { groupVersion: `${name}/${apiVersion}`, version: apiVersion };
  return { name, versions: [version], preferredVersion: version };
}

function resourceList(group: string, solvers: readonly string[]) {
  return {
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion: `${group}/${apiVersion}`,
    resources: solvers.map((name) => ({
      name,
      singularName: payloadKind.kind,
      namespaced: false,
      ...payloadKind,
      verbs: ["create"],
    })),
  };
}

/** One round trip for everything (KEP-3352). kube-apiserver goes by the exact content type. */
function aggregatedList(version: string, { groups, solvers }: Served): Document {
  const resources = solvers.map((resource) => ({
    resource,
    responseKind: payloadKind,
    scope: "Cluster",
    singularResource: payloadKind.kind,
    verbs: ["create"],
  }));
  const list = {
    kind: "APIGroupDiscoveryList",
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map((name) => ({
      metadata: { name },
      versions: [{ version: apiVersion, resources, freshness: "Current" }],
    })),
  };
  return documentOf(list, `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`);
}
