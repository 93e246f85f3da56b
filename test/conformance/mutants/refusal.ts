import { AuthError, Dns01Error, RateLimitedError } from "../../../src/core/errors.ts";
import { recordBackend } from "../../../src/core/records.ts";
import { HttpError } from "../../../src/http.ts";
import { type Bends, inEachShape, isFault, withCall, wrapRequests } from "../shapes.ts";
import { recordApi, recordsAt, type World } from "../world.ts";
import type { Mutant } from "./mutant.ts";

const never = new AbortController().signal;

/** The delete of the last value is over, whatever the service said. */
const swallowingLast: Bends = {
  record: (api, world) => ({
    ...api,
    delete: async (owner, record, call) => {
      const isLast = recordsAt(world, owner.zone.apex, owner.fqdn).length === 1;
      await api.delete(owner, record, call).catch((error: unknown) => {
        if (!isLast) throw error;
      });
    },
  }),
  rrset: (api) => ({
    ...api,
    replace: async (zone, changes, call) => {
      const isLast = changes.every(({ next }) => next === undefined);
      await api.replace(zone, changes, call).catch((error: unknown) => {
        if (!isLast || Dns01Error.is(error)) throw error;
      });
    },
  }),
  direct: (backend, world) => ({
    ...backend,
    apply: async (zone, edits, call) => {
      const isLast = edits.every(
        ({ owner, add, remove }) =>
          add.length === 0 && recordsAt(world, zone.apex, owner.fqdn).every(({ value }) => remove.includes(value)),
      );
      return await backend.apply(zone, edits, call).catch((error: unknown) => {
        if (!isLast) throw error;
        return edits.map(() => "changed" as const);
      });
    },
  }),
};

/** A 404 is "gone", whoever says it. */
const byStatus = async <T, G>(work: Promise<T>, gone: G): Promise<T | G> =>
  await work.catch((error: unknown) => {
    if (error instanceof HttpError && error.status === 404) return gone;
    throw error;
  });

const goneByStatus: Bends = {
  record: (api) => ({
    ...api,
    list: (owner, call) => byStatus(api.list(owner, call), []),
    delete: (owner, record, call) => byStatus(api.delete(owner, record, call), undefined),
  }),
  rrset: (api) => ({ ...api, read: (owner, call) => byStatus(api.read(owner, call), undefined) }),
  direct: (backend) => ({
    ...backend,
    apply: (zone, edits, call) =>
      byStatus(
        backend.apply(zone, edits, call),
        edits.map(() => "unchanged" as const),
      ),
  }),
};

const zoneGoneByStatus: Bends = {
  record: (api) => ({ ...api, findZone: (apex, call) => byStatus(api.findZone(apex, call), undefined) }),
  rrset: (api) => ({ ...api, findZone: (apex, call) => byStatus(api.findZone(apex, call), undefined) }),
  direct: (backend) => ({ ...backend, findZone: (apex, call) => byStatus(backend.findZone(apex, call), undefined) }),
};

const isForbiddenZone = (error: unknown): boolean =>
  error instanceof HttpError && error.message.includes("not your zone");

const keysRefused = wrapRequests(async (request) => {
  try {
    return await request();
  } catch (error) {
    throw isForbiddenZone(error) ? new AuthError("not accepted", { wrongKeys: true }) : error;
  }
});

const keysInDoubt: Bends = {
  record: (api, world) => ({ ...keysRefused.record(api, world), findZone: api.findZone }),
  rrset: (api, world) => ({ ...keysRefused.rrset(api, world), findZone: api.findZone }),
  direct: (backend, world) => ({ ...keysRefused.direct(backend, world), findZone: backend.findZone }),
};

/** Refuses everything after the first refusal for one zone. */
function givingUpAll(): Bends {
  const refusedIn = new WeakSet<World>();
  return wrapRequests(async (request, _write, world) => {
    if (refusedIn.has(world)) throw new AuthError("the credentials are not accepted");
    try {
      return await request();
    } catch (error) {
      if (isForbiddenZone(error)) refusedIn.add(world);
      throw error;
    }
  });
}

export const refusalMutants: readonly Mutant[] = [
  ...inEachShape(
    {
      rule: "faults.last",
      fault: "swallows what goes wrong when it deletes the last value",
      also: ["faults.not-found-page"],
    },
    swallowingLast,
  ),
  ...inEachShape({ rule: "faults.not-found-page", fault: "takes any 404 for gone" }, goneByStatus),
  {
    rule: "faults.not-found-page",
    fault: "takes any 404 for an empty list (records, lists that may be late)",
    connect: (world) => {
      const api = recordApi(world);
      return recordBackend({ ...api, list: (owner, call) => byStatus(api.list(owner, call), []) });
    },
  },
  ...inEachShape(
    { rule: "faults.not-found-page", fault: "takes any 404 for a zone that is not there" },
    zoneGoneByStatus,
  ),
  ...inEachShape(
    { rule: "errors.signal", fault: "keeps the signal from its requests" },
    withCall((call) => ({ ...call, signal: never })),
  ),
  ...inEachShape(
    { rule: "errors.signal", fault: "keeps the signal from its writes" },
    withCall((call, write) => (write ? { ...call, signal: never } : call)),
  ),
  ...inEachShape(
    { rule: "errors.retry-after", fault: "drops how long the service asks to wait" },
    wrapRequests(async (request) => {
      try {
        return await request();
      } catch (error) {
        throw isFault(error, "throttle") ? new RateLimitedError("slow down") : error;
      }
    }),
  ),
  {
    rule: "errors.retry-after",
    fault: "drops how long the service asks to wait when it deletes",
    connect: (world) => {
      const api = recordApi(world);
      return recordBackend(
        {
          ...api,
          delete: (owner, record, call) =>
            api.delete(owner, record, call).catch((error: unknown) => {
              throw isFault(error, "throttle") ? new RateLimitedError("slow down") : error;
            }),
        },
        { listLagMs: 0 },
      );
    },
  },
  ...inEachShape({ rule: "errors.one-zone", fault: "takes a refusal for one zone for wrong keys" }, keysRefused),
  ...inEachShape(
    { rule: "errors.one-zone", fault: "takes a refusal for one zone for wrong keys once it has the zone" },
    keysInDoubt,
  ),
  ...inEachShape({ rule: "errors.one-zone", fault: "gives up all zones after a refusal for one" }, givingUpAll()),
];
