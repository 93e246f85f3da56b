import { conductOf, findZoneWith, forEachInOrder, visibleZonesOf } from "./conduct.ts";
import { answers, byOwner, type OwnerEdit, valueKey } from "./edits.ts";
import { Dns01Error } from "./errors.ts";
import type { Call, Conduct, Edit, RRset, RRsetApi, RRsetChange, TxtBackend, Zone } from "./provider.ts";

/** An edit with what stands at its owner now. */
interface Read {
  readonly edit: OwnerEdit;
  readonly current: RRset | undefined;
}

/**
 * Makes a TxtBackend of an API where a write replaces all values of a name.
 *
 * Every owner is read once, the wanted values are merged into what was read, and all owners of the zone are written in
 * one `replace` (or in as many as `batchesOf` makes of it), which is left out when nothing changes. Foreign values and
 * the TTL of an existing set stay.
 *
 * With `conditional: true` a `replace` whose `previous` no longer holds throws ConflictError and the owners are read
 * again: nothing is lost, whoever writes at the same time.
 *
 * Without it two writers who read the same set overwrite each other, and the one who wrote first loses. No reading
 * before the write can prevent that, so the lift does not try: it reads and writes, and says "unsettled" where a second
 * look is worth its call. A value that was added always is worth it: a challenge depends on it. One that was taken away
 * is only if others stood beside it, the sign of another writer who may have read before and bring it back. Without that
 * sign at worst a spent value comes back, which proves nothing and harms nobody. The second look is the same edit once
 * more, one read if all is well; when to make it is the caller's business.
 *
 * What this cannot do: give back a value whose owner does not look again, and tell a value that somebody else took away
 * on purpose from one that was overwritten. One writer at a time is what such a service is safe with.
 */
export function rrsetBackend(api: RRsetApi): TxtBackend {
  const read = async (edits: readonly OwnerEdit[], conduct: Conduct): Promise<readonly Read[]> =>
    forEachInOrder(edits, conduct.parallel, async (edit) => ({
      edit,
      current: checkRRset(
        await conduct.request({ operation: "read", write: false, name: edit.owner.fqdn }, (inner) =>
          api.read(edit.owner, inner),
        ),
        edit,
      ),
    }));

  const replace = async (
    zone: Zone,
    changed: readonly Read[],
    call: Call,
    conduct: Conduct,
    written: Set<string>,
  ): Promise<void> => {
    for (const part of partsOf(api, changed, call)) {
      // Noted before the request, because its answer may be lost; a refused swap wrote nothing.
      const news = wanted(part).filter((key) => !written.has(key));
      for (const key of news) written.add(key);
      try {
        const label = { operation: "replace", write: true, name: zone.apex };
        await conduct.request(label, (inner) =>
          api.replace(
            zone,
            part.map((r) => changeOf(r, inner)),
            inner,
          ),
        );
      } catch (error) {
        if (Dns01Error.is(error) && error.code === "CONFLICT") for (const key of news) written.delete(key);
        throw error;
      }
    }
  };

  return {
    conducted: true,
    findZone: (apex, call) => findZoneWith(api, apex, call),
    ...visibleZonesOf(api),
    async apply(zone, edits, call) {
      const conduct = conductOf(call);
      const owners = byOwner(edits);
      const written = new Set<string>();
      /** Owners where others' values stood when ours were taken away. */
      const shared = new Set<string>();
      await conduct.attempt(zone.apex, async () => {
        const changed = (await read(owners, conduct)).filter(differs);
        for (const { edit, current } of changed) {
          if (current?.values.some((value) => !edit.remove.includes(value))) shared.add(edit.owner.fqdn);
        }
        if (changed.length > 0) await replace(zone, changed, call, conduct, written);
      });
      const changes = answers(edits, written);
      if (api.conditional) return changes;
      return changes.map((change, i) => (change === "changed" && isUnsettled(edits[i], shared) ? "unsettled" : change));
    },
  };
}

function isUnsettled(edit: Edit | undefined, shared: ReadonlySet<string>): boolean {
  return edit !== undefined && (edit.add.length > 0 || shared.has(edit.owner.fqdn));
}

/** A plugin's answer is not to be trusted with the type it declares. */
function checkRRset(set: RRset | undefined, { owner }: OwnerEdit): RRset | undefined {
  if (set === undefined || set === null) return undefined;
  const { values, ttlSeconds }: { values?: unknown; ttlSeconds?: unknown } = set;
  if (Array.isArray(values) && values.every((v) => typeof v === "string") && typeof ttlSeconds === "number") return set;
  const message = `the provider's read has to return undefined or { values, ttlSeconds } for ${owner.fqdn} and did not`;
  throw new Dns01Error("UNKNOWN", message, false);
}

function differs({ edit, current }: Read): boolean {
  const there = new Set(current?.values);
  return edit.add.some((value) => !there.has(value)) || edit.remove.some((value) => there.has(value));
}

function changeOf({ edit, current }: Read, call: Call): RRsetChange {
  const kept = (current?.values ?? []).filter((value) => !edit.remove.includes(value));
  const values = [...new Set([...kept, ...edit.add])];
  // A set has one TTL (RFC 2181 §5.2): changing it would change other people's values too.
  const next = values.length === 0 ? undefined : { values, ttlSeconds: current?.ttlSeconds ?? call.ttlSeconds };
  return { owner: edit.owner, previous: current, next };
}

/** valueKey of each value that the change brings or takes away. */
function wanted(changed: readonly Read[]): readonly string[] {
  return changed.flatMap(({ edit, current }) => {
    const there = new Set(current?.values);
    const values = [...edit.add.filter((v) => !there.has(v)), ...edit.remove.filter((v) => there.has(v))];
    return values.map((value) => valueKey(edit.owner, value));
  });
}

/** What goes into one request each. */
function partsOf(api: RRsetApi, changed: readonly Read[], call: Call): readonly (readonly Read[])[] {
  if (api.batchesOf === undefined) return [changed];
  const reads = new Map(changed.map((r) => [changeOf(r, call), r]));
  return api.batchesOf([...reads.keys()]).map((batch) => batch.flatMap((change) => reads.get(change) ?? []));
}
