import { type DomainName, parseName } from "../core/name.ts";
import type { ResourceRecord } from "../dns/message.ts";
import { txtStrings, txtValue } from "../dns/txt.ts";
import { withNextSerial } from "./nameserver-update.ts";
import { allRecords, makeZone, rrset, type Zone } from "./zone.ts";
import type { ZoneStore } from "./zone-store.ts";

/** Changes and views of the zones for whoever runs the sandbox; the second nameserver follows with its lag. */
export interface ZoneEditor {
  /** TXT values at a name as the first (0) or second (1) nameserver serves them now. */
  txt(name: string, server?: 0 | 1): readonly string[];
  /** The SOA serial of a zone as that server serves it now. */
  serial(apex: string, server?: 0 | 1): number | undefined;
  addTxt(name: string, value: string, ttlSeconds?: number): void;
  /** Adds records to the zone that holds their owner. */
  add(records: readonly ResourceRecord[]): void;
  /** Adds an alias: `name` CNAME `target`. */
  addCname(name: string, target: string): void;
  /** Takes away all records of a name, or those that match. */
  remove(name: string, matches?: (record: ResourceRecord) => boolean): void;
  /** Makes the second nameserver lag by this much from now on; Infinity leaves it at its first version. */
  setLag(ms: number): void;
}

const ttl = 60;

export function makeZoneEditor(store: ZoneStore, lag: { get(): number; set(ms: number): void }): ZoneEditor {
  const latest = () => store.view(0);
  const seenBy = (server: 0 | 1) => store.view(server === 0 ? 0 : lag.get());
  const edit = (name: DomainName, change: (zone: Zone) => readonly ResourceRecord[]) => {
    const zone = holding(latest(), name);
    if (zone === undefined) throw new RangeError(`no zone of the sandbox holds ${name}`);
    store.commit(withNextSerial(makeZone(zone.apex, change(zone))));
  };
  const add = (records: readonly ResourceRecord[]) => {
    for (const record of records) edit(record.name, (zone) => [...allRecords(zone), record]);
  };
  return {
    txt(name, server = 0) {
      const owner = parseName(name);
      const zone = holding(seenBy(server), owner);
      return zone === undefined ? [] : rrset(zone, owner, "TXT").flatMap((r) => txtValue(r) ?? []);
    },
    serial: (apex, server = 0) => seenBy(server).get(parseName(apex))?.soa.serial,
    addTxt: (name, value, ttlSeconds = ttl) =>
      add([{ name: parseName(name), class: "IN", ttl: ttlSeconds, type: "TXT", strings: txtStrings(value) }]),
    add,
    addCname: (name, target) =>
      add([{ name: parseName(name), class: "IN", ttl, type: "CNAME", target: parseName(target) }]),
    remove(name, matches = () => true) {
      const owner = parseName(name);
      edit(owner, (zone) => allRecords(zone).filter((r) => r.name !== owner || !matches(r)));
    },
    setLag: (ms) => lag.set(ms),
  };
}

function holding(zones: ReadonlyMap<DomainName, Zone>, name: DomainName): Zone | undefined {
  return [...zones.values()]
    .filter((z) => name === z.apex || name.endsWith(`.${z.apex}`))
    .sort((a, b) => b.apex.length - a.apex.length)[0];
}
