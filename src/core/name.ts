import { ConfigError } from "./errors.ts";

declare const brand: unique symbol;

/**
 * A domain name in the one form used inside the program: A-labels, lower case, no final dot; "." is the root.
 * Made by parseName (user input) and nameFromLabels (the wire). Octets that are no letter, digit, "-", "_" or "*" are
 * written as in RFC 4343 §2.1 (`\.` and `\DDD`).
 */
export type DomainName = string & { readonly [brand]: "DomainName" };

export const rootName = "." as DomainName;

/** An ACME identifier: "*.example.com" has `base` "example.com" and `wildcard` true (RFC 8555 §7.1.4). */
export interface Identifier {
  readonly text: DomainName;
  readonly base: DomainName;
  readonly wildcard: boolean;
}

/** Reads a name a person or a file gave. Throws ConfigError at `path`. */
export function parseName(text: string, path = ""): DomainName {
  const fault = (message: string) => new ConfigError([{ path, message }]);
  const trimmed = text.endsWith(".") && text !== "." ? text.slice(0, -1) : text;
  if (trimmed === ".") return rootName;
  const ascii = toAscii(trimmed);
  if (ascii === undefined) throw fault(`"${text}" is not a domain name`);
  if (ascii.length > 253) throw fault(`"${text}" is longer than 253 octets`);
  for (const label of ascii.split(".")) {
    if (label === "") throw fault(`"${text}" has an empty label`);
    if (label.length > 63) throw fault(`"${text}" has a label of more than 63 octets`);
  }
  return ascii as DomainName;
}

/** U-labels to A-labels, lower case; undefined when a host name cannot look like this. The global URL parser knows UTS 46. */
function toAscii(text: string): string | undefined {
  if (/^[a-z0-9_*-]+(\.[a-z0-9_*-]+)*$/i.test(text)) return text.toLowerCase();
  if (/[\s/\\@:?#%[\]<>^|!"$&'()+,;=`{}~]/u.test(text)) return undefined;
  // A label in front keeps the parser from reading numbers as an IPv4 address.
  const url = URL.parse?.(`http://x.${text}.x/`) ?? tryUrl(`http://x.${text}.x/`);
  if (url === undefined || url === null) return undefined;
  const host = url.hostname.slice(2, -2);
  return /^[a-z0-9_*-]+(\.[a-z0-9_*-]+)*$/.test(host) ? host : undefined;
}

function tryUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

/** From labels already in presentation form and lower case (used by the DNS decoder). */
export function nameFromLabels(labels: readonly string[]): DomainName {
  return (labels.length === 0 ? "." : labels.join(".")) as DomainName;
}

/** The labels, leftmost first; none for the root. Escaped dots do not split. */
export function labelsOf(name: DomainName): readonly string[] {
  if (name === rootName) return [];
  return name.includes("\\") ? (name.match(/(?:\\.|[^.\\])+/gs) ?? []) : name.split(".");
}

/** One label up; undefined at the root. */
export function parentOf(name: DomainName): DomainName | undefined {
  const labels = labelsOf(name);
  return labels.length === 0 ? undefined : nameFromLabels(labels.slice(1));
}

/** The name itself and its ancestors, longest first, the root left out. */
export function selfAndParents(name: DomainName): readonly DomainName[] {
  const labels = labelsOf(name);
  return labels.map((_, i) => nameFromLabels(labels.slice(i)));
}

/** Whether `name` is `apex` or below it, on label boundaries. */
export function isWithin(name: DomainName, apex: DomainName): boolean {
  return apex === rootName || name === apex || name.endsWith(`.${apex}`);
}

/** Owner name inside a zone, "@" at the apex. `name` must be within `apex`. */
export function relativeTo(name: DomainName, apex: DomainName): string {
  if (name === apex) return "@";
  return apex === rootName ? name : name.slice(0, -(apex.length + 1));
}

/** `label` put in front of `name`. */
export function childOf(label: string, name: DomainName): DomainName {
  return (name === rootName ? label : `${label}.${name}`) as DomainName;
}
