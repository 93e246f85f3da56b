import { rrsetBackend } from "../../../src/core/rrsets.ts";
import { bent, txtAt } from "../bent.ts";
import { rrsetApi } from "../world.ts";
import type { Mutant } from "./mutant.ts";

const concurrencyRules = ["concurrency.adding", "concurrency.mixed", "concurrency.interleavings"];

export const concurrencyMutants: readonly Mutant[] = [
  {
    rule: "concurrency.adding",
    fault: "claims compare-and-swap, and the service compares nothing",
    also: concurrencyRules,
    connect: (world) => rrsetBackend({ ...rrsetApi(world, false), conditional: true }),
  },
  {
    rule: "concurrency.mixed",
    fault: "keeps a copy of what it read, and writes from the copy",
    also: [...concurrencyRules, "restarts.removing", "siblings.removing"],
    connect: (world) => {
      const api = rrsetApi(world, false);
      const copies = new Map<string, Awaited<ReturnType<typeof api.read>>>();
      return rrsetBackend({
        ...api,
        conditional: true,
        read: async (owner, call) => {
          if (!copies.has(owner.fqdn)) copies.set(owner.fqdn, await api.read(owner, call));
          return copies.get(owner.fqdn);
        },
        replace: async (zone, changes, call) => {
          await api.replace(zone, changes, call);
          for (const { owner, next } of changes) copies.set(owner.fqdn, next);
        },
      });
    },
  },
  {
    rule: "concurrency.interleavings",
    fault: "loses a foreign value once in a while",
    connect: (world) => {
      let calls = 0;
      return bent(world, {
        edit: (edit) =>
          ++calls % 10 === 0
            ? { ...edit, remove: [...edit.remove, ...txtAt(world, edit).filter((v) => v === "somebody-else")] }
            : edit,
      });
    },
  },
];
