import { type DomainName, isWithin, parseName, relativeTo } from "../core/name.ts";
import type { Call, Edit, Owner, TxtBackend, Zone } from "../core/provider.ts";

/** The zone of the suite's rules; everything in it is moved below a name of its own in the real one. */
const told = parseName("example.com");

/** What was written at one name: what stands there now by our account, and what has ever stood there. */
export interface Written {
  readonly owner: DomainName;
  readonly standing: Set<string>;
  readonly ever: Set<string>;
}

export interface Move {
  readonly below: DomainName;
  readonly apex: DomainName;
  readonly limit: { take(signal: AbortSignal): Promise<void> };
  writtenAt(owner: DomainName): Written;
  /** Writes under way. */
  readonly writes: Set<Promise<unknown>>;
  /** No write is begun any more once it has fired. */
  readonly stop: AbortSignal;
}

/** The backend as the suite sees it: example.com is the real zone, and names in it are moved. */
export function moveBackend(backend: TxtBackend, { below, apex, limit, writtenAt, writes, stop }: Move): TxtBackend {
  // The suite has no limit for requests: a fake needs none.
  const limited = <T>(call: Call, run: (call: Call) => Promise<T>): Promise<T> => {
    const { conduct } = call;
    if (backend.conducted !== true || conduct === undefined) return limit.take(call.signal).then(() => run(call));
    return run({
      ...call,
      conduct: {
        ...conduct,
        request: async (label, work) => {
          await limit.take(call.signal);
          return await conduct.request(label, work);
        },
      },
    });
  };
  return {
    ...(backend.conducted === true ? { conducted: true } : {}),
    async findZone(asked, call) {
      const real = asked === told ? apex : otherZone(asked, below, apex);
      const found = await limited(call, (inner) => backend.findZone(real, inner));
      return found && { apex: asked, id: JSON.stringify(found) };
    },
    async apply(zone, edits, call) {
      const real = JSON.parse(zone.id) as Zone;
      const moved = edits.map(
        (edit): Edit => ({ ...edit, owner: ownerAt(apex, moveName(edit.owner.fqdn, below), real) }),
      );
      stop.throwIfAborted();
      // Before the write: if its answer is lost, the value may be there.
      for (const { owner, add } of moved) for (const value of add) writtenAt(owner.fqdn).ever.add(value);
      const write = limited(call, (inner) => backend.apply(real, moved, inner));
      writes.add(write);
      const changes = await write.finally(() => writes.delete(write));
      for (const { owner, add, remove } of moved) {
        const { standing } = writtenAt(owner.fqdn);
        for (const value of add) standing.add(value);
        for (const value of remove) if (!add.includes(value)) standing.delete(value);
      }
      return changes;
    },
  };
}

export function moveName(fqdn: DomainName, below: DomainName): DomainName {
  const relative = relativeTo(fqdn, told);
  return relative === "@" ? below : parseName(`${relative}.${below}`);
}

/** A zone that the account must not hold, in the same relation to the real one. */
function otherZone(asked: DomainName, below: DomainName, apex: DomainName): DomainName {
  if (isWithin(asked, told)) return moveName(asked, below);
  if (asked.endsWith(told)) return parseName(`${asked.slice(0, -told.length)}${apex}`);
  return told.endsWith(asked) ? parseName(apex.slice(told.length - asked.length)) : asked;
}

export function ownerAt(apex: DomainName, fqdn: DomainName, zone: Zone): Owner {
  return { zone, fqdn, relative: relativeTo(fqdn, apex) };
}
