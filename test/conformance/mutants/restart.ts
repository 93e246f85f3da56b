import { recordBackend } from "../../../src/core/records.ts";
import { bent } from "../bent.ts";
import { recordApi, recordsAt } from "../world.ts";
import type { Mutant } from "./mutant.ts";

export const restartMutants: readonly Mutant[] = [
  {
    rule: "restarts.removing",
    fault: "removes only values whose record ids it remembers",
    also: ["removing.exchange", "concurrency.mixed", "concurrency.interleavings", "faults.not-found-page"],
    connect: (world) => {
      const remembered = new Set<string>();
      return bent(world, {
        edit: (edit) => {
          for (const value of edit.add) remembered.add(`${edit.owner.fqdn} ${value}`);
          return { ...edit, remove: edit.remove.filter((value) => remembered.has(`${edit.owner.fqdn} ${value}`)) };
        },
      });
    },
  },
  {
    rule: "restarts.adding",
    fault: "looks into its own memory only, and creates doubles after a restart",
    connect: (world) => {
      const mine = new Set<string>();
      return recordBackend(
        {
          ...recordApi(world),
          async list(owner, call) {
            const records = await recordApi(world).list(owner, call);
            return records.filter(({ id }) => mine.has(id));
          },
          async create({ zone, fqdn }, value, { signal, ttlSeconds }) {
            await world.enter(signal, zone.apex);
            const id = world.newId();
            mine.add(id);
            recordsAt(world, zone.apex, fqdn).push({ id, type: "TXT", value, ttlSeconds });
            world.leave();
          },
        },
        { listLagMs: 0 },
      );
    },
    also: ["restarts.removing", "concurrency.mixed", "concurrency.interleavings", "faults.not-found-page"],
  },
  {
    rule: "restarts.lost-add",
    fault: "accepts doubles and does not read before it repeats",
    also: ["faults.lost"],
    connect: (world) => {
      const api = recordApi(world);
      return recordBackend(
        {
          ...api,
          create: async (owner, value, call) => {
            try {
              await api.create(owner, value, call);
            } catch (error) {
              if (!/socket hang up/.test(String(error))) throw error;
              const records = recordsAt(world, owner.zone.apex, owner.fqdn);
              records.push({ id: world.newId(), type: "TXT", value, ttlSeconds: call.ttlSeconds });
            }
          },
        },
        { listLagMs: 0 },
      );
    },
  },
  {
    rule: "restarts.lost-remove",
    fault: "takes a removed record for an error when it repeats a delete",
    also: ["faults.lost", "faults.last"],
    connect: (world) => {
      const api = recordApi(world);
      return recordBackend(
        {
          ...api,
          delete: async (owner, record, call) => {
            await api.delete(owner, record, call).catch(async (error: unknown) => {
              const gone = !recordsAt(world, owner.zone.apex, owner.fqdn).some(({ id }) => id === record.id);
              throw gone ? new Error("record not found") : error;
            });
          },
        },
        { listLagMs: 0 },
      );
    },
  },
];
