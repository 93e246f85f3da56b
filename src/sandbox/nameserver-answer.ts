import { childOf, type DomainName, isWithin, parentOf, selfAndParents } from "../core/name.ts";
import type { Question, Rcode, ResourceRecord } from "../dns/message.ts";
import { rrset, targetOf, type Zone } from "./zone.ts";

/** What an authoritative server says to one question (RFC 1034 §4.3.2). */
export interface Reply {
  readonly rcode: Rcode;
  readonly authoritative: boolean;
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
}

const maxAliases = 16;
/** Characters of a name (RFC 1035 §2.3.4). */
const maxName = 253;

/** The zone that answers for a name: the deepest one held, or its parent for DS at the cut (RFC 4035 §3.1.4.1). */
function zoneFor(zones: ReadonlyMap<DomainName, Zone>, question: Question): Zone | undefined {
  for (const apex of ancestors(question.name)) {
    const zone = zones.get(apex);
    if (zone === undefined) continue;
    if (question.type === "DS" && zone.apex === question.name && apex !== ".") {
      const parent = parentOf(apex);
      const above = parent === undefined ? undefined : zoneFor(zones, { ...question, name: parent });
      if (above !== undefined && above !== zone) return above;
    }
    return zone;
  }
  return undefined;
}

/** Answers from the zones held, in the versions given. Aliases are followed inside their zone only. */
export function answerQuestion(zones: ReadonlyMap<DomainName, Zone>, question: Question): Reply {
  const zone = question.class === "IN" || question.class === "ANY" ? zoneFor(zones, question) : undefined;
  if (zone === undefined) return reply("REFUSED", false, [], []);
  const chain: ResourceRecord[] = [];
  const visited = new Set<DomainName>();
  let name = question.name;
  while (name.length <= maxName && isWithin(name, zone.apex) && !visited.has(name) && visited.size < maxAliases) {
    visited.add(name);
    const found = lookUp(zone, { ...question, name });
    if (found.kind === "referral") {
      return reply("NOERROR", chain.length > 0, chain, found.records, glue(zones, found.records));
    }
    if (found.kind === "nothing") {
      return reply(found.rcode, true, chain, [negativeSoa(zone)]);
    }
    chain.push(...found.records);
    if (found.kind === "data") return reply("NOERROR", true, chain, [], glue(zones, found.records));
    name = found.target;
  }
  // RFC 6672 §2.3: a name too long after substitution; otherwise the alias left the zone, or is a loop.
  return reply(name.length > maxName ? "YXDOMAIN" : "NOERROR", true, chain, []);
}

type Found =
  | { readonly kind: "referral"; readonly records: readonly ResourceRecord[] }
  | { readonly kind: "data"; readonly records: readonly ResourceRecord[] }
  | { readonly kind: "alias"; readonly records: readonly ResourceRecord[]; readonly target: DomainName }
  | { readonly kind: "nothing"; readonly rcode: "NOERROR" | "NXDOMAIN" };

/** One step: the name as it is in one zone. */
function lookUp(zone: Zone, question: Question): Found {
  const path = ancestors(question.name).filter((n) => n !== zone.apex && isWithin(n, zone.apex));
  for (const name of [...path].reverse()) {
    const cut = rrset(zone, name, "NS");
    const own = name === question.name;
    if (cut.length > 0 && !(own && question.type === "DS")) return { kind: "referral", records: cut };
    const dname = own ? undefined : rrset(zone, name, "DNAME")[0];
    if (dname !== undefined) return substituted(dname, question.name);
  }
  const apexDname = question.name === zone.apex ? undefined : rrset(zone, zone.apex, "DNAME")[0];
  if (apexDname !== undefined) return substituted(apexDname, question.name);
  if (zone.names.has(question.name)) return atNode(zone, question.name, question);
  const encloser = ancestors(question.name).find((n) => zone.names.has(n)) ?? zone.apex;
  const wildcard = childOf("*", encloser);
  return zone.names.has(wildcard) ? atNode(zone, wildcard, question) : { kind: "nothing", rcode: "NXDOMAIN" };
}

/** Data at a node, owned by the name that was asked for (RFC 4592 §3.3.1: synthesis from a wildcard). */
function atNode(zone: Zone, node: DomainName, question: Question): Found {
  const records = (zone.nodes.get(node) ?? []).map((r) => ({ ...r, name: question.name }));
  const cname = records.find((r) => r.type === "CNAME");
  const target = targetOf(cname);
  if (cname !== undefined && target !== undefined && question.type !== "CNAME" && question.type !== "ANY") {
    return { kind: "alias", records: [cname], target };
  }
  const matching = records.filter((r) => question.type === "ANY" || r.type === question.type);
  return matching.length > 0 ? { kind: "data", records: matching } : { kind: "nothing", rcode: "NOERROR" };
}

/** RFC 6672 §3.2: the DNAME and the CNAME it stands for, unless the target is no name any more. */
function substituted(dname: ResourceRecord, name: DomainName): Found {
  const to = targetOf(dname) ?? dname.name;
  const prefix = name.slice(0, -(dname.name.length + 1));
  const target = childOf(prefix, to);
  const cname: ResourceRecord = { name, class: "IN", ttl: dname.ttl, type: "CNAME", target };
  return { kind: "alias", records: target.length > maxName ? [dname] : [dname, cname], target };
}

/** RFC 2308 §3: its TTL is how long the absence may be cached. */
function negativeSoa(zone: Zone): ResourceRecord {
  return { ...zone.soa, ttl: Math.min(zone.soa.ttl, zone.soa.minimum) };
}

/** Addresses, where held, of the hosts that NS records name. */
function glue(zones: ReadonlyMap<DomainName, Zone>, records: readonly ResourceRecord[]): readonly ResourceRecord[] {
  const hosts = records.flatMap((r) => (r.type === "NS" ? (targetOf(r) ?? []) : []));
  return [...new Set(hosts)].flatMap((host) => {
    // Glue lives in the parent although the host is below the cut, so the data is read past the cut.
    const zone = zoneFor(zones, { name: host, type: "A", class: "IN" });
    return (zone?.nodes.get(host) ?? []).filter((r) => r.type === "A" || r.type === "AAAA");
  });
}

function ancestors(name: DomainName): readonly DomainName[] {
  return [...selfAndParents(name), "." as DomainName];
}

function reply(
  rcode: Rcode,
  authoritative: boolean,
  answers: readonly ResourceRecord[],
  authorities: readonly ResourceRecord[],
  additionals: readonly ResourceRecord[] = [],
): Reply {
  return { rcode, authoritative, answers, authorities, additionals };
}
