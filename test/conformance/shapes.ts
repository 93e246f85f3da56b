import type { Call, RecordApi, RRsetApi, TxtBackend } from "../../src/core/provider.ts";
import { recordBackend } from "../../src/core/records.ts";
import { rrsetBackend } from "../../src/core/rrsets.ts";
import type { Mutant } from "./mutants/mutant.ts";
import type { WorldFault } from "./weather.ts";
import { directBackend, recordApi, rrsetApi, type World } from "./world.ts";

/** The right backend of each shape with its part bent. */
export interface Bends {
  readonly record: (api: RecordApi, world: World) => RecordApi;
  readonly rrset: (api: RRsetApi, world: World) => RRsetApi;
  readonly direct: (backend: TxtBackend, world: World) => TxtBackend;
}

/** One mutant per shape of backend, all with the same fault. */
export function inEachShape(about: Pick<Mutant, "rule" | "fault" | "also">, bends: Bends): readonly Mutant[] {
  const of = (shape: string, connect: Mutant["connect"]): Mutant => ({
    ...about,
    fault: `${about.fault} (${shape})`,
    connect,
  });
  return [
    of("records", (world) => recordBackend(bends.record(recordApi(world), world), { listLagMs: 0 })),
    of("sets", (world) => rrsetBackend(bends.rrset(rrsetApi(world, true), world))),
    of("direct", (world) => bends.direct(directBackend(world), world)),
  ];
}

/** Every request of every shape goes through `wrap`. */
export function wrapRequests(wrap: <T>(request: () => Promise<T>, write: boolean, world: World) => Promise<T>): Bends {
  return {
    record: (api, world) => ({
      findZone: (apex, call) => wrap(() => api.findZone(apex, call), false, world),
      list: (owner, call) => wrap(() => api.list(owner, call), false, world),
      create: (owner, value, call) => wrap(() => api.create(owner, value, call), true, world),
      delete: (owner, record, call) => wrap(() => api.delete(owner, record, call), true, world),
    }),
    rrset: (api, world) => ({
      conditional: api.conditional,
      findZone: (apex, call) => wrap(() => api.findZone(apex, call), false, world),
      read: (owner, call) => wrap(() => api.read(owner, call), false, world),
      replace: (zone, changes, call) => wrap(() => api.replace(zone, changes, call), true, world),
    }),
    direct: (backend, world) => ({
      findZone: (apex, call: Call) => wrap(() => backend.findZone(apex, call), false, world),
      apply: (zone, edits, call) => wrap(() => backend.apply(zone, edits, call), true, world),
    }),
  };
}

/** Every request of every shape is given another call. */
export function withCall(change: (call: Call, write: boolean) => Call): Bends {
  return {
    record: (api) => ({
      findZone: (apex, call) => api.findZone(apex, change(call, false)),
      list: (owner, call) => api.list(owner, change(call, false)),
      create: (owner, value, call) => api.create(owner, value, change(call, true)),
      delete: (owner, record, call) => api.delete(owner, record, change(call, true)),
    }),
    rrset: (api) => ({
      conditional: api.conditional,
      findZone: (apex, call) => api.findZone(apex, change(call, false)),
      read: (owner, call) => api.read(owner, change(call, false)),
      replace: (zone, changes, call) => api.replace(zone, changes, change(call, true)),
    }),
    direct: (backend) => ({
      findZone: (apex, call) => backend.findZone(apex, change(call, false)),
      apply: (zone, edits, call) => backend.apply(zone, edits, change(call, true)),
    }),
  };
}

export function isFault(error: unknown, fault: WorldFault): boolean {
  return (error as { readonly fault?: unknown }).fault === fault;
}
