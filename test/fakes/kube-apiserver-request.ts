import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import type { Attributes, KubeUser } from "./kube-apiserver-rbac.ts";
import { type Resource, resources } from "./kube-apiserver-store.ts";

/** What a request is about. */
export interface Target {
  readonly resource: Resource | undefined;
  readonly namespace: string | undefined;
  readonly asked: Attributes;
  readonly watch: boolean;
  /** Of `metadata.name` in fieldSelector. */
  readonly selector: string | undefined;
  /** Of labelSelector; equality alone. */
  readonly labels: readonly (readonly [string, string])[];
}

export function targetOf(url: URL, method: string): Target | undefined {
  const match =
    /^\/(?:api|apis\/(?<group>[^/]+))\/(?<version>v[^/]+)(?:\/namespaces\/(?<namespace>[^/]+))?\/(?<resource>[^/]+)(?:\/(?<name>[^/]+))?$/.exec(
      url.pathname,
    );
  if (match?.groups === undefined) return undefined;
  const { group = "", version = "", namespace, resource = "", name } = match.groups;
  const known = resources.find((r) => r.group === group && r.version === version && r.resource === resource);
  const isReview = group === "authorization.k8s.io" && /^(self)?subjectaccessreviews$/.test(resource);
  if (known === undefined && !isReview) return undefined;
  const selector = /^metadata\.name=(.+)$/.exec(url.searchParams.get("fieldSelector") ?? "")?.[1];
  const watch = /^(1|true)$/.test(url.searchParams.get("watch") ?? "");
  const verb = method === "POST" ? "create" : name !== undefined ? "get" : watch ? "watch" : "list";
  const decoded = name === undefined ? selector : decodeURIComponent(name);
  const asked = {
    verb,
    group,
    version,
    resource,
    ...(namespace === undefined ? {} : { namespace: decodeURIComponent(namespace) }),
    ...(decoded === undefined ? {} : { name: decoded }),
  };
  const labels = (url.searchParams.get("labelSelector") ?? "")
    .split(",")
    .filter((pair) => pair !== "")
    .map((pair) => [pair.split("=")[0] ?? "", pair.split("=")[1] ?? ""] as const);
  return { resource: known, namespace: asked.namespace, asked, watch: verb === "watch", selector, labels };
}

export function userOf(request: IncomingMessage, tokens: ReadonlyMap<string, KubeUser>): KubeUser | undefined {
  const header = request.headers.authorization;
  if (header !== undefined) return tokens.get(/^Bearer (\S+)$/.exec(header)?.[1] ?? "");
  const socket = request.socket as TLSSocket;
  const { subject } = socket.getPeerCertificate() as { subject?: { CN: string; O?: string | string[] } };
  if (socket.authorized && subject !== undefined) {
    return { name: subject.CN, groups: [...[subject.O ?? []].flat(), "system:authenticated"] };
  }
  return { name: "system:anonymous", groups: ["system:unauthenticated"] };
}

export function groupsOf(user: string): readonly string[] {
  const [, namespace] = /^system:serviceaccount:([^:]+):/.exec(user) ?? [];
  return namespace === undefined ? [] : ["system:serviceaccounts", `system:serviceaccounts:${namespace}`];
}

export function accepts(request: IncomingMessage, type: string): boolean {
  const accept = request.headers.accept ?? "*/*";
  return accept.includes(type) || accept.includes("*/*");
}

export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

/** JSON is YAML. */
export function kubeconfigText(server: string, ca: string, user: object, cluster: object): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "fake",
    clusters: [
      {
        name: "fake",
        cluster: { server, "certificate-authority-data": Buffer.from(ca).toString("base64"), ...cluster },
      },
    ],
    contexts: [{ name: "fake", context: { cluster: "fake", user: "me", namespace: "dns01" } }],
    users: [{ name: "me", user }],
  });
}
