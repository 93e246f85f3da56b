import {
  childOf,
  type DomainName,
  isWithin,
  labelsOf,
  parentOf,
  parseName,
  rootName,
  selfAndParents,
} from "../../src/core/name.ts";
import { emptyMessage } from "../../src/dns/codec.ts";
import type { Message, Question, RecordType, ResourceRecord } from "../../src/dns/message.ts";

/** Records of one zone. A scripted server answers from several of them. */
export interface ScriptedZone {
  readonly apex: DomainName;
  readonly records: readonly ResourceRecord[];
}

/**
 * A zone from lines "owner type data" or "owner ttl type data"; owners and names are relative to the apex unless they
 * end in a dot, "@" is the apex. An SOA is made up unless a line gives one.
 */
export function zone(apex: string, ...lines: readonly string[]): ScriptedZone {
  const at = parseName(apex);
  const records = lines.map((line) => parseRecord(at, line));
  const soa = records.some((r) => r.type === "SOA" && r.name === at) ? [] : [parseRecord(at, "@ SOA ns hostmaster 1")];
  return { apex: at, records: [...soa, ...records] };
}

function absolute(apex: DomainName, text: string): DomainName {
  if (text === "@") return apex;
  if (text === ".") return rootName;
  if (text.endsWith(".")) return text.slice(0, -1).toLowerCase() as DomainName;
  return (apex === rootName ? text : `${text}.${apex}`).toLowerCase() as DomainName;
}

function parseRecord(apex: DomainName, line: string): ResourceRecord {
  const [owner = "@", ...rest] = line.trim().split(/\s+/);
  const ttl = /^\d+$/.test(rest[0] ?? "") ? Number(rest.shift()) : 300;
  const [type = "", ...data] = rest;
  const head = { name: absolute(apex, owner), class: "IN", ttl } as const;
  const first = data[0] ?? "";
  switch (type) {
    case "A":
    case "AAAA":
      return { ...head, type, address: first };
    case "NS":
    case "CNAME":
    case "DNAME":
      return { ...head, type, target: absolute(apex, first) };
    case "TXT":
      return { ...head, type, strings: data.map((s) => new TextEncoder().encode(s)) };
    case "SOA":
      return {
        ...head,
        type,
        mname: absolute(apex, first),
        rname: absolute(apex, data[1] ?? "hostmaster"),
        serial: Number(data[2] ?? 1),
        refresh: 3600,
        retry: 600,
        expire: 86_400,
        minimum: 300,
      };
    default:
      throw new Error(`cannot read "${line}"`);
  }
}

/** What an authoritative server of these zones says to a question (RFC 1034 §4.3.2, RFC 4592, RFC 6672). */
export function authoritativeAnswer(
  zones: readonly ScriptedZone[],
  question: Question,
  behind: readonly DomainName[] = [],
): Message {
  const held = zones.filter((z) => isWithin(question.name, z.apex)).sort((a, b) => depth(b.apex) - depth(a.apex))[0];
  const base: Message = { ...emptyMessage, response: true, questions: [question] };
  if (held === undefined) return { ...base, rcode: "REFUSED" };
  const cut = selfAndParents(question.name)
    .filter((n) => n !== held.apex && isWithin(n, held.apex))
    .toReversed()
    .find((n) => at(held, n, "NS").length > 0);
  if (cut !== undefined) {
    const ns = at(held, cut, "NS");
    return { ...base, authorities: ns, additionals: addressesFor(held, ns) };
  }
  const aa: Message = { ...base, authoritative: true };
  const soa = at(held, held.apex, "SOA");
  const dname = selfAndParents(question.name)
    .slice(1)
    .filter((n) => isWithin(n, held.apex))
    .flatMap((n) => at(held, n, "DNAME"))[0];
  if (dname !== undefined && "target" in dname) {
    const front = labelsOf(question.name).slice(0, depth(question.name) - depth(dname.name));
    const target = front.reduceRight<DomainName>((below, label) => childOf(label, below), dname.target);
    if (target.length > 253) return { ...aa, rcode: "YXDOMAIN", answers: [dname] };
    const cname: ResourceRecord = { name: question.name, class: "IN", ttl: dname.ttl, type: "CNAME", target };
    return withTarget(zones, question, { ...aa, answers: [dname, cname] }, target, behind);
  }
  const owner = exists(held, question.name) ? question.name : wildcardFor(held, question.name);
  if (owner === undefined) return { ...aa, rcode: "NXDOMAIN", authorities: soa };
  const here = (type: RecordType) => at(held, owner, type).map((r) => ({ ...r, name: question.name }));
  const cname = here("CNAME")[0];
  if (cname !== undefined && "target" in cname) {
    const answer = { ...aa, answers: [cname] };
    return question.type === "CNAME" ? answer : withTarget(zones, question, answer, cname.target, behind);
  }
  const found = here(question.type);
  if (found.length === 0) return { ...aa, authorities: soa };
  return { ...aa, answers: found, additionals: addressesFor(held, found) };
}

/** Real servers go on inside their own zones, and add what they find. */
function withTarget(
  zones: readonly ScriptedZone[],
  question: Question,
  answer: Message,
  target: DomainName,
  behind: readonly DomainName[],
): Message {
  if (question.type === "CNAME" || target === question.name || behind.includes(target)) return answer;
  const more = authoritativeAnswer(zones, { ...question, name: target }, [...behind, question.name]);
  if (!more.authoritative) return answer;
  return { ...answer, rcode: more.rcode, answers: [...answer.answers, ...more.answers], authorities: more.authorities };
}

function at(zone: ScriptedZone, name: DomainName, type: RecordType): readonly ResourceRecord[] {
  return zone.records.filter((r) => r.name === name && r.type === type);
}

function exists(zone: ScriptedZone, name: DomainName): boolean {
  return zone.records.some((r) => isWithin(r.name, name));
}

/** RFC 4592 §3.3.1: the wildcard at the closest encloser, if there is one. */
function wildcardFor(zone: ScriptedZone, name: DomainName): DomainName | undefined {
  for (let up = parentOf(name); up !== undefined && isWithin(up, zone.apex); up = parentOf(up)) {
    const star = childOf("*", up);
    if (zone.records.some((r) => r.name === star)) return star;
    if (exists(zone, up)) return undefined;
  }
  return undefined;
}

/** Glue, or what servers add beside NS out of their own zone. */
function addressesFor(zone: ScriptedZone, records: readonly ResourceRecord[]): readonly ResourceRecord[] {
  const hosts = records.flatMap((r) => (r.type === "NS" && "target" in r ? [r.target] : []));
  return hosts.flatMap((host) => [...at(zone, host, "A"), ...at(zone, host, "AAAA")]);
}

function depth(name: DomainName): number {
  return labelsOf(name).length;
}
