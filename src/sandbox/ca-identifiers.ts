import { isIP } from "node:net";
import { type DomainName, isWithin, parseName } from "../core/name.ts";
import { isObject } from "./ca-jws.ts";
import { AcmeProblem, malformed, type ProblemType } from "./ca-problem.ts";

const maxNames = 100;

/** Reads `identifiers` of a new order: lower case, without repetitions, in the given order. */
export function readIdentifiers(value: unknown, blocked: readonly string[]): readonly DomainName[] {
  if (!Array.isArray(value) || value.length === 0) throw malformed("the order names no identifiers");
  const names = [...new Set(value.map(readOne))];
  if (names.length > maxNames) throw malformed(`the order names ${names.length} identifiers, more than ${maxNames}`);
  refuse(names, blocked);
  for (const name of names) {
    const [label, ...rest] = name.split(".");
    const covering = `*.${rest.join(".")}`;
    if (label !== "*" && names.some((n) => n === covering)) {
      throw malformed(`"${name}" is redundant beside "${covering}": leave one of them out`);
    }
  }
  return names;
}

/** RFC 8555 §6.7.1: one subproblem for each name that is refused. */
function refuse(names: readonly DomainName[], blocked: readonly string[]): void {
  const refused = names.filter((n) =>
    blocked.some((b) => isWithin(n.replace(/^\*\./, "") as DomainName, parseName(b))),
  );
  const [first] = refused;
  if (first === undefined) return;
  const type = "urn:ietf:params:acme:error:rejectedIdentifier";
  const detail = (name: string) => `policy of this CA forbids to issue for "${name}"`;
  const identifier = (value: string) => ({ type: "dns", value });
  throw new AcmeProblem("rejectedIdentifier", 400, refused.length === 1 ? detail(first) : "some names are refused", {
    members:
      refused.length === 1
        ? { identifier: identifier(first) }
        : { subproblems: refused.map((n) => ({ type, detail: detail(n), identifier: identifier(n) })) },
  });
}

function readOne(entry: unknown): DomainName {
  if (!isObject(entry)) throw malformed("an identifier is no object");
  const { type, value } = entry;
  if (typeof value !== "string" || value === "") throw malformed("an identifier has no value");
  if (type !== "dns") {
    throw new AcmeProblem("unsupportedIdentifier", 400, `identifiers of type "${String(type)}" are not supported`);
  }
  const name = value.toLowerCase();
  const fault = faultOf(name);
  if (fault !== undefined) {
    const kind: ProblemType = fault.policy ? "rejectedIdentifier" : "malformed";
    throw new AcmeProblem(kind, 400, `"${value}" cannot be ordered: ${fault.reason}`, {
      members: { identifier: { type, value } },
    });
  }
  return name as DomainName;
}

function faultOf(name: string): { readonly reason: string; readonly policy?: boolean } | undefined {
  const base = name.startsWith("*.") ? name.slice(2) : name;
  if (isIP(base) !== 0) return { reason: "it is an IP address" };
  if (base.endsWith(".")) return { reason: "a final dot is not allowed" };
  if (base.includes("*")) return { reason: "a star is allowed as the whole leftmost label only" };
  if (/[^\x20-\x7e]/.test(base)) return { reason: "names are given as A-labels" };
  if (name.length > 253) return { reason: "it is longer than 253 octets" };
  const labels = base.split(".");
  for (const label of labels) {
    if (label === "") return { reason: "it has an empty label" };
    if (label.length > 63) return { reason: "a label is longer than 63 octets" };
    if (!/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(label)) return { reason: `"${label}" is no label of a host name` };
    if (label.slice(2, 4) === "--" && !label.startsWith("xn--")) return { reason: `"${label}" is a reserved label` };
  }
  if (labels.length < 2) return { reason: "it needs at least two labels", policy: true };
  if (/^[0-9]+$/.test(labels.at(-1) ?? "")) return { reason: "its last label is a number", policy: true };
  return undefined;
}
