import { type KubeStore, resourceOf } from "./kube-apiserver-store.ts";

export interface KubeUser {
  readonly name: string;
  readonly groups: readonly string[];
}

export interface Attributes {
  readonly verb: string;
  readonly group?: string;
  readonly version?: string;
  readonly resource?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly path?: string;
}

export interface Decision {
  readonly allowed: boolean;
  readonly reason?: string;
}

interface Rule {
  readonly verbs: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
}

interface Subject {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

interface Binding {
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly roleRef: { readonly kind: string; readonly name: string };
  readonly subjects?: readonly Subject[];
}

const rbac = "rbac.authorization.k8s.io/v1";

/** RBAC over the roles and bindings in the store, as the real authorizer reads them. */
export function authorize(store: KubeStore, user: KubeUser, asked: Attributes): Decision {
  if (user.groups.includes("system:masters")) return { allowed: true };
  const cluster = store.list(resourceOf(rbac, "ClusterRoleBinding"), undefined) as unknown as readonly Binding[];
  const own = asked.namespace ?? "";
  const local = own === "" ? [] : (store.list(resourceOf(rbac, "RoleBinding"), own) as unknown as readonly Binding[]);
  for (const [kind, bindings] of [
    ["ClusterRoleBinding", cluster],
    ["RoleBinding", local],
  ] as const) {
    for (const binding of bindings) {
      const subject = binding.subjects?.find((s) => isSubject(s, user));
      if (subject === undefined || !rulesOf(store, binding).some((rule) => covers(rule, asked))) continue;
      const name = kind === "RoleBinding" ? `${binding.metadata.name}/${own}` : binding.metadata.name;
      const role = `${binding.roleRef.kind} "${binding.roleRef.name}"`;
      const whom = subject.kind === "ServiceAccount" ? `${subject.name}/${subject.namespace ?? ""}` : subject.name;
      return { allowed: true, reason: `RBAC: allowed by ${kind} "${name}" of ${role} to ${subject.kind} "${whom}"` };
    }
  }
  return { allowed: false };
}

function isSubject({ kind, name, namespace }: Subject, user: KubeUser): boolean {
  if (kind === "User") return user.name === name;
  if (kind === "Group") return user.groups.includes(name);
  return user.name === `system:serviceaccount:${namespace ?? ""}:${name}`;
}

function rulesOf(store: KubeStore, { roleRef, metadata }: Binding): readonly Rule[] {
  const namespace = roleRef.kind === "Role" ? metadata.namespace : undefined;
  const role = store.find(resourceOf(rbac, roleRef.kind), namespace, roleRef.name);
  return (role?.["rules"] ?? []) as readonly Rule[];
}

function covers(rule: Rule, { verb, group, resource, name, path }: Attributes): boolean {
  const has = (list: readonly string[] | undefined, wanted: string) =>
    list?.some((e) => e === "*" || e === wanted) ?? false;
  if (!has(rule.verbs, verb)) return false;
  if (path !== undefined) return has(rule.nonResourceURLs, path);
  if (!has(rule.apiGroups, group ?? "") || !has(rule.resources, resource ?? "")) return false;
  return rule.resourceNames === undefined || (name !== undefined && rule.resourceNames.includes(name));
}

/** The words of the real one. */
export function forbiddenText(
  user: KubeUser,
  { verb, group = "", resource = "", namespace, name, path }: Attributes,
): string {
  if (path !== undefined) return `forbidden: User "${user.name}" cannot ${verb} path "${path}"`;
  const what = `${resource}${group === "" ? "" : `.${group}`}${name === undefined ? "" : ` "${name}"`}`;
  const where =
    namespace === undefined || namespace === "" ? "at the cluster scope" : `in the namespace "${namespace}"`;
  return `${what} is forbidden: User "${user.name}" cannot ${verb} resource "${resource}" in API group "${group}" ${where}`;
}
