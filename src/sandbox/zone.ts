import { type DomainName, isWithin, parentOf } from "../core/name.ts";
import type { RecordType, ResourceRecord } from "../dns/message.ts";
import { writeRdata } from "../dns/rdata.ts";
import { WireWriter } from "../dns/wire.ts";

export type Soa = Extract<ResourceRecord, { readonly type: "SOA"; readonly serial: number }>;

/** One version of a zone; an update makes a new one and leaves this as it is. */
export interface Zone {
  readonly apex: DomainName;
  readonly soa: Soa;
  readonly nodes: ReadonlyMap<DomainName, readonly ResourceRecord[]>;
  /** Every name that exists, empty non-terminals included (RFC 4592 §2.2.2). */
  readonly names: ReadonlySet<DomainName>;
}

/** Throws TypeError when the records are no zone: no SOA at the apex, or an owner outside. */
export function makeZone(apex: DomainName, records: Iterable<ResourceRecord>): Zone {
  const nodes = new Map<DomainName, ResourceRecord[]>();
  const names = new Set<DomainName>([apex]);
  for (const record of records) {
    if (!isWithin(record.name, apex)) throw new TypeError(`${record.name} is not in the zone ${apex}`);
    const node = nodes.get(record.name);
    if (node === undefined) nodes.set(record.name, [record]);
    else node.push(record);
    for (let name = record.name; name !== apex; ) {
      if (names.has(name)) break;
      names.add(name);
      const parent = parentOf(name);
      if (parent === undefined) break;
      name = parent;
    }
  }
  const soa = (nodes.get(apex) ?? []).find(isSoa);
  if (soa === undefined) throw new TypeError(`the zone ${apex} has no SOA`);
  return { apex, soa, nodes, names };
}

export function allRecords(zone: Zone): readonly ResourceRecord[] {
  return [...zone.nodes.values()].flat();
}

export function rrset(zone: Zone, name: DomainName, type: RecordType): readonly ResourceRecord[] {
  return (zone.nodes.get(name) ?? []).filter((r) => r.type === type);
}

export function isSoa(record: ResourceRecord): record is Soa {
  return "serial" in record;
}

/** Where an alias or a delegation points to; undefined for other types. */
export function targetOf(record: ResourceRecord | undefined): DomainName | undefined {
  return record !== undefined && "target" in record ? record.target : undefined;
}

/** RDATA as hexadecimal: equal for records with the same content. */
export function rdataKey(record: ResourceRecord): string {
  const writer = new WireWriter();
  writeRdata(writer, record, undefined);
  return Buffer.from(writer.finish()).toString("hex");
}

/** RFC 1982 §3.2: whether serial `a` comes after `b`. */
export function serialAfter(a: number, b: number): boolean {
  const distance = (a - b) >>> 0;
  return distance !== 0 && distance < 0x8000_0000;
}
