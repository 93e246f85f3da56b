import { childOf, type DomainName, isWithin, labelsOf } from "../core/name.ts";
import type { FailureKind } from "./discovery-error.ts";
import type { Message, RecordType, ResourceRecord } from "./message.ts";

/** Name and address from an A or AAAA record beside an answer. */
export interface HostAddress {
  readonly name: DomainName;
  readonly address: string;
}

/** What a server of `zone` said about a name, as far as finding nameservers and aliases is concerned. */
export type Outcome =
  /** Not here: the servers of a zone below know. */
  | {
      readonly kind: "referral";
      readonly zone: DomainName;
      readonly names: readonly DomainName[];
      readonly glue: readonly HostAddress[];
      readonly ttlSeconds: number;
    }
  /** The records that were asked for, by a server that is authoritative for them. */
  | {
      readonly kind: "found";
      readonly records: readonly ResourceRecord[];
      readonly additional: readonly HostAddress[];
      readonly ttlSeconds: number;
    }
  /** The name is an alias; `target` is one hop further. */
  | { readonly kind: "alias"; readonly target: DomainName; readonly dname: DomainName | undefined }
  /** No such record, or no such name. */
  | {
      readonly kind: "nothing";
      readonly nxdomain: boolean;
      readonly soa: DomainName | undefined;
      readonly ttlSeconds: number;
    }
  | { readonly kind: "failed"; readonly failure: FailureKind; readonly said: string };

/** Reads the response that a server of `zone` gave to an iterative question for `name`, `type`. */
export function outcomeOf(message: Message, zone: DomainName, name: DomainName, type: RecordType): Outcome {
  const { rcode, authoritative, answers, authorities, additionals } = message;
  const glue = hostAddresses(additionals);
  // RFC 6672 §2.2: the name that a DNAME would lead to is too long.
  if (rcode === "YXDOMAIN")
    return { kind: "failed", failure: "broken", said: "YXDOMAIN (the alias gives a name that is too long)" };
  if (rcode === "REFUSED" || rcode === "NOTAUTH") return { kind: "failed", failure: "lame", said: rcode };
  if (rcode !== "NOERROR" && rcode !== "NXDOMAIN") return { kind: "failed", failure: "broken", said: rcode };

  if (!authoritative || answers.length === 0) {
    const referral = referralOf(message, zone, name, glue);
    if (referral !== undefined) return referral;
  }
  if (!authoritative) return notAuthoritative(message, zone);

  const records = answers.filter((r) => r.name === name && r.type === type);
  if (records.length > 0) return { kind: "found", records, additional: glue, ttlSeconds: leastTtl(records) };
  const alias = aliasOf(answers, name);
  if (alias !== undefined) return alias;

  const soa = authorities.find((r) => r.type === "SOA" && isWithin(name, r.name));
  if (soa !== undefined && soa.name !== zone && isWithin(zone, soa.name)) {
    return { kind: "failed", failure: "lame", said: `answers from ${soa.name}, does not serve ${zone}` };
  }
  return { kind: "nothing", nxdomain: rcode === "NXDOMAIN", soa: soa?.name, ttlSeconds: soa?.ttl ?? 0 };
}

/** NS of a zone between `zone` and `name`. Some parents put them into the answer section, or set AA beside them. */
function referralOf(
  message: Message,
  zone: DomainName,
  name: DomainName,
  glue: readonly HostAddress[],
): Extract<Outcome, { kind: "referral" }> | undefined {
  if (message.rcode !== "NOERROR") return undefined;
  if (message.authoritative && message.authorities.some((r) => r.type === "SOA")) return undefined;
  const below = (r: ResourceRecord) =>
    r.type === "NS" && r.name !== zone && isWithin(r.name, zone) && isWithin(name, r.name);
  let records = message.authorities.filter(below);
  // An answer section without AA and with RA comes from a cache, not from the parent.
  if (records.length === 0 && !message.recursionAvailable) records = message.answers.filter(below);
  const cut = records[0]?.name;
  if (cut === undefined) return undefined;
  const own = records.filter((r) => r.name === cut);
  // Glue is believed only for names that the answering server can vouch for (RFC 2181 §5.4.1).
  return {
    kind: "referral",
    zone: cut,
    names: unique(own.flatMap(nsTarget)),
    glue: glue.filter((g) => isWithin(g.name, zone)),
    ttlSeconds: leastTtl(own),
  };
}

function notAuthoritative(message: Message, zone: DomainName): Outcome {
  if (message.recursionAvailable) {
    return {
      kind: "failed",
      failure: "intercepted",
      said: `a recursive answer (RA without AA) instead of an authoritative one for ${zone}`,
    };
  }
  return { kind: "failed", failure: "lame", said: `not authoritative for ${zone}` };
}

/** The first hop from `name`: its CNAME, or what a DNAME above makes of it (RFC 6672 §3.1). */
function aliasOf(
  answers: readonly ResourceRecord[],
  name: DomainName,
): Extract<Outcome, { kind: "alias" }> | undefined {
  const dname = answers.find((r) => r.type === "DNAME" && r.name !== name && isWithin(name, r.name));
  const cname = answers.find((r) => r.type === "CNAME" && r.name === name);
  if (cname !== undefined && "target" in cname) return { kind: "alias", target: cname.target, dname: dname?.name };
  if (dname === undefined || !("target" in dname)) return undefined;
  const labels = labelsOf(name);
  const front = labels.slice(0, labels.length - labelsOf(dname.name).length);
  const target = front.reduceRight<DomainName>((at, label) => childOf(label, at), dname.target);
  return { kind: "alias", target, dname: dname.name };
}

/** The targets of NS records among `records`. */
export function nsTargets(records: readonly ResourceRecord[]): readonly DomainName[] {
  return unique(records.flatMap(nsTarget));
}

function nsTarget(record: ResourceRecord): readonly DomainName[] {
  return record.type === "NS" && "target" in record ? [record.target] : [];
}

/** The addresses among `records`. */
export function hostAddresses(records: readonly ResourceRecord[]): readonly HostAddress[] {
  return records.flatMap((r) =>
    (r.type === "A" || r.type === "AAAA") && "address" in r ? [{ name: r.name, address: r.address }] : [],
  );
}

export function unique<T>(items: readonly T[]): readonly T[] {
  return [...new Set(items)];
}

function leastTtl(records: readonly ResourceRecord[]): number {
  return records.reduce((least, r) => Math.min(least, r.ttl), Number.POSITIVE_INFINITY);
}

/** Sixteen random letters and digits in front of `parent`: a name that nobody has made on purpose. */
export function randomChild(parent: DomainName, random: () => number): DomainName {
  let label = "";
  while (label.length < 16) label += Math.floor(random() * 36).toString(36);
  return childOf(label, parent);
}
