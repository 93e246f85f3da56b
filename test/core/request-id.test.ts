import { expect, test } from "vitest";
import { toDns01Error } from "../../src/core/classify.ts";
import { AuthError } from "../../src/core/errors.ts";
import { HttpError } from "../../src/core/http-error.ts";
import { createRedactor } from "../../src/core/redact.ts";

const attempted = { provider: "acmehost", operation: "list", name: "example.com" };

function http(body: unknown, headers: Record<string, string> = {}): HttpError {
  return new HttpError("GET http://127.0.0.1/: 403 Forbidden", { status: 403, body, headers });
}

test.each([
  ["a header of the service before the proxy's", http({}, { "cf-ray": "ray", "x-request-id": "id-1" }), "id-1"],
  ["the proxy's header, where there is no other", http({}, { "cf-ray": "ray-2" }), "ray-2"],
  ["a body that wraps it", http({ Response: { RequestId: "id-3", Error: { Code: "x" } } }), "id-3"],
  ["Azure's header for the whole operation", http({}, { "x-ms-correlation-request-id": "id-10" }), "id-10"],
  ["a trace's header, before the proxy's", http({}, { "cf-ray": "ray", traceparent: "00-id-11-01" }), "00-id-11-01"],
  ["a body with a trace", http({ error: { trace_id: "id-12" } }), "id-12"],
  ["a flat body", http({ RequestId: "id-4" }), "id-4"],
  ["an SDK's error", Object.assign(new Error("no"), { requestId: "id-5" }), "id-5"],
  ["an AWS error", Object.assign(new Error("no"), { $metadata: { requestId: "id-6" } }), "id-6"],
  ["a cause of a cause", new Error("no", { cause: http({ request_id: "id-7" }) }), "id-7"],
  ["an error of the adapter", new AuthError("no", { requestId: "id-8" }), "id-8"],
  ["the cause of an error of the adapter", new AuthError("no", { cause: http({ requestId: "id-9" }) }), "id-9"],
])("the request id is taken from %s, and stays out of the message", (_what, cause, id) => {
  const error = toDns01Error(cause, attempted);
  expect(error.requestId).toBe(id);
  expect(error.message).not.toContain(id);
});

test.each([
  ["nothing", new Error("no")],
  ["a number", Object.assign(new Error("no"), { requestId: 5 })],
  ["half a page", http({ requestId: "x".repeat(500) })],
  ["no error at all", "no"],
])("there is no request id in %s", (_what, cause) => {
  expect(toDns01Error(cause, attempted).requestId).toBeUndefined();
});

test("a secret is masked in a request id too", () => {
  const redactor = createRedactor();
  redactor.add("s3cret-value");
  const error = toDns01Error(http({ requestId: "id s3cret-value" }), attempted, { redact: redactor.redact });
  expect(error.requestId).toBe("id ***");
});
