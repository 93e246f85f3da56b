import { bent } from "../bent.ts";
import { directBackend, recordsAt } from "../world.ts";
import type { Mutant } from "./mutant.ts";

export const addingMutants: readonly Mutant[] = [
  {
    rule: "adding.new",
    fault: "calls an added value unchanged when it is the only edit",
    connect: (world) =>
      bent(world, {
        answers: (changes, edits) =>
          edits.length === 1 && edits[0]?.remove.length === 0 ? changes.map(() => "unchanged") : changes,
      }),
  },
  {
    rule: "adding.again",
    fault: "creates without looking what is there",
    also: ["adding.owners", "restarts.adding", "restarts.lost-add", "paging.values", "paging.names", "faults.lost"],
    connect: (world) => {
      const right = directBackend(world);
      return {
        findZone: right.findZone,
        async apply(zone, edits, call) {
          const changes = await right.apply(
            zone,
            edits.map((e) => ({ ...e, add: [] })),
            call,
          );
          const { ttlSeconds } = call;
          for (const { owner, add } of edits) {
            const records = recordsAt(world, zone.apex, owner.fqdn);
            for (const value of add) records.push({ id: world.newId(), type: "TXT", value, ttlSeconds });
          }
          world.leave();
          return edits.map(({ add }, i) => (add.length > 0 ? "changed" : (changes[i] ?? "unchanged")));
        },
      };
    },
  },
  {
    rule: "adding.beside",
    fault: "replaces what it wrote before at the name",
    also: ["concurrency.adding", "concurrency.mixed", "concurrency.interleavings"],
    connect: (world) => {
      const last = new Map<string, readonly string[]>();
      return bent(world, {
        edit: (edit) => {
          if (edit.add.length === 0 || edit.remove.length > 0) return edit;
          const before = last.get(edit.owner.fqdn) ?? [];
          last.set(edit.owner.fqdn, edit.add);
          return { ...edit, remove: before.filter((value) => !edit.add.includes(value)) };
        },
      });
    },
  },
  {
    rule: "adding.together",
    fault: "adds only the first value of a call",
    also: ["removing.own", "removing.together", "restarts.removing", "restarts.lost-remove"],
    connect: (world) => bent(world, { edit: (edit) => ({ ...edit, add: edit.add.slice(0, 1) }) }),
  },
  {
    rule: "adding.verbatim",
    fault: "writes values in lower case",
    connect: (world) => bent(world, { edit: (edit) => ({ ...edit, add: edit.add.map((v) => v.toLowerCase()) }) }),
  },
  {
    rule: "adding.owners",
    fault: "answers in another order than it was asked",
    connect: (world) => bent(world, { answers: (changes) => changes.toReversed() }),
  },
];
