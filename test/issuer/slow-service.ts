import { RejectedError, TransientError, ZoneNotFoundError } from "../../src/core/errors.ts";
import type { DomainName } from "../../src/core/name.ts";
import type { Solved, Solver, SolverItem } from "../../src/core/solver.ts";
import type { VirtualClock } from "../core/virtual-clock.ts";

interface Write {
  readonly act: "present" | "cleanUp";
  readonly zone: string;
  readonly keys: readonly string[];
}

/** A service that takes its time; owners look like "x.zone1". What it does not like it says. */
export function service(
  clock: VirtualClock,
  options: { readonly poison?: string; readonly down?: () => boolean } = {},
) {
  const held = new Set<string>();
  const writes: Write[] = [];
  const busy = new Set<string>();
  const overlaps: string[] = [];
  const locate = async (owner: DomainName) => {
    const apex = owner.slice(owner.indexOf(".") + 1) as DomainName;
    if (apex.startsWith("missing")) throw new ZoneNotFoundError(`no zone for ${owner}`, [apex]);
    return { apex, id: apex };
  };
  const write = (act: Write["act"]) => async (items: readonly SolverItem[], signal: AbortSignal) => {
    const zones = new Set(await Promise.all(items.map(async (i) => (await locate(i.owner)).apex)));
    const [zone = ""] = zones;
    const keys = items.flatMap((i) => i.values.map((v) => `${i.owner} ${v}`));
    if (zones.size !== 1 || busy.has(zone)) overlaps.push(zone);
    busy.add(zone);
    writes.push({ act, zone, keys });
    try {
      await clock.sleep(10 + clock.random() * 200, signal);
      if (options.down?.() === true) throw new TransientError("down");
      if (act === "present" && keys.some((k) => k.endsWith(options.poison ?? "☠"))) throw new RejectedError("poison");
      for (const key of keys)
        if (act === "present") held.add(key);
        else held.delete(key);
      return await Promise.all(
        items.map(async (i): Promise<Solved> => ({ owner: i.owner, zone: await locate(i.owner), changed: true })),
      );
    } finally {
      busy.delete(zone);
    }
  };
  const solver: Solver = { provider: "fake", locate, present: write("present"), cleanUp: write("cleanUp") };
  return { solver, held, writes, overlaps };
}

export const item = (owner: string, ...values: string[]): SolverItem => ({ owner: owner as DomainName, values });
export const never: AbortSignal = new AbortController().signal;
