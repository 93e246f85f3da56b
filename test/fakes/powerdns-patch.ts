export interface StoredRecord {
  readonly content: string;
  readonly disabled: boolean;
}

export interface StoredSet {
  readonly name: string;
  readonly type: string;
  readonly ttl: number;
  readonly records: readonly StoredRecord[];
}

export interface StoredZone {
  readonly name: string;
  sets: readonly StoredSet[];
}

/** Refused with status 422 and these words; nothing was changed. */
export class PatchError extends Error {}

/** The zone's sets after all changes of a PATCH, or PatchError: it is one transaction. */
export function applyPatch(zone: StoredZone, body: string, knowsSingleChanges: boolean): readonly StoredSet[] {
  const changes = changesIn(body);
  const known = knowsSingleChanges ? ["REPLACE", "DELETE", "EXTEND", "PRUNE"] : ["REPLACE", "DELETE"];
  const whole = new Set<string>();
  for (const { name, type, changetype } of changes) {
    const rrset = `RRset ${name} IN ${type}`;
    if (!known.includes(changetype)) {
      throw new PatchError(
        knowsSingleChanges ? `Changetype '${changetype}' is not a valid value` : "Changetype not understood",
      );
    }
    if (!name.endsWith(".")) throw new PatchError(`DNS Name '${name}' is not canonical`);
    if (name !== zone.name && !name.endsWith(`.${zone.name}`)) throw new PatchError(`${rrset}: Name is out of zone`);
    if (changetype === "EXTEND" || changetype === "PRUNE") continue;
    if (whole.has(rrset)) throw new PatchError(`Duplicate ${rrset} with changetype: ${changetype}`);
    whole.add(rrset);
  }
  return changes.reduce((sets, change) => applyOne(sets, change), zone.sets);
}

interface Change {
  readonly name: string;
  readonly type: string;
  readonly changetype: string;
  readonly ttl: unknown;
  readonly records: unknown;
}

function changesIn(body: string): readonly Change[] {
  const { rrsets } = parsed(body) as { readonly rrsets?: unknown };
  if (!Array.isArray(rrsets)) throw new PatchError("No rrsets given in update request");
  return rrsets.map((change: Record<string, unknown>) => ({
    name: textOf(change, "name").toLowerCase(),
    type: textOf(change, "type"),
    changetype: textOf(change, "changetype").toUpperCase(),
    ttl: change["ttl"],
    records: change["records"],
  }));
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body) ?? {};
  } catch {
    throw new PatchError("Request body is not JSON");
  }
}

function textOf(change: Record<string, unknown>, key: string): string {
  const value = change[key];
  if (typeof value !== "string") throw new PatchError(`Key '${key}' not present or not a String`);
  return value;
}

function applyOne(sets: readonly StoredSet[], change: Change): readonly StoredSet[] {
  const { name, type, changetype } = change;
  const current = sets.find((set) => set.name === name && set.type === type);
  const others = sets.filter((set) => set !== current);
  const put = (records: readonly StoredRecord[], ttl: number): readonly StoredSet[] =>
    records.length === 0 ? others : [...others, { name, type, ttl, records }];
  if (changetype === "DELETE") return others;
  const ttl = ttlOf(change);
  const records = recordsOf(change);
  if (changetype === "REPLACE") {
    // Single values are not looked at so closely: 4.9.18 adds one beside a CNAME.
    const at = records.length === 0 ? [] : others.filter((set) => set.name === name);
    if (at.some((set) => (set.type === "CNAME") !== (type === "CNAME"))) {
      throw new PatchError(`RRset ${name} IN ${type}: Conflicts with pre-existing RRset`);
    }
    return put(records, ttl);
  }
  const [record] = records;
  if (record === undefined || records.length > 1) {
    throw new PatchError("Exactly one record should be provided for PRUNE or EXTEND operation");
  }
  // The server does not see what is switched off (4.9.17), and writes the set without it.
  const before = current?.records.filter(({ disabled }) => !disabled) ?? [];
  const isThere = before.some(({ content }) => content === record.content);
  if (isThere === (changetype === "EXTEND")) return sets;
  if (changetype === "PRUNE")
    return put(
      before.filter(({ content }) => content !== record.content),
      current?.ttl ?? ttl,
    );
  if (current !== undefined && current.ttl !== ttl) {
    throw new PatchError(`RRset ${name} IN ${type}: uses a different TTL value than the remainder of the RRset`);
  }
  return put([...before, record], ttl);
}

function ttlOf({ ttl, name }: Change): number {
  if (typeof ttl !== "number" || !Number.isInteger(ttl) || ttl < 0) {
    throw new PatchError(`Key 'ttl' not present or not an Integer (${name})`);
  }
  return ttl;
}

function recordsOf({ name, type, records }: Change): readonly StoredRecord[] {
  if (!Array.isArray(records)) throw new PatchError(`No change for RRset ${name} IN ${type}`);
  const seen = new Set<string>();
  return records.map((record: Record<string, unknown>) => {
    const content = textOf(record, "content");
    const { disabled = false } = record;
    if (typeof disabled !== "boolean") throw new PatchError("Key 'disabled' is not a Boolean");
    if (type === "TXT" && !/^"(?:[^"\\]|\\\d{3}|\\\D){0,255}"(?: "(?:[^"\\]|\\\d{3}|\\\D){0,255}")*$/s.test(content)) {
      throw new PatchError(`Record ${name}/${type} '${content}': Not in expected format (parsed as '"${content}"')`);
    }
    if (seen.has(content))
      throw new PatchError(`Duplicate record in RRset ${name} IN ${type} with content "${content}"`);
    seen.add(content);
    return { content, disabled };
  });
}
