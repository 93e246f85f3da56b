import { bent, txtAt } from "../bent.ts";
import { inEachShape } from "../shapes.ts";
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
    also: ["adding.alike", "concurrency.adding", "concurrency.mixed", "concurrency.interleavings"],
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
    also: [
      "removing.own",
      "removing.alike",
      "removing.owners",
      "removing.together",
      "restarts.removing",
      "restarts.lost-remove",
    ],
    connect: (world) => bent(world, { edit: (edit) => ({ ...edit, add: edit.add.slice(0, 1) }) }),
  },
  {
    rule: "adding.verbatim",
    fault: "writes values in lower case",
    also: ["adding.alike", "removing.alike"],
    connect: (world) => bent(world, { edit: (edit) => ({ ...edit, add: edit.add.map((v) => v.toLowerCase()) }) }),
  },
  {
    rule: "adding.alike",
    fault: "takes a value for there when another one has it in it",
    connect: (world) =>
      bent(world, {
        edit: (edit) => {
          const isPart = (value: string) =>
            txtAt(world, edit).some((there) => there !== value && there.includes(value));
          return { ...edit, add: edit.add.filter((value) => !isPart(value)) };
        },
      }),
  },
  {
    rule: "adding.alike",
    fault: "takes a value that begins with a hyphen for an option",
    also: ["removing.alike"],
    connect: (world) =>
      bent(world, {
        edit: (edit) => {
          if (edit.add.some((value) => value.startsWith("-"))) throw new Error("unknown option");
          return edit;
        },
      }),
  },
  ...inEachShape(
    { rule: "adding.ttl", fault: "creates with a TTL of its own" },
    {
      record: (api) => ({
        ...api,
        create: (owner, value, call) => api.create(owner, value, { ...call, ttlSeconds: 60 }),
      }),
      rrset: (api) => ({
        ...api,
        replace: (zone, changes, call) => {
          const own = changes.map((change) => {
            const { previous, next } = change;
            return previous === undefined && next !== undefined
              ? { ...change, next: { ...next, ttlSeconds: 60 } }
              : change;
          });
          return api.replace(zone, own, call);
        },
      }),
      direct: (backend) => ({
        ...backend,
        apply: (zone, edits, call) => backend.apply(zone, edits, { ...call, ttlSeconds: 60 }),
      }),
    },
  ),
  {
    rule: "adding.owners",
    fault: "writes the first name's values at all of them",
    also: ["removing.owners"],
    connect: (world) => {
      const right = directBackend(world);
      return {
        ...right,
        apply: (zone, edits, call) => {
          const [first] = edits;
          const same = edits.map((edit) => (edit.add.length > 0 ? { ...edit, add: first?.add ?? [] } : edit));
          return right.apply(zone, same, call);
        },
      };
    },
  },
  {
    rule: "adding.owners",
    fault: "answers in another order than it was asked",
    connect: (world) => bent(world, { answers: (changes) => changes.toReversed() }),
  },
];
