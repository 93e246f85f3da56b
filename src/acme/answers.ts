import { Unreadable } from "./exchange.ts";
import { malformedAnswer } from "./problem.ts";
import type { HttpMessage } from "./transport.ts";
import type { Account } from "./types.ts";

/** Throws Unreadable for what is cut off or somebody else's page under a success status. */
export function parseJson(answer: HttpMessage): unknown {
  try {
    return JSON.parse(answer.body.toString("utf8")) as unknown;
  } catch {
    const kind = answer.headers["content-type"]?.split(";")[0] ?? "no content type";
    throw new Unreadable(`HTTP ${answer.status} with ${kind} and ${answer.body.length} octets that are no JSON`);
  }
}

/** A PEM chain, whole: behind its last certificate may be a remark of the CA's, but no beginning of another one. */
export function parsePem(answer: HttpMessage): string {
  const text = answer.body.toString("utf8");
  const [, rest] = /-----BEGIN CERTIFICATE-----[\s\S]*-----END CERTIFICATE-----([\s\S]*)$/.exec(text) ?? [];
  if (rest === undefined || /^-/m.test(rest)) {
    throw new Unreadable(`${answer.body.length} octets that are no PEM chain`);
  }
  return text;
}

/** The address of what was made (RFC 8555 §7.3, §7.4). */
export function locationOf(answer: HttpMessage, base: string, operation: string): string {
  const location = answer.headers["location"];
  if (location === undefined || !URL.canParse(location, base)) {
    throw malformedAnswer(operation, "the CA's answer lacks a Location", answer.status);
  }
  return new URL(location, base).href;
}

/** RFC 8555 §7.1.2. Only the address matters; some servers leave the body empty for a known account. */
export function readAccount(answer: HttpMessage, base: string, operation: string): Account {
  return { ...readAccountBody(answer), url: locationOf(answer, base, operation) };
}

/** The same for an answer of the account's own address, which need not be repeated there. */
export function readAccountBody(answer: HttpMessage): Omit<Account, "url"> {
  const body: unknown = answer.body.length === 0 ? {} : parseJson(answer);
  const { status, contact } = (typeof body === "object" && body !== null ? body : {}) as Readonly<
    Record<string, unknown>
  >;
  return {
    status: typeof status === "string" ? status : "valid",
    contact: Array.isArray(contact) ? contact.filter((item): item is string => typeof item === "string") : [],
  };
}
