import { quoteTxt, type RRset, type RRsetChange, unquoteTxt, z } from "../../src/index.ts";

export const record = z.object({ content: z.string(), disabled: z.boolean().default(false) });

type Stored = z.output<typeof record>;

/** Since 4.9.12 and 5.0.2 one value is added or taken away by itself: nothing of others can be lost. */
export function singly({ owner, previous, next }: RRsetChange): readonly object[] {
  const ttl = next?.ttlSeconds ?? previous?.ttlSeconds;
  const entry = (changetype: string) => (content: string) => {
    return { name: `${owner.fqdn}.`, type: "TXT", ttl, changetype, records: [{ content, disabled: false }] };
  };
  const gone = servedIn(previous).filter(({ content }) => !next?.values.includes(unquoteTxt(content)));
  return [...addedBy(previous, next).map(entry("EXTEND")), ...gone.map(({ content }) => entry("PRUNE")(content))];
}

/** What older servers know: the whole set, with the records in it that are switched off. */
export function wholly({ owner, previous, next }: RRsetChange): readonly object[] {
  const isWanted = (content: string) => next?.values.includes(unquoteTxt(content)) ?? false;
  const kept = storedIn(previous).filter(({ content, disabled }) => isWanted(content) !== disabled);
  const records = [...kept, ...addedBy(previous, next).map((content) => ({ content, disabled: false }))];
  const set = { name: `${owner.fqdn}.`, type: "TXT" };
  if (records.length === 0) return [{ ...set, changetype: "DELETE" }];
  return [{ ...set, ttl: next?.ttlSeconds ?? previous?.ttlSeconds, changetype: "REPLACE", records }];
}

function addedBy(previous: RRset | undefined, next: RRset | undefined): readonly string[] {
  return (next?.values ?? []).filter((value) => !previous?.values.includes(value)).map(quoteTxt);
}

function servedIn(set: RRset | undefined): readonly Stored[] {
  return storedIn(set).filter(({ disabled }) => !disabled);
}

function storedIn(set: RRset | undefined): readonly Stored[] {
  return z.array(record).parse(JSON.parse(set?.version ?? "[]"));
}
