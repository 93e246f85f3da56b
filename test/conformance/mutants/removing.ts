import { bent, txtAt } from "../bent.ts";
import { directBackend } from "../world.ts";
import type { Mutant } from "./mutant.ts";

export const removingMutants: readonly Mutant[] = [
  {
    rule: "removing.value",
    fault: "calls a removal unchanged",
    connect: (world) =>
      bent(world, {
        answers: (changes, edits) => (edits[0]?.add.length === 0 ? changes.map(() => "unchanged") : changes),
      }),
  },
  {
    rule: "removing.gone",
    fault: "fails when the value is gone and others are there",
    also: ["restarts.lost-remove", "concurrency.interleavings", "faults.lost"],
    connect: (world) =>
      bent(world, {
        edit: (edit) => {
          const there = txtAt(world, edit);
          if (there.length > 0 && edit.remove.some((v) => !there.includes(v))) throw new Error("record not found");
          return edit;
        },
      }),
  },
  {
    rule: "removing.nothing",
    fault: "fails when the name has no records",
    also: ["faults.last"],
    connect: (world) =>
      bent(world, {
        edit: (edit) => {
          if (edit.remove.length > 0 && txtAt(world, edit).length === 0) throw new Error("no such name");
          return edit;
        },
      }),
  },
  {
    rule: "removing.own",
    fault: "removes everything it added at the name",
    also: [
      "removing.alike",
      "removing.owners",
      "removing.together",
      "restarts.lost-remove",
      "concurrency.mixed",
      "concurrency.interleavings",
    ],
    connect: (world) => {
      const mine = new Map<string, Set<string>>();
      return bent(world, {
        edit: (edit) => {
          const values = mine.get(edit.owner.fqdn) ?? new Set();
          mine.set(edit.owner.fqdn, values);
          for (const value of edit.add) values.add(value);
          const single = edit.add.length === 0 && edit.remove.some((value) => values.has(value));
          return single ? { ...edit, remove: [...new Set([...edit.remove, ...values])] } : edit;
        },
      });
    },
  },
  {
    rule: "removing.together",
    fault: "removes only the first value of a call",
    connect: (world) => bent(world, { edit: (edit) => ({ ...edit, remove: edit.remove.slice(0, 1) }) }),
  },
  {
    rule: "removing.alike",
    fault: "removes every value that has the value in it",
    connect: (world) =>
      bent(world, {
        edit: (edit) => {
          const hit = txtAt(world, edit).filter((there) => edit.remove.some((value) => there.includes(value)));
          return { ...edit, remove: hit };
        },
      }),
  },
  {
    rule: "removing.owners",
    fault: "removes at the first name of a call only",
    connect: (world) => {
      const right = directBackend(world);
      return {
        ...right,
        apply: (zone, edits, call) => {
          const first = edits.map((edit, i) => (i === 0 ? edit : { ...edit, remove: [] }));
          return right.apply(zone, first, call);
        },
      };
    },
  },
  {
    rule: "removing.exchange",
    fault: "ignores removals in a call that also adds",
    connect: (world) => bent(world, { edit: (edit) => (edit.add.length > 0 ? { ...edit, remove: [] } : edit) }),
  },
];
