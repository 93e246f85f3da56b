import { authorize, type Decision, type KubeUser } from "./kube-apiserver-rbac.ts";
import type { KubeStore } from "./kube-apiserver-store.ts";

export interface Reply {
  readonly status: number;
  readonly body: unknown;
}

/** A Status as the real one sends it. */
export function statusReply(code: number, reason: string, message: string, details: unknown = {}): Reply {
  const body = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, details, code };
  return { status: code, body };
}

type Json = Readonly<Record<string, unknown>>;

const known = {
  spec: ["resourceAttributes", "nonResourceAttributes", "user", "groups", "uid", "extra"],
  resourceAttributes: ["namespace", "verb", "group", "version", "resource", "subresource", "name"],
  nonResourceAttributes: ["path", "verb"],
};

/** SubjectAccessReview and SelfSubjectAccessReview; stricter than the real one about fields that do not exist. */
export function review(kind: string, body: unknown, caller: KubeUser, store: KubeStore): Reply {
  const given = body as Json;
  if (given["kind"] !== kind || given["apiVersion"] !== "authorization.k8s.io/v1") {
    return statusReply(400, "BadRequest", `${kind} in version "v1" cannot be handled as a ${kind}`);
  }
  const spec = (given["spec"] ?? {}) as Json;
  const resource = spec["resourceAttributes"] as Json | undefined;
  const other = spec["nonResourceAttributes"] as Json | undefined;
  const strange = [
    ...unknown("spec", spec),
    ...unknown("resourceAttributes", resource ?? {}),
    ...unknown("nonResourceAttributes", other ?? {}),
  ];
  if (strange.length > 0)
    return statusReply(400, "BadRequest", `strict decoding error: unknown field ${strange.join(", ")}`);
  const invalid = (text: string) => statusReply(422, "Invalid", `${kind}.authorization.k8s.io "" is invalid: ${text}`);
  if ((resource === undefined) === (other === undefined)) {
    return invalid(
      "spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified",
    );
  }
  const self = kind === "SelfSubjectAccessReview";
  const name = String(spec["user"] ?? "");
  const groups = (spec["groups"] ?? []) as readonly string[];
  if (!self && name === "" && groups.length === 0)
    return invalid('spec.user: Invalid value: "": at least one of user or group must be specified');
  const user = self ? caller : { name, groups };
  const attributes = (other ?? resource ?? {}) as unknown as Parameters<typeof authorize>[2];
  const { allowed, reason }: Decision = authorize(store, user, attributes);
  const status = { allowed, ...(reason === undefined ? {} : { reason }) };
  return {
    status: 201,
    body: { kind, apiVersion: "authorization.k8s.io/v1", metadata: { creationTimestamp: null }, spec, status },
  };
}

function unknown(where: keyof typeof known, value: Json): readonly string[] {
  return Object.keys(value)
    .filter((key) => !known[where].includes(key))
    .map((key) => `"${where}.${key}"`);
}

/** What validation says about an events.k8s.io/v1 Event, as the real one does; undefined when it is well formed. */
export function eventFault(body: unknown, namespace: string): string | undefined {
  const event = body as Json;
  const metadata = (event["metadata"] ?? {}) as Json;
  const regarding = (event["regarding"] ?? {}) as Json;
  const text = (name: string) => (typeof event[name] === "string" ? event[name] : "");
  if (!/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(String(metadata["name"] ?? ""))) return "metadata.name: Required value";
  if (metadata["namespace"] !== namespace) return "metadata.namespace: Invalid value";
  if ((regarding["namespace"] ?? "") !== namespace) return "involvedObject.namespace: does not match event.namespace";
  // The server reads more forms, but writes and documents this one.
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(text("eventTime"))) return "eventTime: Required value";
  if (!/^([a-z0-9.-]+\/)?[A-Za-z0-9._-]{1,63}$/.test(text("reportingController")))
    return "reportingController: Invalid value";
  if (text("reportingInstance") === "" || text("reportingInstance").length > 128)
    return "reportingInstance: Invalid value";
  if (text("action") === "" || text("action").length > 128) return "action: Invalid value";
  if (text("reason") === "" || text("reason").length > 128) return "reason: Invalid value";
  if (Buffer.byteLength(text("note")) > 1024) return "note: Invalid value: can have at most 1024 characters";
  return text("type") === "Normal" || text("type") === "Warning" ? undefined : "type: Invalid value";
}
