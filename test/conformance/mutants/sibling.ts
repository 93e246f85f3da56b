import { rrsetBackend } from "../../../src/core/rrsets.ts";
import { bent, drop, txtAt } from "../bent.ts";
import { rrsetApi } from "../world.ts";
import type { Mutant } from "./mutant.ts";

/** They are tried beside a foreign value. */
const faultRules = [
  "faults.throttle",
  "faults.unavailable",
  "faults.reset",
  "faults.page",
  "faults.lost",
  "faults.owners",
  "faults.not-found-page",
];

export const siblingMutants: readonly Mutant[] = [
  {
    rule: "siblings.adding",
    fault: "replaces what others wrote at the name",
    also: ["siblings.octets", "siblings.ttl", "concurrency.interleavings", "paging.values", ...faultRules],
    connect: (world) => {
      const mine = new Set<string>();
      return bent(world, {
        edit: (edit) => {
          for (const value of edit.add) mine.add(value);
          if (edit.add.length === 0) return edit;
          const foreign = txtAt(world, edit).filter((value) => !/^value-/.test(value) && !mine.has(value));
          return { ...edit, remove: [...edit.remove, ...foreign.filter((value) => value !== "old")] };
        },
      });
    },
  },
  {
    rule: "siblings.removing",
    fault: "deletes what others wrote when it cleans up",
    also: [
      "removing.alike",
      "removing.owners",
      "siblings.octets",
      "siblings.ttl",
      "concurrency.interleavings",
      "paging.values",
      ...faultRules,
    ],
    connect: (world) =>
      bent(world, {
        edit: (edit) =>
          edit.remove.length > 0 && edit.add.length === 0
            ? { ...edit, remove: [...edit.remove, ...txtAt(world, edit).filter((value) => !/^value-/.test(value))] }
            : edit,
      }),
  },
  {
    rule: "siblings.names",
    fault: "deletes by value in the whole zone",
    connect: (world) =>
      bent(world, {
        after: (edit) =>
          drop(world, edit, ({ type, value }, fqdn) => {
            return type === "TXT" && fqdn !== edit.owner.fqdn && edit.remove.includes(value);
          }),
      }),
  },
  {
    rule: "siblings.types",
    fault: "deletes the name with every type when it cleans up",
    connect: (world) =>
      bent(world, {
        after: (edit) => {
          if (edit.remove.length > 0) drop(world, edit, ({ type }, fqdn) => type !== "TXT" && fqdn === edit.owner.fqdn);
        },
      }),
  },
  {
    rule: "siblings.ttl",
    fault: "writes the whole set with its own TTL",
    connect: (world) => {
      const api = rrsetApi(world, true);
      return rrsetBackend({
        ...api,
        replace: (zone, changes, call) => {
          const ours = changes.map((change) => ({
            ...change,
            next: change.next && { ...change.next, ttlSeconds: call.ttlSeconds },
          }));
          return api.replace(zone, ours, call);
        },
      });
    },
  },
];
