import { conductOf, findZoneWith, forEachInOrder, visibleZonesOf } from "./conduct.ts";
import { answers, byOwner, type OwnerEdit, valueKey } from "./edits.ts";
import { ConflictError, Dns01Error } from "./errors.ts";
import type { Call, Conduct, RRset, RRsetApi, RRsetChange, TxtBackend, Zone } from "./provider.ts";

export interface RRsetBackendOptions {
  /**
   * For APIs without compare-and-swap: the pause between a write and reading it back, in milliseconds. It has to be
   * longer than one write of another writer takes; it is stretched to twice the duration of our own. Default 1,000.
   */
  readonly settleMs?: number;
}

/** An edit with what stands at its owner now. */
interface Read {
  readonly edit: OwnerEdit;
  readonly current: RRset | undefined;
}

/** Writers who still overwrite each other after this many rounds will not stop by themselves. */
const maxRounds = 30;

/**
 * Makes a TxtBackend of an API where a write replaces all values of a name.
 *
 * Every owner is read once, the wanted values are merged into what was read, and all owners of the zone are written in
 * one `replace` (or in as many as `batchesOf` makes of it), which is left out when nothing changes. Foreign values and
 * the TTL of an existing set stay.
 *
 * With `conditional: true` a `replace` whose `previous` no longer holds throws ConflictError and the owners are read
 * again: nothing is lost, whoever writes at the same time. Without it the lift waits, reads back, and writes again if
 * its change is gone: that makes a loss rare, but only one process at a time is safe.
 */
export function rrsetBackend(api: RRsetApi, options: RRsetBackendOptions = {}): TxtBackend {
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

  /** Returns once the change was still there after the pause. */
  const writeAndReadBack = async (
    zone: Zone,
    first: readonly Read[],
    call: Call,
    conduct: Conduct,
    written: Set<string>,
  ): Promise<void> => {
    const { clock } = conduct;
    let reads = first;
    for (let round = 1; ; round++) {
      const changed = reads.filter(differs);
      if (changed.length === 0) return;
      if (round > maxRounds) throw overwritten(zone, changed);
      const startedAt = clock.now();
      await replace(zone, changed, call, conduct, written);
      const settleMs = Math.max(options.settleMs ?? 1000, 2 * (clock.now() - startedAt));
      // With jitter, so that two writers who overwrote each other do not do it again in step.
      await clock.sleep(settleMs * (1 + clock.random()), call.signal);
      reads = await read(
        changed.map(({ edit }) => edit),
        conduct,
      );
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
      await conduct.attempt(zone.apex, async () => {
        const reads = await read(owners, conduct);
        if (!api.conditional) return writeAndReadBack(zone, reads, call, conduct, written);
        const changed = reads.filter(differs);
        if (changed.length > 0) await replace(zone, changed, call, conduct, written);
      });
      return answers(edits, written);
    },
  };
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

function overwritten(zone: Zone, changed: readonly Read[]): ConflictError {
  const names = changed.map(({ edit }) => edit.owner.fqdn).join(", ");
  return new ConflictError(`the TXT values at ${names} were overwritten ${maxRounds} times by somebody else`, {
    zone: zone.apex,
    hint: "Let only one program write these names at a time.",
  });
}
