import { rrsetBackend } from "../../../src/core/rrsets.ts";
import { bent, txtAt } from "../bent.ts";
import { rrsetApi, type World } from "../world.ts";
import type { Mutant } from "./mutant.ts";

const concurrencyRules = [
  "concurrency.settling",
  "concurrency.adding",
  "concurrency.mixed",
  "concurrency.interleavings",
];

/** What a right backend without compare-and-swap loses, since three write at a time here. */
const plain = (world: World) => rrsetBackend(rrsetApi(world, false));

export const concurrencyMutants: readonly Mutant[] = [
  {
    rule: "concurrency.settling",
    fault: "is sure of what others can overwrite",
    also: concurrencyRules,
    connect: (world) => {
      const right = plain(world);
      return {
        ...right,
        apply: async (...given) => (await right.apply(...given)).map((c) => (c === "unsettled" ? "changed" : c)),
      };
    },
  },
  {
    rule: "concurrency.settling",
    fault: "takes what it has written for what stands there, when it is asked once more",
    also: [...concurrencyRules, "errors.words"],
    connect: (world) => {
      const right = plain(world);
      const wrote = new Set<string>();
      return {
        ...right,
        async apply(zone, edits, call) {
          const keys = edits.flatMap(({ owner, add }) => add.map((value) => `${owner.fqdn} ${value}`));
          if (keys.length > 0 && keys.every((key) => wrote.has(key))) return edits.map(() => "unchanged");
          for (const key of keys) wrote.add(key);
          for (const { owner, remove } of edits) for (const value of remove) wrote.delete(`${owner.fqdn} ${value}`);
          return await right.apply(zone, edits, call);
        },
      };
    },
  },
  {
    rule: "concurrency.settling",
    fault: "never settles",
    also: ["adding.again", "adding.owners", "restarts.adding", "paging.values", "paging.names"],
    connect: (world) =>
      bent(world, {
        answers: (changes, edits) => changes.map((c, i) => ((edits[i]?.add.length ?? 0) > 0 ? "unsettled" : c)),
      }),
  },
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
