import { quoteTxt, type RRset, type RRsetChange, unquoteTxt, z } from "../../src/index.ts";

export const storedRecord = z.object({ content: z.string(), disabled: z.boolean().default(false) });

/** What `read` puts into a set's version: the records as they are, and whether a CNAME stands beside them. */
const stored = z.object({ records: z.array(storedRecord), isAlias: z.boolean() });

/** Since 4.9.12 and 5.0.2 one value is added or taken away by itself: nothing of others can be lost. */
export function singly(change: RRsetChange): readonly object[] {
  const { owner, previous, next } = change;
  const { records, isAlias } = storedIn(previous);
  const added = addedBy(change);
  // 4.9.18 adds a single value beside a CNAME; a whole set it refuses, as it should.
  if (isAlias && added.length > 0) return wholly(change);
  const ttl = next?.ttlSeconds ?? previous?.ttlSeconds;
  const entry = (changetype: string, content: string) => {
    return { name: `${owner.fqdn}.`, type: "TXT", ttl, changetype, records: [{ content, disabled: false }] };
  };
  const gone = records.filter(({ content, disabled }) => !disabled && !next?.values.includes(unquoteTxt(content)));
  return [...added.map((content) => entry("EXTEND", content)), ...gone.map(({ content }) => entry("PRUNE", content))];
}

/** What older servers know: the whole set, with the records in it that are switched off. */
export function wholly(change: RRsetChange): readonly object[] {
  const { owner, previous, next } = change;
  const isWanted = (content: string) => next?.values.includes(unquoteTxt(content)) ?? false;
  const kept = storedIn(previous).records.filter(({ content, disabled }) => isWanted(content) !== disabled);
  const records = [...kept, ...addedBy(change).map((content) => ({ content, disabled: false }))];
  const set = { name: `${owner.fqdn}.`, type: "TXT" };
  if (records.length === 0) return [{ ...set, changetype: "DELETE" }];
  return [{ ...set, ttl: next?.ttlSeconds ?? previous?.ttlSeconds, changetype: "REPLACE", records }];
}

function addedBy({ previous, next }: RRsetChange): readonly string[] {
  return (next?.values ?? []).filter((value) => !previous?.values.includes(value)).map(quoteTxt);
}

function storedIn(set: RRset | undefined): z.output<typeof stored> {
  return set?.version === undefined ? { records: [], isAlias: false } : stored.parse(JSON.parse(set.version));
}
