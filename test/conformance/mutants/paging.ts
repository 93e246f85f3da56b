import type { RRset } from "../../../src/core/provider.ts";
import { inEachShape } from "../shapes.ts";
import { recordsAt, type World } from "../world.ts";
import type { Mutant } from "./mutant.ts";

const page = 100;

/** Ids of the records on the first page of the zone. */
function firstPage(world: World): ReadonlySet<string> {
  const zones = [...world.zones.values()];
  return new Set(zones.flatMap((zone) => [...zone.values()].flat().slice(0, page)).map(({ id }) => id));
}

export const pagingMutants: readonly Mutant[] = [
  ...inEachShape(
    { rule: "paging.values", fault: "sees the first page of a name's values" },
    {
      record: (api) => ({ ...api, list: async (...given) => (await api.list(...given)).slice(0, page) }),
      rrset: (api) => {
        // The service compares what it sent with all its pages; what was not looked at is written over.
        const whole = new WeakMap<RRset, RRset>();
        return {
          ...api,
          read: async (...given) => {
            const set = await api.read(...given);
            const seen = set && { ...set, values: set.values.slice(0, page) };
            if (set !== undefined && seen !== undefined) whole.set(seen, set);
            return seen;
          },
          replace: (zone, changes, call) => {
            const swapped = changes.map((change) => ({
              ...change,
              previous: change.previous && whole.get(change.previous),
            }));
            return api.replace(zone, swapped, call);
          },
        };
      },
      direct: (backend, world) => ({
        ...backend,
        apply: (zone, edits, call) => {
          const seen = edits.map((edit) => {
            const there = recordsAt(world, zone.apex, edit.owner.fqdn).slice(0, page);
            return { ...edit, remove: edit.remove.filter((value) => there.some((record) => record.value === value)) };
          });
          return backend.apply(zone, seen, call);
        },
      }),
    },
  ),
  ...inEachShape(
    { rule: "paging.names", fault: "looks for a name on the first page of the zone", also: ["paging.values"] },
    {
      record: (api, world) => ({
        ...api,
        list: async (...given) => {
          const records = await api.list(...given);
          const seen = firstPage(world);
          return records.filter(({ id }) => seen.has(id));
        },
      }),
      rrset: (api, world) => ({
        ...api,
        read: async (owner, call) => {
          const set = await api.read(owner, call);
          const seen = firstPage(world);
          const there = recordsAt(world, owner.zone.apex, owner.fqdn).filter(({ id }) => seen.has(id));
          return there.length === 0 ? undefined : set;
        },
      }),
      direct: (backend, world) => ({
        ...backend,
        apply: (zone, edits, call) => {
          const seen = firstPage(world);
          const visible = edits.map((edit) => {
            const there = recordsAt(world, zone.apex, edit.owner.fqdn).filter(({ id }) => seen.has(id));
            return { ...edit, remove: edit.remove.filter((value) => there.some((record) => record.value === value)) };
          });
          return backend.apply(zone, visible, call);
        },
      }),
    },
  ),
];
