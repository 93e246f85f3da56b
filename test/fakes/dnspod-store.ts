import { domainToUnicode } from "node:url";
import type { DomainName } from "../../src/core/name.ts";

/** What DNSPod keeps, behind both of its APIs. */
export interface DnspodDomain {
  readonly id: number;
  readonly apex: DomainName;
  /** As the console shows it, and as lists name it. */
  readonly unicode: string;
  /** Lowest TTL of the plan. */
  minTtl: number;
  status: "ENABLE" | "PAUSE" | "SPAM";
  /** Belongs to somebody else. */
  foreign: boolean;
  readonly records: DnspodRecord[];
}

export interface DnspodRecord {
  readonly id: number;
  /** "@" at the apex. */
  readonly name: string;
  readonly type: string;
  readonly line: Line;
  readonly value: string;
  readonly ttl: number;
  readonly createdAt: number;
  deletedAt: number | undefined;
  /** Switched off: in lists and in the way of its like, but not served. */
  isOff?: boolean;
}

export interface Line {
  readonly id: string;
  readonly name: string;
}

export interface DnspodOptions {
  /** Lists show records that much later, and go on showing deleted ones. Milliseconds, default 0. */
  readonly listLagMs?: number;
  /** Default 600, the free plan's. */
  readonly minTtl?: number;
  /** Most values of one type at one name and line; plans differ. Default 1,000. */
  readonly rollLimit?: number;
  /** No list is longer, whatever is asked for. Default 3000. */
  readonly pageCap?: number;
  /** The spelling by which a domain that is no ASCII is known. Default "unicode". */
  readonly spelling?: "ascii" | "unicode";
  /** Name of the default line: "默认", on the international site "Default". */
  readonly defaultLine?: string;
  /** Whether records in lists of the legacy API have the id of their line; the international site's have not. Default true. */
  readonly lineIds?: boolean;
}

export interface DnspodStore {
  readonly options: Required<DnspodOptions>;
  readonly domains: readonly DnspodDomain[];
  readonly lines: readonly Line[];
  byName(name: string): DnspodDomain | undefined;
  byApex(apex: DomainName): DnspodDomain;
  /** What lists show now, records of other names and types included. */
  listed(domain: DnspodDomain): readonly DnspodRecord[];
  standing(domain: DnspodDomain): readonly DnspodRecord[];
  /** The faults that both APIs name, in the words of neither; the new record otherwise. */
  create(domain: DnspodDomain, wanted: Wanted, beside?: Set<string>): DnspodRecord | CreateFault;
  /** For who creates thousands of them: looked up once, and then given to each `create`, which adds its value. */
  valuesAt(domain: DnspodDomain, at: Place): Set<string>;
  remove(domain: DnspodDomain, id: number): boolean;
}

type Place = Pick<DnspodRecord, "name" | "type" | "line">;
type Wanted = Place & Pick<DnspodRecord, "value" | "ttl">;

export type CreateFault = "duplicate" | "ttl" | "roll" | "name" | "value" | "spam";

export function createDnspodStore(apexes: readonly DomainName[], given: DnspodOptions = {}): DnspodStore {
  const options = {
    listLagMs: 0,
    minTtl: 600,
    rollLimit: 1000,
    pageCap: 3000,
    spelling: "unicode" as const,
    defaultLine: "默认",
    lineIds: true,
    ...given,
  };
  let ids = 1_780_000_000;
  const lines: readonly Line[] = [
    { id: "0", name: options.defaultLine },
    { id: "7=0", name: "境内" },
    { id: "3=0", name: "境外" },
    { id: "10=1", name: "联通" },
  ];
  const [defaultLine = { id: "0", name: options.defaultLine }] = lines;
  const domains = apexes.map((apex, i): DnspodDomain => {
    const servers = ["f1g1ns1.dnspod.net.", "f1g1ns2.dnspod.net."].map((value) => ({
      id: ++ids,
      name: "@",
      type: "NS",
      line: defaultLine,
      value,
      ttl: 86_400,
      createdAt: 0,
      deletedAt: undefined,
    }));
    const { minTtl } = options;
    const unicode = domainToUnicode(apex);
    return { id: 90_000_000 + i, apex, unicode, minTtl, status: "ENABLE", foreign: false, records: servers };
  });
  const named = new Map(domains.map((d) => [options.spelling === "unicode" ? d.unicode : String(d.apex), d]));
  const byApex = new Map(domains.map((d) => [d.apex, d]));
  const standing = (domain: DnspodDomain) => domain.records.filter(({ deletedAt }) => deletedAt === undefined);
  const valuesAt = (domain: DnspodDomain, at: Place) =>
    new Set(
      standing(domain).flatMap(({ name, type, line, value }) =>
        name === at.name && type === at.type && line.id === at.line.id ? [value] : [],
      ),
    );

  return {
    options,
    domains,
    lines,
    byName: (name) => named.get(name.toLowerCase().replace(/\.$/, "")),
    byApex(apex) {
      const domain = byApex.get(apex);
      if (domain === undefined) throw new Error(`the fake does not hold ${apex}`);
      return domain;
    },
    standing,
    listed(domain) {
      const then = Date.now() - options.listLagMs;
      return domain.records.filter(
        ({ createdAt, deletedAt }) => createdAt <= then && (deletedAt === undefined || deletedAt > then),
      );
    },
    valuesAt,
    create(domain, wanted, beside = valuesAt(domain, wanted)) {
      if (domain.status === "SPAM") return "spam";
      if (!/^(@|(\*|[a-z0-9_-]{1,63})(\.[a-z0-9_-]{1,63})*)$/i.test(wanted.name)) return "name";
      if (wanted.ttl < domain.minTtl || wanted.ttl > 604_800) return "ttl";
      if (wanted.value === "" || wanted.value.length > 4096) return "value";
      if (beside.has(wanted.value)) return "duplicate";
      if (beside.size >= options.rollLimit) return "roll";
      beside.add(wanted.value);
      const record = { ...wanted, id: ++ids, createdAt: Date.now(), deletedAt: undefined };
      domain.records.push(record);
      return record;
    },
    remove(domain, id) {
      const record = standing(domain).find((r) => r.id === id);
      if (record === undefined) return false;
      record.deletedAt = Date.now();
      return true;
    },
  };
}
