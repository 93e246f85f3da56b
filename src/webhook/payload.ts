import { roomAfter } from "../core/extent.ts";
import type { ChallengeAnswer, ChallengeRequest } from "./challenge.ts";
import { payloadKind } from "./discovery.ts";
import { Refusal } from "./refusal.ts";

/** Several times the largest configuration that is read. What is larger is no use, and costs as much to write as to read. */
const MAX_ECHO = 256 * 1024;
const MAX_WARNINGS = 20;
const groupVersion = `${payloadKind.group}/${payloadKind.version}`;

/** What Kubernetes calls the handling of unknown fields. */
export type FieldValidation = "Ignore" | "Warn" | "Strict";

export interface Payload {
  readonly request: ChallengeRequest;
  /** `request` as it came, to be echoed; empty when it is far too large. Nobody looks at it. */
  readonly echo: object;
  /** For Warning headers. */
  readonly warnings: readonly string[];
}

/** Reads a ChallengePayload; kind, apiVersion and uid may be missing, as cert-manager sends none. Throws Refusal. */
export function parsePayload(body: Buffer, validation: FieldValidation): Payload {
  const payload = parseObject(body);
  const faults: string[] = [];
  expect(payload["kind"], payloadKind.kind, "kind", faults);
  expect(payload["apiVersion"], groupVersion, "apiVersion", faults);
  const given = payload["request"];
  if (!isObject(given)) {
    const fault = given === undefined || given === null ? "is missing" : mustBe("an object", given);
    throw invalid([...faults, `request: ${fault}`]);
  }
  const request = readRequest(given, faults);
  if (request === undefined || faults.length > 0) throw invalid(faults);
  const warnings = validation === "Ignore" ? [] : unknownFields(payload, given);
  if (validation === "Strict" && warnings.length > 0) throw invalid(warnings);
  const echo = body.length <= MAX_ECHO && roomAfter(given, MAX_ECHO) >= 0 ? given : {};
  return { request, echo, warnings };
}

function parseObject(body: Buffer): Readonly<Record<string, unknown>> {
  if (body.length === 0) throw new Refusal(400, "the body is empty: a ChallengePayload was expected");
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString("utf8"));
  } catch {
    // The parser's own words quote the body.
    throw new Refusal(400, "the body is no JSON: a ChallengePayload was expected");
  }
  if (!isObject(parsed)) throw new Refusal(400, `the body ${mustBe("an object", parsed)}`);
  return parsed;
}

const actions: readonly unknown[] = ["Present", "CleanUp"] satisfies readonly ChallengeRequest["action"][];

function readRequest(given: Readonly<Record<string, unknown>>, faults: string[]): ChallengeRequest | undefined {
  const text = (name: string, rule?: "required"): string => {
    const value = given[name] ?? "";
    if (typeof value !== "string") faults.push(`request.${name}: ${mustBe("a string", value)}`);
    else if (value !== "") return value;
    else if (rule === "required") faults.push(`request.${name}: is missing`);
    return "";
  };
  const ambient = given["allowAmbientCredentials"] ?? false;
  if (typeof ambient !== "boolean") faults.push(`request.allowAmbientCredentials: ${mustBe("true or false", ambient)}`);
  const action = text("action", "required");
  if (action !== "" && !isAction(action)) faults.push("request.action: has to be Present or CleanUp, in these letters");
  const type = text("type");
  if (type !== "" && type !== "dns-01") faults.push("request.type: has to be dns-01");
  const request = {
    uid: text("uid"),
    type,
    dnsName: text("dnsName"),
    key: text("key", "required"),
    resourceNamespace: text("resourceNamespace"),
    resolvedFQDN: text("resolvedFQDN", "required"),
    resolvedZone: text("resolvedZone"),
    allowAmbientCredentials: ambient === true,
    config: given["config"],
  };
  return isAction(action) ? { ...request, action } : undefined;
}

function isAction(text: string): text is ChallengeRequest["action"] {
  return actions.includes(text);
}

function expect(value: unknown, wanted: string, name: string, faults: string[]): void {
  if (value === undefined || value === null || value === "" || value === wanted) return;
  faults.push(`${name}: has to be ${wanted}, or nothing`);
}

const payloadFields = ["kind", "apiVersion", "metadata", "request", "response"];
const requestFields = [
  ...["uid", "action", "type", "dnsName", "key", "resourceNamespace", "resolvedFQDN", "resolvedZone"],
  ...["allowAmbientCredentials", "config"],
];

function unknownFields(payload: object, request: object): readonly string[] {
  const unknown = [...othersThan(payloadFields, payload, ""), ...othersThan(requestFields, request, "request.")];
  return unknown.slice(0, MAX_WARNINGS).map((path) => `unknown field "${printable(path)}"`);
}

/** The first of them: there may be hundreds of thousands. */
function othersThan(known: readonly string[], data: object, prefix: string): readonly string[] {
  const others: string[] = [];
  for (const key in data) {
    if (others.length === MAX_WARNINGS) break;
    if (!known.includes(key)) others.push(`${prefix}${key}`);
  }
  return others;
}

/** A name from outside as it may stand in a header or a line of a log. */
function printable(text: string): string {
  const clean = text.replace(/[^\x20-\x7e]|["\\]/g, "?");
  return clean.length > 80 ? `${clean.slice(0, 80)}...` : clean;
}

function invalid(faults: readonly string[]): Refusal {
  return new Refusal(400, `ChallengePayload is invalid: ${faults.join("; ")}`);
}

function mustBe(what: string, value: unknown): string {
  const kind = value === null ? "null" : Array.isArray(value) ? "a list" : `a ${typeof value}`;
  return `has to be ${what}, not ${kind.replace("a object", "an object")}`;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** HTTP numbers of the reasons an answer may have: metav1.Status wants an integer. */
const codes: Readonly<Record<string, number>> = {
  Invalid: 422,
  Forbidden: 403,
  NotFound: 404,
  Conflict: 409,
  TooManyRequests: 429,
  ServiceUnavailable: 503,
  Timeout: 504,
};

/**
 * The only place where a success of HTTP is made. There is always a `response`: without one cert-manager's controller
 * dies of it, again and again.
 */
export function payloadAnswer(echo: object, uid: string, answer: ChallengeAnswer): string {
  const response = answer.success
    ? { uid, success: true }
    : {
        uid,
        success: false,
        status: {
          metadata: {},
          status: "Failure",
          message: answer.message,
          reason: answer.reason,
          details: { causes: [{ reason: answer.code }] },
          code: codes[answer.reason] ?? 500,
        },
      };
  return JSON.stringify({ kind: payloadKind.kind, apiVersion: groupVersion, request: echo, response });
}
