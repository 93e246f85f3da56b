import type { Clock } from "./clock.ts";
import { conductOf, findZoneWith, forEachInOrder, visibleZonesOf } from "./conduct.ts";
import { answers, byOwner, type OwnerEdit, valueKey } from "./edits.ts";
import { Dns01Error } from "./errors.ts";
import type { Call, Conduct, Owner, RecordApi, TxtBackend, TxtRecord } from "./provider.ts";

export interface RecordBackendOptions {
  /**
   * For how long after a create the service's list may not show the record yet, in milliseconds. Within that time a
   * list without it does not count as proof that it is gone. 0 for services whose lists are never behind.
   * Default 30,000, the longest lag a vendor documents (DNSPod). When given, lists are also taken to show a deleted
   * record for that long, and it is passed over; the service must not use an id again then. A clean-up then also waits
   * that long for a value that is not listed and of which this process knows nothing, because another process may just
   * have written it.
   */
  readonly listLagMs?: number;
  /**
   * "Exists already" speaks of exactly this value, so that ConflictError from `create` proves that the value is there,
   * whatever a late list says. Default false: it may also mean that the service was busy, and the list decides. With
   * `listLagMs`, a listed value is created once more unless this process made it: the list may show what another process
   * has just deleted.
   */
  readonly conflictProvesPresence?: boolean;
}

/** For how long a create whose answer was lost may still land. */
const unclearMs = 2000;

/** For how long a process remembers what it did itself. */
const ownForMs = 10 * 60_000;

/** What one owner's change has done so far, over all its attempts. */
interface Progress {
  /** valueKey of values whose create was sent without learning that the record had been there before. */
  readonly created: Set<string>;
  readonly deleted: Set<string>;
}

/**
 * Makes a TxtBackend of an API that hands out an id per record.
 *
 * Each owner is listed first and only what is missing or superfluous is created or deleted, one record at a time.
 * Records are found by owner and value, never by a remembered id, so that another process can take away what this one
 * put there. After any unclear failure the owner is listed again before anything is sent again: a create whose answer
 * was lost is then seen as done. If a value stands there twice, clean-up takes both.
 */
export function recordBackend(api: RecordApi, options: RecordBackendOptions = {}): TxtBackend {
  const { listLagMs: lagMs = 30_000, conflictProvesPresence = false } = options;
  const recent = createRecent();
  const deleted = createRecent();
  /** By valueKey: this process wrote it or took it away, so that no other process is waited for. */
  const own = createRecent();
  /** By valueKey: the service said within the lag that the value is there. */
  const proven = createRecent();
  const listsAreLate = (options.listLagMs ?? 0) > 0;

  const applyOne = async (edit: OwnerEdit, call: Call, conduct: Conduct): Promise<Progress> => {
    const { owner } = edit;
    noteWrittenElsewhere(edit, conduct.clock);
    const progress: Progress = { created: new Set(), deleted: new Set() };
    await conduct.attempt(owner.fqdn, async () => {
      const records = await listed(owner, conduct);
      const setTtl = records.find(({ ttlSeconds }) => ttlSeconds !== undefined)?.ttlSeconds;
      for (const value of edit.add) {
        const there = records.filter((record) => record.value === value);
        if (there.some(({ isOff = false }) => !isOff) && isBelievable(valueKey(owner, value), conduct.clock)) continue;
        // One that is switched off serves nobody, and makes the service say that the value exists.
        for (const record of there) if (record.isOff) await remove(owner, record, conduct, progress);
        await create(owner, value, setTtl, conduct, progress);
      }
      for (const record of await superfluous(records, edit, call, conduct)) {
        await remove(owner, record, conduct, progress);
      }
      for (const key of edit.remove.map((value) => valueKey(owner, value))) {
        recent.forget(key);
        own.note(key, true, ownForMs, conduct.clock);
      }
    });
    return progress;
  };

  const remove = async (owner: Owner, record: TxtRecord, conduct: Conduct, progress: Progress): Promise<void> => {
    progress.deleted.add(valueKey(owner, record.value));
    proven.forget(valueKey(owner, record.value));
    const label = { operation: "delete", write: true, name: owner.fqdn };
    try {
      await conduct.request(label, (inner) => api.delete(owner, record, inner));
    } catch (error) {
      if (listsAreLate && isConflict(error)) {
        // Another process took it away, and may since have written the value anew in a record that is not listed yet.
        deleted.note(recordKey(owner, record), true, lagMs, conduct.clock);
        recent.note(valueKey(owner, record.value), false, lagMs, conduct.clock);
      }
      throw error;
    }
    deleted.note(recordKey(owner, record), true, options.listLagMs ?? 0, conduct.clock);
  };

  /** A list may show a value that another process has deleted; only a refused create proves that it is there. */
  const isBelievable = (key: string, clock: Clock): boolean =>
    !(listsAreLate && conflictProvesPresence) || proven.confirmed(key, clock);

  /** What another process wrote moments ago may be as invisible as what this one did. */
  const noteWrittenElsewhere = ({ owner, remove, writtenMsAgo }: OwnerEdit, clock: Clock): void => {
    for (const key of remove.map((value) => valueKey(owner, value))) {
      const isUnknown = listsAreLate && writtenMsAgo === Number.POSITIVE_INFINITY && own.remaining(key, clock) === 0;
      if (recent.remaining(key, clock) > 0) continue;
      recent.note(key, false, lagMs - (isUnknown ? 0 : writtenMsAgo), clock);
    }
  };

  const listed = async (owner: Owner, conduct: Conduct): Promise<readonly TxtRecord[]> => {
    const label = { operation: "list", write: false, name: owner.fqdn };
    const all = checkRecords(await conduct.request(label, (inner) => api.list(owner, inner)), owner);
    const records = all.filter((record) => !deleted.confirmed(recordKey(owner, record), conduct.clock));
    for (const record of records) recent.forget(valueKey(owner, record.value));
    return records;
  };

  const create = async (
    owner: Owner,
    value: string,
    setTtl: number | undefined,
    conduct: Conduct,
    progress: Progress,
  ): Promise<void> => {
    const key = valueKey(owner, value);
    const madeMomentsAgo = recent.confirmed(key, conduct.clock);
    const sentBefore = progress.created.has(key);
    progress.created.add(key);
    own.note(key, true, ownForMs, conduct.clock);
    // Noted before the request: if its answer is lost, the record may be there and not listed.
    if (!madeMomentsAgo) recent.note(key, false, Math.max(lagMs, unclearMs), conduct.clock);
    try {
      const label = { operation: "create", write: true, name: owner.fqdn };
      await conduct.request(label, (inner) =>
        api.create(owner, value, setTtl === undefined ? inner : { ...inner, ttlSeconds: setTtl }),
      );
      recent.note(key, true, lagMs, conduct.clock);
      proven.note(key, true, lagMs, conduct.clock);
    } catch (error) {
      if (notCarriedOut(error) && !sentBefore) {
        progress.created.delete(key);
        if (!madeMomentsAgo) recent.forget(key);
      }
      // Made by this process moments ago and refused now: it is there, the list is only behind. Otherwise a conflict has
      // to be resolved by the list, because it may also mean that the service was busy.
      if (!(isConflict(error) && (madeMomentsAgo || conflictProvesPresence))) throw error;
      if (!madeMomentsAgo) recent.note(key, true, lagMs, conduct.clock);
      proven.note(key, true, lagMs, conduct.clock);
    }
  };

  /** The records to delete; waits for those that were made so recently that the list may not show them yet. */
  const superfluous = async (
    first: readonly TxtRecord[],
    edit: OwnerEdit,
    call: Call,
    conduct: Conduct,
  ): Promise<readonly TxtRecord[]> => {
    let records = first;
    for (let pauseMs = 1000; ; pauseMs *= 2) {
      const hidden = edit.remove.filter((value) => !records.some((record) => record.value === value));
      const left = Math.max(0, ...hidden.map((value) => recent.remaining(valueKey(edit.owner, value), conduct.clock)));
      if (left === 0) return records.filter((record) => edit.remove.includes(record.value));
      await conduct.clock.sleep(Math.min(pauseMs, left), call.signal);
      records = await listed(edit.owner, conduct);
    }
  };

  return {
    conducted: true,
    findZone: (apex, call) => findZoneWith(api, apex, call),
    ...visibleZonesOf(api),
    async apply(_zone, edits, call) {
      const conduct = conductOf(call);
      const done = await forEachInOrder(byOwner(edits), conduct.parallel, (edit) => applyOne(edit, call, conduct));
      return answers(edits, new Set(done.flatMap(({ created, deleted }) => [...created, ...deleted])));
    },
  };
}

/** A plugin's answer is not to be trusted with the type it declares. */
function checkRecords(records: readonly TxtRecord[], { fqdn }: Owner): readonly TxtRecord[] {
  const isRecord = (record: unknown) =>
    typeof record === "object" &&
    record !== null &&
    typeof (record as TxtRecord).id === "string" &&
    typeof (record as TxtRecord).value === "string";
  if (Array.isArray(records) && records.every(isRecord)) return records;
  const message = `the provider's list has to return an array of { id, value }, both text, for ${fqdn} and did not`;
  throw new Dns01Error("UNKNOWN", message, false);
}

function recordKey(owner: Owner, record: TxtRecord): string {
  return `${owner.zone.apex}\n${record.id}`;
}

function isConflict(error: unknown): boolean {
  return Dns01Error.is(error) && error.code === "CONFLICT";
}

/** Whether the failed create certainly left nothing behind. */
function notCarriedOut(error: unknown): boolean {
  if (!Dns01Error.is(error)) return false;
  return error.nothingWritten ?? (!error.retryable || error.code === "CONFLICT" || error.code === "RATE_LIMITED");
}

/** What this backend did moments ago and a list may not show yet. */
interface Recent {
  /** `confirmed`: the service said that it made the record. */
  note(key: string, confirmed: boolean, forMs: number, clock: Clock): void;
  forget(key: string): void;
  /** Milliseconds for which a list without the record proves nothing. */
  remaining(key: string, clock: Clock): number;
  confirmed(key: string, clock: Clock): boolean;
}

/** Enough for every name of a hundred orders; beyond it the oldest are forgotten. */
const maxRecent = 10_000;

function createRecent(): Recent {
  const made = new Map<string, { readonly until: number; readonly confirmed: boolean }>();
  const remaining = (key: string, clock: Clock): number => Math.max(0, (made.get(key)?.until ?? 0) - clock.now());
  return {
    remaining,
    confirmed: (key, clock) => remaining(key, clock) > 0 && made.get(key)?.confirmed === true,
    forget: (key) => void made.delete(key),
    note(key, confirmed, forMs, clock) {
      made.delete(key);
      if (forMs > 0) made.set(key, { until: clock.now() + forMs, confirmed });
      for (const [old, { until }] of made) {
        if (made.size <= maxRecent && until > clock.now()) break;
        made.delete(old);
      }
    },
  };
}
