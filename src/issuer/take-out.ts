import type { Clock } from "../core/clock.ts";
import type { Observer } from "../core/events.ts";
import type { DomainName } from "../core/name.ts";
import { cleanUpForGood } from "../core/settle.ts";
import type { Solved, Solver } from "../core/solver.ts";
import { placeAnyway } from "./place-anyway.ts";
import { type Journal, type JournalEntry, writtenMsAgo } from "./ports.ts";
import type { DnsDeps, SolverRouter } from "./request.ts";
import { groupBy } from "./values.ts";

export interface TakeOutDeps {
  readonly dns: Pick<DnsDeps, "place">;
  readonly solvers: SolverRouter;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly now: () => Date;
  readonly observer: Observer;
  readonly signal: AbortSignal;
}

export interface TakenOut extends Solved {
  readonly provider: string;
}

interface Spot {
  readonly solver: Solver;
  readonly owner: DomainName;
  readonly zoneCut: DomainName | undefined;
  readonly value: string;
  /** Where the journal tells. */
  readonly writtenMsAgo?: number | undefined;
}

/**
 * Takes exactly these values of a challenge name out, wherever they were presented from. What the journal knows of them
 * goes before DNS: it says where they were written, even if the aliases have changed since, or DNS does not answer.
 */
export async function takeOut(
  fqdn: DomainName,
  values: readonly string[],
  deps: TakeOutDeps,
): Promise<readonly TakenOut[]> {
  const { journal, clock, observer, signal } = deps;
  const entries = (await journal.list()).filter(({ value }) => values.includes(value));
  const known = await spotsOf(fqdn, entries, deps);
  const others = values.filter((value) => !known.some((spot) => spot.value === value));
  const spots = [...known, ...(others.length === 0 ? [] : await placed(fqdn, others, deps))];
  const done: TakenOut[] = [];
  for (const [solver, list] of groupBy(spots, (spot) => spot.solver)) {
    const items = list.map(({ owner, zoneCut, writtenMsAgo: ago, value }) => ({
      owner,
      zoneCut,
      writtenMsAgo: ago,
      values: [value],
    }));
    const solved = await cleanUpForGood(solver, items, { clock, observer, signal });
    done.push(...solved.map((one) => ({ ...one, provider: solver.provider })));
    await journal.remove(entries.filter((entry) => isOver(entry, list)).map(({ id }) => id));
  }
  return done;
}

async function spotsOf(
  fqdn: DomainName,
  entries: readonly JournalEntry[],
  { solvers, now }: TakeOutDeps,
): Promise<readonly Spot[]> {
  const ofName = entries.filter((entry) => (entry.fqdn ?? entry.owner) === fqdn);
  const spots = await Promise.all(
    ofName.map(async (entry): Promise<readonly Spot[]> => {
      const { provider, owner, zone, value } = entry;
      const solver = await solvers.solverOf(provider, owner as DomainName);
      if (solver === undefined) return [];
      const at = {
        owner: owner as DomainName,
        zoneCut: zone as DomainName,
        writtenMsAgo: writtenMsAgo([entry], now()),
      };
      return [{ solver, value, ...at }];
    }),
  );
  return spots.flat();
}

async function placed(
  fqdn: DomainName,
  values: readonly string[],
  { dns, solvers, observer, signal }: TakeOutDeps,
): Promise<readonly Spot[]> {
  const { owner, delegation, warnings } = await placeAnyway(fqdn, dns, signal);
  for (const w of warnings) observer({ type: "warning", ...w });
  const solver = await solvers.solverFor(owner);
  return values.map((value) => ({ solver, owner, zoneCut: delegation?.zone, value }));
}

/** A run of ours that is under way strikes its own entries. */
function isOver({ certificate, provider, owner, value }: JournalEntry, spots: readonly Spot[]): boolean {
  if (certificate !== "") return false;
  return spots.some((spot) => spot.solver.provider === provider && spot.owner === owner && spot.value === value);
}
