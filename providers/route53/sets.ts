import { createHash } from "node:crypto";
import type { Change, ResourceRecordSet } from "@aws-sdk/client-route-53";
import { RejectedError, type RRset, type RRsetChange } from "../../src/index.ts";

/** A name as Route 53 shows it, in our spelling: it ends names with a dot and shows "*" as "\052". */
export function plainName(name: string): string {
  return name
    .replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
    .replace(/\.$/, "")
    .toLowerCase();
}

/**
 * The TXT sets of one name as one. They travel along in `version`: to be deleted, a set has to be repeated exactly as
 * it stands, quoting, TTL and all.
 */
export function rrsetOf(sets: readonly ResourceRecordSet[]): RRset | undefined {
  const [first] = sets;
  if (first === undefined) return undefined;
  return { values: sets.flatMap(valuesOf), ttlSeconds: first.TTL ?? 0, version: JSON.stringify(sets) };
}

/**
 * What turns one name's sets from `previous` into `next`. Deleting what was read makes the service compare: the whole
 * batch is refused if somebody else was faster.
 */
export function changesOf({ owner, previous, next }: RRsetChange): readonly Change[] {
  const read: readonly ResourceRecordSet[] = previous?.version === undefined ? [] : JSON.parse(previous.version);
  const routed = read.map(routingOf).find((routing) => routing !== undefined);
  if (routed !== undefined) throw unmanageable(owner.fqdn, routed);
  const wanted = new Set(next?.values);
  const added = [...wanted].filter((value) => !previous?.values.includes(value));
  const multivalue = read.some(({ MultiValueAnswer }) => MultiValueAnswer === true);

  const rewrite = (set: ResourceRecordSet, news: readonly string[]): readonly Change[] => {
    const records = set.ResourceRecords ?? [];
    const kept = records.filter(({ Value = "" }) => wanted.has(unquoted(Value)));
    if (kept.length === records.length && news.length === 0) return [];
    const ResourceRecords = [...kept, ...news.map((value) => ({ Value: quoted(value) }))];
    return [
      { Action: "DELETE", ResourceRecordSet: set },
      ...(ResourceRecords.length === 0 ? [] : [create({ ...set, ResourceRecords })]),
    ];
  };
  const bare = { Name: `${owner.fqdn}.`, Type: "TXT", TTL: next?.ttlSeconds ?? 0 } as const;
  if (multivalue) {
    const taken = new Set(read.map(({ SetIdentifier }) => SetIdentifier));
    const own = added.map((value) => {
      const ResourceRecords = [{ Value: quoted(value) }];
      return create({ ...bare, SetIdentifier: identifierOf(value, taken), MultiValueAnswer: true, ResourceRecords });
    });
    return [...read.flatMap((set) => rewrite(set, [])), ...own];
  }
  const [simple] = read;
  if (simple !== undefined) return rewrite(simple, added);
  return added.length === 0
    ? []
    : [create({ ...bare, ResourceRecords: added.map((value) => ({ Value: quoted(value) })) })];
}

/** As many changes to a request as the service takes: 1,000 records and 32,000 characters of values. */
export function batchesOf(changes: readonly RRsetChange[]): readonly (readonly RRsetChange[])[] {
  const batches: RRsetChange[][] = [];
  let records = 0;
  let characters = 0;
  for (const change of changes) {
    const values = changesOf(change).flatMap(({ ResourceRecordSet: set }) => set?.ResourceRecords ?? []);
    const length = values.reduce((sum, { Value = "" }) => sum + Value.length, 0);
    records += values.length;
    characters += length;
    const batch = batches.at(-1);
    if (batch !== undefined && records <= 1000 && characters <= 32_000) batch.push(change);
    else {
      batches.push([change]);
      records = values.length;
      characters = length;
    }
  }
  return batches;
}

function create(set: ResourceRecordSet): Change {
  return { Action: "CREATE", ResourceRecordSet: set };
}

/** Sets with the value as identifier are what cert-manager makes too: a clean-up of either finds both. */
function identifierOf(value: string, taken: ReadonlySet<string | undefined>): string {
  const fits = /^[\x21-\x7e]{1,128}$/.test(value) && !taken.has(value);
  return fits ? value : createHash("sha256").update(value).digest("hex");
}

const routings = {
  AliasTarget: "is an alias",
  TrafficPolicyInstanceId: "belongs to a traffic policy",
  Weight: "is weighted",
  Region: "is routed by latency",
  Failover: "is one of a failover",
  GeoLocation: "is routed by location",
  GeoProximityLocation: "is routed by proximity",
  CidrRoutingConfig: "is routed by the client's address",
} as const satisfies Partial<Record<keyof ResourceRecordSet, string>>;

function routingOf(set: ResourceRecordSet): string | undefined {
  return Object.entries(routings).find(([key]) => set[key as keyof typeof routings] !== undefined)?.[1];
}

function unmanageable(fqdn: string, routing: string): RejectedError {
  return new RejectedError(`the TXT set that stands at ${fqdn} ${routing}, and no value can be put beside it`, {
    hint: "Take the set away, or delegate the challenge name to another zone by CNAME.",
  });
}

function valuesOf({ ResourceRecords = [] }: ResourceRecordSet): readonly string[] {
  return ResourceRecords.map(({ Value = "" }) => unquoted(Value));
}

/** One string per 255 octets (RFC 1035 §3.3.14), each in quotes; what is not printable ASCII as three octal digits. */
function quoted(value: string): string {
  const octets = Buffer.from(value);
  const strings: string[] = [];
  for (let at = 0; at === 0 || at < octets.length; at += 255) {
    strings.push(`"${Array.from(octets.subarray(at, at + 255), escaped).join("")}"`);
  }
  return strings.join(" ");
}

function escaped(octet: number): string {
  const character = String.fromCharCode(octet);
  if (character === '"' || character === "\\") return `\\${character}`;
  return octet >= 0x20 && octet < 0x7f ? character : `\\${octet.toString(8).padStart(3, "0")}`;
}

function unquoted(text: string): string {
  const strings = [...text.matchAll(/"((?:[^"\\]|\\.)*)"/gs)].map(([, inside = ""]) => inside);
  if (strings.length === 0) return text;
  const octets = strings.flatMap((inside) =>
    [...inside.matchAll(/\\([0-7]{3})|\\?(.)/gsu)].map(([, octal, character = ""]) =>
      octal === undefined ? Buffer.from(character) : Buffer.of(Number.parseInt(octal, 8) & 0xff),
    ),
  );
  return Buffer.concat(octets).toString();
}
