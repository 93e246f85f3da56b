import { bent, heldBy } from "../bent.ts";
import type { Mutant } from "./mutant.ts";

export const zoneMutants: readonly Mutant[] = [
  {
    rule: "zones.every",
    fault: "reads only the first page of zones",
    connect: (world) => {
      const firstPage = [...world.zones.keys()].slice(0, 100);
      return bent(world, { findZone: (apex, zone) => (firstPage.includes(apex) ? zone : undefined) });
    },
  },
  {
    rule: "zones.absent",
    fault: "throws for a zone that is not there",
    also: ["zones.boundary", "zones.exact", "zones.longer"],
    connect: (world) =>
      bent(world, {
        findZone: (_apex, zone) => {
          if (zone === undefined) throw new Error("no such zone");
          return zone;
        },
      }),
  },
  {
    rule: "zones.boundary",
    fault: "compares the ends of names as text",
    connect: (world) =>
      bent(world, {
        findZone: (apex, zone) => zone ?? heldBy(world, apex, (a, held) => a.endsWith(held) && !a.endsWith(`.${held}`)),
      }),
  },
  {
    rule: "zones.exact",
    fault: "takes every name inside a zone for a zone",
    connect: (world) =>
      bent(world, { findZone: (apex, zone) => zone ?? heldBy(world, apex, (a, held) => a.endsWith(`.${held}`)) }),
  },
  {
    rule: "zones.longer",
    fault: "takes a zone below the name for the zone of the name",
    connect: (world) =>
      bent(world, { findZone: (apex, zone) => zone ?? heldBy(world, apex, (a, held) => held.endsWith(`.${a}`)) }),
  },
  {
    rule: "zones.longer",
    fault: "compares the beginnings of names",
    connect: (world) =>
      bent(world, { findZone: (apex, zone) => zone ?? heldBy(world, apex, (a, held) => held.startsWith(`${a}.`)) }),
  },
  {
    rule: "zones.nested",
    fault: "writes into the shortest zone that fits",
    connect: (world) =>
      bent(world, {
        zone: (zone) => {
          const apex = [...world.zones.keys()].find((held) => zone.apex.endsWith(`.${held}`)) ?? zone.apex;
          return { apex, id: apex };
        },
      }),
  },
];
