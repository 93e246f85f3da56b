import { type DomainName, isWithin, relativeTo } from "../core/name.ts";
import { printableLine } from "../core/printable.ts";
import type { Answer } from "./exchange.ts";
import type { Message } from "./message.ts";
import { txtValue } from "./txt.ts";
import type { AnswerClass } from "./types.ts";

/** What a response is compared with. */
export interface Expectation {
  readonly owner: DomainName;
  readonly values: readonly string[];
  /** The zone the server was asked as a nameserver of. */
  readonly zone: DomainName;
}

/** One response in the vocabulary of propagation.md §4, with the facts that explain it. */
export interface Heard {
  readonly class: Exclude<AnswerClass, "pending" | "silent" | "unroutable">;
  readonly missing: readonly string[];
  /** Values that were not expected, whole. */
  readonly foreign: readonly string[];
  readonly rcode: string;
  readonly aa: boolean;
  /** RA in an answer without AA: something that resolves sits where a nameserver should. */
  readonly recursive: boolean;
  readonly soa?: { readonly zone: DomainName; readonly serial: number; readonly mname: DomainName } | undefined;
  /** min(TTL of the SOA record, MINIMUM): how long a cache keeps this "no" (RFC 2308 §5). */
  readonly negativeTtlSeconds?: number | undefined;
  /** Smallest TTL of the TXT set. */
  readonly ttlSeconds?: number | undefined;
  readonly alias?: { readonly kind: "CNAME" | "DNAME"; readonly target: DomainName } | undefined;
  /** The zone a referral points to. */
  readonly cut?: DomainName | undefined;
  /** Extended DNS errors in words (RFC 8914). */
  readonly extended: readonly ExtendedError[];
  readonly note?: string | undefined;
}

export interface ExtendedError {
  readonly code: number;
  readonly text: string;
}

/** Classifies a response of an authoritative server. Nothing else looks at response codes. */
export function classify(answer: Answer, expected: Expectation): Heard {
  const { message } = answer;
  const txt = compareTxt(message, expected.owner, expected.values);
  const soa = soaOf(message);
  const facts = {
    missing: txt.missing,
    foreign: txt.foreign,
    ttlSeconds: txt.ttlSeconds,
    rcode: message.rcode,
    aa: message.authoritative,
    recursive: !message.authoritative && message.recursionAvailable,
    soa: soa?.soa,
    negativeTtlSeconds: soa?.negativeTtlSeconds,
    extended: extendedErrors(message),
  };
  switch (message.rcode) {
    case "NOERROR":
    case "NXDOMAIN":
      break;
    case "REFUSED":
    case "NOTAUTH":
    case "NOTZONE":
      return { ...facts, class: "lame" };
    default:
      return { ...facts, class: "broken" };
  }
  if (!message.authoritative) return { ...facts, ...withoutAuthority(message, expected, txt.count) };
  const alias = aliasAt(message, expected.owner);
  if (alias !== undefined) return { ...facts, class: "alias", alias };
  if (txt.count === 0) {
    // What was cut off may have been the answer, so an empty truncated message says nothing about the name.
    if (message.truncated) return { ...facts, class: "broken", note: "truncated, and TCP brought no whole answer" };
    if (soa === undefined) return { ...facts, class: "absent-nosoa" };
    const above = soa.soa.zone !== expected.zone && isWithin(expected.zone, soa.soa.zone);
    return { ...facts, class: "absent", note: above ? `answers from the zone ${soa.soa.zone}` : undefined };
  }
  if (txt.missing.length === 0) return { ...facts, class: "match" };
  if (message.truncated) return { ...facts, class: "broken", note: "truncated, and TCP brought no whole answer" };
  return { ...facts, class: txt.missing.length < expected.values.length ? "partial" : "stale" };
}

function withoutAuthority(
  message: Message,
  expected: Expectation,
  txtCount: number,
): Pick<Heard, "class" | "cut" | "note"> {
  if (txtCount === 0 && message.rcode === "NOERROR") {
    const cut = message.authorities.find(
      (r) =>
        r.type === "NS" &&
        r.name !== expected.zone &&
        isWithin(r.name, expected.zone) &&
        isWithin(expected.owner, r.name),
    );
    if (cut !== undefined) return { class: "referral", cut: cut.name };
  }
  const note = message.recursionAvailable
    ? "no AA but RA: a resolver answers here, as when port 53 is intercepted"
    : "the answer is not authoritative (no AA)";
  return { class: "lame", note };
}

/** How the TXT records at `owner` relate to what is expected; aliases in front are not followed. */
export function compareTxt(message: Message, owner: DomainName | undefined, expected: readonly string[]) {
  const values: string[] = [];
  let ttlSeconds: number | undefined;
  // Whatever stands beside "no such name", a resolver goes by the rcode, and so does the CA behind it.
  for (const record of message.rcode === "NXDOMAIN" ? [] : message.answers) {
    if (record.type !== "TXT" || (owner !== undefined && !sameName(record.name, owner))) continue;
    const value = txtValue(record);
    if (value === undefined) continue;
    values.push(value);
    ttlSeconds = Math.min(ttlSeconds ?? record.ttl, record.ttl);
  }
  return {
    count: values.length,
    missing: expected.filter((v) => !values.includes(v)),
    foreign: values.filter((v) => !expected.includes(v)),
    ttlSeconds,
  };
}

/** A CNAME at the name itself, or what a DNAME above makes of it (RFC 6672 §2.2). */
function aliasAt(message: Message, owner: DomainName): Heard["alias"] {
  for (const record of message.answers) {
    if (!("target" in record)) continue;
    if (record.type === "DNAME" && record.name !== owner && isWithin(owner, record.name)) {
      const prefix = relativeTo(owner, record.name);
      return { kind: "DNAME", target: `${prefix}.${record.target}` as DomainName };
    }
  }
  for (const record of message.answers) {
    if ("target" in record && record.type === "CNAME" && sameName(record.name, owner)) {
      return { kind: "CNAME", target: record.target };
    }
  }
  return undefined;
}

/** SOA of a negative answer: authority section, or the answer section when SOA was the question. */
export function soaOf(message: Message) {
  for (const record of [...message.authorities, ...message.answers]) {
    if (!("serial" in record)) continue;
    return {
      soa: { zone: record.name, serial: record.serial, mname: record.mname },
      negativeTtlSeconds: Math.min(record.ttl, record.minimum),
    };
  }
  return undefined;
}

/** Names compare without regard to ASCII case; a server may echo ours or write its own. */
function sameName(a: DomainName, b: DomainName): boolean {
  return a === b || a.toLowerCase() === b.toLowerCase();
}

const extendedErrorOption = 15;

/** The extended errors of a response, in the server's own words where it gave some (RFC 8914 §2). */
export function extendedErrors(message: Message): readonly ExtendedError[] {
  const found: ExtendedError[] = [];
  for (const option of message.edns?.options ?? []) {
    if (option.code !== extendedErrorOption || option.data.length < 2) continue;
    const code = ((option.data[0] ?? 0) << 8) | (option.data[1] ?? 0);
    const words = printableLine(new TextDecoder().decode(option.data.subarray(2)).replace(/\0+$/, ""));
    const text = `EDE ${code}${purposes[code] === undefined ? "" : ` ${purposes[code]}`}${words === "" ? "" : `: ${words}`}`;
    found.push({ code, text });
  }
  return found;
}

/** INFO-CODEs that meet a challenge, from the registry of RFC 8914 §5.2. */
const purposes: Readonly<Record<number, string>> = {
  1: "Unsupported DNSKEY Algorithm",
  2: "Unsupported DS Digest Type",
  3: "Stale Answer",
  4: "Forged Answer",
  5: "DNSSEC Indeterminate",
  6: "DNSSEC Bogus",
  7: "Signature Expired",
  8: "Signature Not Yet Valid",
  9: "DNSKEY Missing",
  10: "RRSIGs Missing",
  11: "No Zone Key Bit Set",
  12: "NSEC Missing",
  13: "Cached Error",
  14: "Not Ready",
  15: "Blocked",
  16: "Censored",
  17: "Filtered",
  18: "Prohibited",
  19: "Stale NXDOMAIN Answer",
  20: "Not Authoritative",
  21: "Not Supported",
  22: "No Reachable Authority",
  23: "Network Error",
  24: "Invalid Data",
};
