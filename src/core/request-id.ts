import { HttpError } from "./http-error.ts";

/** Where services put it, the most telling first: a proxy's own id only where the service has none. */
const headerNames = [
  "x-request-id",
  "x-amzn-requestid",
  "x-amz-request-id",
  "x-ms-request-id",
  "x-acs-request-id",
  "x-openstack-request-id",
  "request-id",
  "x-correlation-id",
  "x-ms-correlation-request-id",
  "x-trace-id",
  "traceparent",
  "cf-ray",
];
const memberNames = [
  ...["requestId", "RequestId", "request_id", "requestid", "requestID", "RequestID"],
  ...["correlationId", "correlation_id", "traceId", "trace_id"],
];

/** Longer than any id; what is longer is something else. */
const maxLength = 200;

/** The service's name for the request that ended in this error: from HttpError, or from an SDK's error. */
export function requestIdOf(cause: unknown, depth = 0): string | undefined {
  if (typeof cause !== "object" || cause === null || depth > 4) return undefined;
  if (cause instanceof HttpError) {
    return headerNames.map((name) => textOf(cause.headers[name])).find(Boolean) ?? memberOf(cause.body);
  }
  const { $metadata, cause: inner } = cause as { readonly $metadata?: unknown; readonly cause?: unknown };
  return memberOf(cause) ?? memberOf($metadata) ?? requestIdOf(inner, depth + 1);
}

/** In an answer's body, or one level down ({ Response: { RequestId } }). */
function memberOf(body: unknown, depth = 0): string | undefined {
  if (typeof body !== "object" || body === null) return undefined;
  const members = body as Readonly<Record<string, unknown>>;
  const own = memberNames.map((name) => textOf(members[name])).find(Boolean);
  if (own !== undefined || depth > 0) return own;
  return ["Response", "error", "Error"].map((name) => memberOf(members[name], 1)).find(Boolean);
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" && value.length <= maxLength ? value : undefined;
}
