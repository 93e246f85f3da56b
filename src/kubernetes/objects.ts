import type {
  AccessDecision,
  AccessReview,
  ApiServiceState,
  ConfigMapData,
  KubernetesEvent,
  SecretData,
} from "./api.ts";
import { member, textOf } from "./status.ts";

export function secretOf(object: unknown): SecretData {
  const data = Object.entries(record(member(object, "data")));
  return {
    resourceVersion: versionOf(object),
    data: Object.fromEntries(
      data.flatMap(([key, value]) => (typeof value === "string" ? [[key, Buffer.from(value, "base64")]] : [])),
    ),
  };
}

export function configMapOf(object: unknown): ConfigMapData {
  const data = Object.entries(record(member(object, "data")));
  return {
    resourceVersion: versionOf(object),
    data: Object.fromEntries(data.filter((entry): entry is [string, string] => typeof entry[1] === "string")),
  };
}

/** Before its first look the API server has said nothing. */
export function apiServiceOf(object: unknown): ApiServiceState {
  const conditions = member(member(object, "status"), "conditions");
  const condition: unknown = Array.isArray(conditions)
    ? conditions.find((one: unknown) => textOf(one, "type") === "Available")
    : undefined;
  return {
    available: textOf(condition, "status") === "True",
    reason: textOf(condition, "reason") ?? "Unknown",
    message: textOf(condition, "message") ?? "the API server has not said anything about it yet",
  };
}

/** The `spec` of a SubjectAccessReview. */
export function reviewSpec({ user, uid, groups, extra, ...asked }: AccessReview): unknown {
  return {
    user,
    ...(uid === undefined || uid === "" ? {} : { uid }),
    groups,
    ...(extra === undefined ? {} : { extra }),
    ...reviewedAttributes(asked),
  };
}

export function reviewedAttributes({ resource, nonResource }: Pick<AccessReview, "resource" | "nonResource">): object {
  return {
    ...(resource === undefined ? {} : { resourceAttributes: resource }),
    ...(nonResource === undefined ? {} : { nonResourceAttributes: nonResource }),
  };
}

/** Fails closed: only a clear yes is one. */
export function decisionOf(review: unknown): AccessDecision {
  const status = member(review, "status");
  const allowed = member(status, "allowed") === true && member(status, "denied") !== true;
  const reason = textOf(status, "reason") ?? textOf(status, "evaluationError");
  return { allowed, ...(reason === undefined ? {} : { reason }) };
}

/** Longest note that the API server takes, in bytes. */
const longestNote = 1024;

export function eventObject(event: KubernetesEvent, reporter: string, now: Date, unique: string): unknown {
  const { namespace, regarding, type, reason, note } = event;
  return {
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    metadata: { name: `${regarding.name.slice(0, 200)}.${unique}`, namespace },
    eventTime: now.toISOString().replace("Z", "000Z"),
    reportingController: "dns01.io/webhook",
    reportingInstance: reporter.slice(0, 128),
    action: reason,
    reason,
    regarding: { ...regarding, namespace },
    note: shorten(note),
    type,
  };
}

function shorten(note: string): string {
  let text = note;
  while (Buffer.byteLength(text) > longestNote) text = text.slice(0, -1);
  return text;
}

function versionOf(object: unknown): string {
  return textOf(member(object, "metadata"), "resourceVersion") ?? "";
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
