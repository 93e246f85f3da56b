import type { DomainName } from "../../src/core/name.ts";
import type { Change, Edit, TxtBackend, Zone } from "../../src/core/provider.ts";
import { directBackend, recordsAt, type StoredRecord, type World } from "./world.ts";

export interface Bend {
  readonly findZone?: (apex: DomainName, right: Zone | undefined) => Zone | undefined;
  /** The zone that is written instead. */
  readonly zone?: (zone: Zone) => Zone;
  readonly edit?: (edit: Edit) => Edit;
  readonly answers?: (changes: readonly Change[], edits: readonly Edit[]) => readonly Change[];
  readonly after?: (edit: Edit) => void;
}

/** The right atomic backend with its zones, edits or answers bent. */
export function bent(world: World, bend: Bend): TxtBackend {
  const right = directBackend(world);
  const { findZone = (_apex, zone) => zone, edit = (e) => e, zone = (z) => z, answers = (changes) => changes } = bend;
  return {
    findZone: async (apex, call) => findZone(apex, await right.findZone(apex, call)),
    async apply(asked, edits, call) {
      const where = zone(asked);
      const bentEdits = edits.map(edit).map((e) => ({ ...e, owner: { ...e.owner, zone: where } }));
      const changes = await right.apply(where, bentEdits, call);
      for (const e of edits) bend.after?.(e);
      return answers(changes, edits);
    },
  };
}

/** Whether a held zone stands to the asked name as `fits` says; the asked name is then answered as a zone. */
export function heldBy(
  world: World,
  apex: DomainName,
  fits: (apex: string, held: string) => boolean,
): Zone | undefined {
  return [...world.zones.keys()].some((held) => fits(apex, held)) ? { apex, id: apex } : undefined;
}

export function txtAt(world: World, { owner }: Edit): readonly string[] {
  return recordsAt(world, owner.zone.apex, owner.fqdn)
    .filter(({ type }) => type === "TXT")
    .map(({ value }) => value);
}

/** The edit at another name of the same zone. */
export function renamed(edit: Edit, change: (fqdn: string) => string): Edit {
  return { ...edit, owner: { ...edit.owner, fqdn: change(edit.owner.fqdn) as DomainName } };
}

/** Takes records away behind the right backend's back. */
export function drop(world: World, edit: Edit, which: (record: StoredRecord, fqdn: string) => boolean): void {
  for (const [fqdn, records] of world.zones.get(edit.owner.zone.apex) ?? []) {
    records.splice(0, records.length, ...records.filter((record) => !which(record, fqdn)));
  }
}
