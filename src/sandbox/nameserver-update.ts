import { type DomainName, isWithin } from "../core/name.ts";
import type { Message, Rcode, RecordType, ResourceRecord } from "../dns/message.ts";
import { allRecords, isSoa, makeZone, rdataKey, rrset, type Soa, serialAfter, type Zone } from "./zone.ts";

export type UpdateResult =
  | { readonly rcode: "NOERROR"; readonly zone: Zone }
  | { readonly rcode: Exclude<Rcode, "NOERROR"> };

/** Types that are questions, not data (RFC 2136 §3.4.1.2). */
const metaTypes: ReadonlySet<RecordType> = new Set(["ANY", "AXFR", "IXFR", "OPT", "TSIG", "TYPE253", "TYPE254"]);

/**
 * RFC 2136 §3 on one version of a zone: prerequisites, then all changes or none. The serial goes up by one if anything
 * changed. Whether the sender may do this is decided before.
 */
export function applyUpdate(zone: Zone, message: Message): UpdateResult {
  const refusal = checkPrerequisites(zone, message.answers) ?? prescan(zone, message.authorities);
  if (refusal !== undefined) return { rcode: refusal };
  const before = new Map([...zone.nodes].map(([name, records]) => [name, [...records]]));
  let soa = zone.soa;
  for (const record of message.authorities) {
    if (record.class === "IN") soa = add(before, zone.apex, soa, record);
    else if (record.class === "ANY") removeSets(before, zone.apex, record);
    else removeValue(before, zone.apex, record);
  }
  const next = makeZone(zone.apex, [...before.values()].flat());
  if (sameRecords(zone, next)) return { rcode: "NOERROR", zone };
  return { rcode: "NOERROR", zone: soa === zone.soa ? withNextSerial(next) : next };
}

/** RFC 2136 §3.6: the serial must go forward; 0 is skipped, which some secondaries take for "never loaded". */
export function withNextSerial(zone: Zone): Zone {
  const serial = (zone.soa.serial + 1) >>> 0 || 1;
  const soa: Soa = { ...zone.soa, serial };
  return makeZone(zone.apex, [soa, ...allRecords(zone).filter((r) => !isSoa(r))]);
}

/** RFC 2136 §3.2. */
function checkPrerequisites(zone: Zone, records: readonly ResourceRecord[]): Exclude<Rcode, "NOERROR"> | undefined {
  const wanted = new Map<string, ResourceRecord[]>();
  for (const record of records) {
    if (record.ttl !== 0) return "FORMERR";
    if (!isWithin(record.name, zone.apex)) return "NOTZONE";
    const exists =
      record.type === "ANY" ? zone.nodes.has(record.name) : rrset(zone, record.name, record.type).length > 0;
    if (record.class === "ANY" || record.class === "NONE") {
      if (!("empty" in record)) return "FORMERR";
      if (record.class === "ANY" && !exists) return record.type === "ANY" ? "NXDOMAIN" : "NXRRSET";
      if (record.class === "NONE" && exists) return record.type === "ANY" ? "YXDOMAIN" : "YXRRSET";
    } else if (record.class === "IN") {
      if (metaTypes.has(record.type)) return "FORMERR";
      const key = `${record.name} ${record.type}`;
      wanted.set(key, [...(wanted.get(key) ?? []), record]);
    } else {
      return "FORMERR";
    }
  }
  for (const set of wanted.values()) {
    const first = set[0];
    if (first === undefined) continue;
    if (keysOf(set) !== keysOf(rrset(zone, first.name, first.type))) return "NXRRSET";
  }
  return undefined;
}

/** RFC 2136 §3.4.1: everything is checked before anything is done. */
function prescan(zone: Zone, records: readonly ResourceRecord[]): Exclude<Rcode, "NOERROR"> | undefined {
  for (const record of records) {
    if (!isWithin(record.name, zone.apex)) return "NOTZONE";
    const isMeta = metaTypes.has(record.type);
    if (record.class === "IN") {
      if (isMeta || "empty" in record) return "FORMERR";
    } else if (record.class === "ANY") {
      if (record.ttl !== 0 || !("empty" in record) || (isMeta && record.type !== "ANY")) return "FORMERR";
    } else if (record.class === "NONE") {
      if (record.ttl !== 0 || isMeta || "empty" in record) return "FORMERR";
    } else {
      return "FORMERR";
    }
  }
  return undefined;
}

type Nodes = Map<DomainName, ResourceRecord[]>;

/** RFC 2136 §3.4.2.2. Returns the SOA that holds afterwards. */
function add(nodes: Nodes, apex: DomainName, soa: Soa, record: ResourceRecord): Soa {
  const node = nodes.get(record.name) ?? [];
  const hasAlias = node.some((r) => r.type === "CNAME");
  // An alias stands alone: whatever would break that is ignored without an error.
  if (record.type === "CNAME" ? node.some((r) => r.type !== "CNAME") : hasAlias) return soa;
  if (isSoa(record)) {
    if (record.name !== apex || !serialAfter(record.serial, soa.serial)) return soa;
    nodes.set(apex, [record, ...node.filter((r) => !isSoa(r))]);
    return record;
  }
  const key = rdataKey(record);
  const others = node.filter((r) => r.type !== record.type);
  const siblings = node.filter((r) => r.type === record.type && rdataKey(r) !== key);
  // One TTL per RRset (RFC 2181 §5.2); CNAME has one value and is replaced.
  const kept = record.type === "CNAME" ? [] : siblings.map((r) => ({ ...r, ttl: record.ttl }));
  nodes.set(record.name, [...others, ...kept, record]);
  return soa;
}

/** RFC 2136 §3.4.2.3: class ANY, one type or all; SOA and NS of the apex stay. */
function removeSets(nodes: Nodes, apex: DomainName, record: ResourceRecord): void {
  const isProtected = (r: ResourceRecord) => record.name === apex && (r.type === "SOA" || r.type === "NS");
  const isMeant = (r: ResourceRecord) => record.type === "ANY" || r.type === record.type;
  put(
    nodes,
    record.name,
    (nodes.get(record.name) ?? []).filter((r) => isProtected(r) || !isMeant(r)),
  );
}

/** RFC 2136 §3.4.2.4: class NONE, exactly this value; never the SOA or the last NS of the apex. */
function removeValue(nodes: Nodes, apex: DomainName, record: ResourceRecord): void {
  const node = nodes.get(record.name) ?? [];
  if (record.type === "SOA") return;
  if (record.name === apex && record.type === "NS" && node.filter((r) => r.type === "NS").length === 1) return;
  const key = rdataKey(record);
  put(
    nodes,
    record.name,
    node.filter((r) => r.type !== record.type || rdataKey(r) !== key),
  );
}

function put(nodes: Nodes, name: DomainName, records: ResourceRecord[]): void {
  if (records.length === 0) nodes.delete(name);
  else nodes.set(name, records);
}

function keysOf(records: readonly ResourceRecord[]): string {
  return [...new Set(records.map(rdataKey))].sort().join(" ");
}

function sameRecords(a: Zone, b: Zone): boolean {
  const keys = (zone: Zone) =>
    allRecords(zone)
      .map((r) => `${r.name} ${r.type} ${r.ttl} ${rdataKey(r)}`)
      .sort()
      .join("\n");
  return keys(a) === keys(b);
}
