import { ConfigError } from "./errors.ts";
import { decodePunycode } from "./punycode.ts";

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

/** RFC 1035 §2.3.4 allows 255 octets on the wire, which are 253 characters without the final dot. */
const maxName = 253;
const maxLabel = 63;
/** "_acme-challenge." in front of the longest name that can be proven. */
const maxProvable = maxName - "_acme-challenge.".length;

/**
 * Reads the name of a host, a zone or a challenge that a person or a file gave: U-labels, capitals and a final dot are
 * accepted. Throws ConfigError at `path`.
 */
export function parseName(text: string, path = ""): DomainName {
  const fault = (message: string) => new ConfigError([{ path, message: `${quote(text)} ${message}` }]);
  if (text === "") throw fault("is empty");
  if (text === ".") return rootName;
  const ascii = toAscii(text);
  if (ascii === undefined) throw fault(`is not a domain name${why(text)}`);
  const tooLong = lengthFault(ascii);
  if (tooLong !== undefined) throw fault(tooLong);
  return ascii as DomainName;
}

/**
 * Reads a name for a certificate: a host name, or "*." in front of one. Stricter than parseName, because a CA will be
 * asked to sign it: at least two labels, letters, digits and hyphens only (RFC 5280 §4.2.1.6), IDNA labels that decode.
 * Throws ConfigError at `path`.
 */
export function parseIdentifier(text: string, path = ""): Identifier {
  const fault = (message: string) => new ConfigError([{ path, message: `${quote(text)} ${message}` }]);
  if (text.trim() === "") throw fault("is empty: a domain name is needed");
  if (looksLikeIpv6(text)) throw fault(isAddress);
  const ascii = toAscii(text);
  if (ascii === undefined) throw fault(`is not a domain name${why(text)}`);
  const tooLong = lengthFault(ascii);
  if (tooLong !== undefined) throw fault(tooLong);

  const all = ascii.split(".");
  const wildcard = all[0] === "*";
  const labels = wildcard ? all.slice(1) : all;
  const base = labels.join(".");
  if (labels.some((label) => label.includes("*"))) {
    throw fault('has "*" where it cannot stand: only one, as the whole first label ("*.example.com")');
  }
  const numeric = numericFault(labels);
  if (numeric !== undefined) throw fault(numeric);
  if (labels.length < 2) {
    throw fault(
      wildcard
        ? 'needs a name of at least two labels after "*." ("*.example.com")'
        : "has one label only; a full name such as example.com is needed",
    );
  }
  for (const label of labels) {
    if (label.includes("_")) throw fault('has "_", which no certificate name may contain (RFC 5280 §4.2.1.6)');
    if (label.startsWith("xn--") && !isALabel(label)) {
      throw fault(`has the label "${label}", which is no valid internationalized label (RFC 5890 §2.3.2.1)`);
    }
    if (label.startsWith("-") || label.endsWith("-"))
      throw fault(`has the label "${label}", which begins or ends with "-"`);
  }
  if (base.length > maxProvable) {
    throw fault(`is too long for DNS-01: "_acme-challenge." in front of it makes more than ${maxName} octets`);
  }
  return { text: ascii as DomainName, base: base as DomainName, wildcard };
}

const plain = /^[a-z0-9_*-]+(\.[a-z0-9_*-]+)*$/;

/** U-labels to A-labels, lower case, no final dot; undefined when a host name cannot look like this. */
function toAscii(text: string): string | undefined {
  const lower = /^[\x21-\x7e]+$/.test(text) ? text.toLowerCase() : throughUrl(text);
  if (lower === undefined) return undefined;
  const ascii = lower.endsWith(".") ? lower.slice(0, -1) : lower;
  return plain.test(ascii) ? ascii : undefined;
}

/** UTS 46 as the URL standard applies it (non-transitional: "ß" stays itself); it also knows the full-width dots. */
function throughUrl(text: string): string | undefined {
  // The parser would drop tabs and line feeds, and read these as the end of the host.
  if (/[\p{Cc}\p{Z}/\\?#@:[\]%]/u.test(text)) return undefined;
  try {
    // The label behind keeps a number at the end from being read as an IPv4 address.
    return new URL(`http://x.${text}.x/`).hostname.slice(2, -2);
  } catch {
    return undefined;
  }
}

/** Whether an "xn--" label is one that encoding gives. Node's versions differ in what their URL parser lets pass. */
function isALabel(label: string): boolean {
  const decoded = decodePunycode(label.slice(4));
  return decoded !== undefined && /[^\x20-\x7e]/u.test(decoded) && throughUrl(decoded) === label;
}

function lengthFault(ascii: string): string | undefined {
  if (ascii.length > maxName) return `is longer than ${maxName} octets`;
  const label = ascii.split(".").find((l) => l.length > maxLabel);
  return label === undefined ? undefined : `has a label of more than ${maxLabel} octets ("${shorten(label)}")`;
}

/** The usual slips, in words. */
function why(text: string): string {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return ": it is a URL; give the host name alone";
  if (/\s/u.test(text)) return ": it has white space inside or around it";
  if (text.includes("@")) return ": it is a mail address";
  if (/:\d+$/.test(text)) return ": it has a port";
  if (/^\.|\.\./.test(text)) return ": it has an empty label";
  if (/(^|\.)xn--/i.test(text)) return ": an internationalized label in it does not decode";
  return "";
}

const isAddress = "is an IP address; DNS-01 proves domain names only (RFC 8738 §7)";

/** What is wrong with a name whose last label is a number, also a hexadecimal one: the URL standard reads it as an IPv4 address. */
export function numericFault(labels: readonly string[]): string | undefined {
  if (!/^(\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? "")) return undefined;
  return labels.length === 4 || labels.length === 1 ? isAddress : "ends in a number, as no domain name does";
}

function looksLikeIpv6(text: string): boolean {
  const bare = text.replace(/^\[|\]$/g, "").replace(/%.*$/, "");
  return /^[0-9a-f:.]+$/i.test(bare) && (bare.match(/:/g)?.length ?? 0) >= 2;
}

function quote(text: string): string {
  return JSON.stringify(shorten(text));
}

function shorten(text: string): string {
  return text.length > 100 ? `${text.slice(0, 80)}…${text.slice(-15)}` : text;
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

/** Whether `name` is `apex` or below it, on label boundaries ("notexample.com" is not within "example.com"). */
export function isWithin(name: DomainName, apex: DomainName): boolean {
  if (apex === rootName || name === apex) return true;
  if (!name.endsWith(`.${apex}`)) return false;
  // With `a\.example.com` the text ends like a child of example.com, but its dot belongs to a label.
  return !name.includes("\\") || selfAndParents(name).includes(apex);
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
