import type { Change, Edit, Owner } from "./provider.ts";

/** All that is asked of one owner, over all edits that name it. */
export interface OwnerEdit {
  readonly owner: Owner;
  readonly add: readonly string[];
  /** Without what is also to be added: a value that somebody needs stays. */
  readonly remove: readonly string[];
  /** The least of the edits that take something out. */
  readonly writtenMsAgo: number;
}

/** One entry per owner, in order of first mention: two writes to one name would undo each other in an RRset API. */
export function byOwner(edits: readonly Edit[]): readonly OwnerEdit[] {
  const merged = new Map<string, { owner: Owner; add: Set<string>; remove: Set<string>; ago: number }>();
  for (const { owner, add, remove, writtenMsAgo = Infinity } of edits) {
    const entry = merged.get(owner.fqdn) ?? { owner, add: new Set(), remove: new Set(), ago: Infinity };
    merged.set(owner.fqdn, entry);
    for (const value of add) entry.add.add(value);
    for (const value of remove) entry.remove.add(value);
    entry.ago = Math.min(entry.ago, writtenMsAgo);
  }
  return [...merged.values()].map(({ owner, add, remove, ago }) => ({
    owner,
    add: [...add],
    remove: [...remove].filter((value) => !add.has(value)),
    writtenMsAgo: ago,
  }));
}

/** The answer for each edit from the values written per owner; `key` of valueKey. */
export function answers(edits: readonly Edit[], written: ReadonlySet<string>): readonly Change[] {
  return edits.map(({ owner, add, remove }) =>
    [...add, ...remove].some((value) => written.has(valueKey(owner, value))) ? "changed" : "unchanged",
  );
}

export function valueKey(owner: Owner, value: string): string {
  return `${owner.fqdn}\n${value}`;
}
