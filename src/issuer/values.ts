import type { Clock } from "../core/clock.ts";
import { counted } from "../core/counted.ts";
import { Dns01Error } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import type { DomainName } from "../core/name.ts";
import { cleanUpForGood, type Written } from "../core/settle.ts";
import { isUntouched, type Solver } from "../core/solver.ts";
import type { Warning } from "../dns/types.ts";
import { withGrace } from "./grace.ts";
import type { Journal } from "./ports.ts";
import type { SolverRouter } from "./request.ts";

/** How long a write that has begun may go on after the caller gave up. */
const WRITE_GRACE_MS = 5_000;

/** Values that shall stand at one owner, and the DNS zone that holds it, where known. */
export interface OwnerValues {
  readonly owner: DomainName;
  /** The challenge name, where they are all of one. */
  readonly fqdn?: DomainName | undefined;
  readonly zoneCut: DomainName | undefined;
  readonly values: readonly string[];
}

interface Noted {
  readonly id: string;
  readonly owner: DomainName;
  readonly value: string;
  readonly zoneCut: DomainName | undefined;
  readonly zone: DomainName;
  readonly solver: Solver;
}

export interface ValueLedger {
  /** Journals, then writes everything: one write per zone, zones side by side. What it wrote may have to settle. */
  present(wanted: readonly OwnerValues[], signal: AbortSignal): Promise<Presented>;
  /**
   * Takes out whatever was, or may have been, written and is not out yet. Never throws: what could not be taken out
   * stays in the journal and is reported.
   */
  cleanUp(timeoutMs: number): Promise<readonly Warning[]>;
}

export interface PresentedAt {
  readonly provider: string;
  readonly zone: DomainName;
}

export interface Presented {
  /** The zone of each owner. */
  readonly at: ReadonlyMap<DomainName, PresentedAt>;
  /** For settleDuring. */
  readonly written: readonly Written[];
}

export interface LedgerDeps {
  readonly solvers: SolverRouter;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly observer: Observer;
}

/** Keeps account of the values of one run, so that every way out of it leaves DNS as it was. */
export function createValueLedger(deps: LedgerDeps, certificate: string): ValueLedger {
  const { solvers, journal } = deps;
  let written: readonly Noted[] = [];

  return {
    async present(wanted, signal) {
      const placed = await Promise.all(
        wanted.map(async (item) => {
          const solver = await solvers.solverFor(item.owner);
          const zone = await solver.locate(item.owner, item.zoneCut, signal);
          return { ...item, solver, zone: zone.apex };
        }),
      );
      const entries = placed.flatMap((p) =>
        p.values.map((value) => ({
          certificate,
          provider: p.solver.provider,
          zone: p.zone,
          owner: p.owner,
          ...(p.fqdn === undefined || p.fqdn === p.owner ? {} : { fqdn: p.fqdn }),
          value,
        })),
      );
      const noted = await journal.add(entries);
      const byOwner = new Map(placed.map((p) => [p.owner, p]));
      const own = noted.flatMap(({ id, owner, value }): readonly Noted[] => {
        const place = byOwner.get(owner as DomainName);
        if (place === undefined) return [];
        return [{ id, owner: place.owner, value, zoneCut: place.zoneCut, zone: place.zone, solver: place.solver }];
      });
      written = [...written, ...own];
      /** What the service has certainly not taken: nothing is left of it, and it would only be refused once more. */
      const forgetUntouched = async (solver: Solver, error: unknown) => {
        const untouched = own.filter((w) => w.solver === solver && isUntouched(error, w.zone));
        written = written.filter((w) => !untouched.includes(w));
        // A disk that fails keeps the entries: the next run then looks for nothing.
        await journal.remove(untouched.map(({ id }) => id)).catch(() => {});
      };
      const bySolver = groupBy(placed, (p) => p.solver);
      const writing = withGrace(signal, WRITE_GRACE_MS);
      try {
        const work = [...bySolver].map(async ([solver, items]): Promise<Written> => {
          try {
            const solved = await solver.present(items, writing.signal);
            return { solver, act: "present", items, solved };
          } catch (error) {
            await forgetUntouched(solver, error);
            throw error;
          }
        });
        const ends = await Promise.allSettled(work);
        const failed = ends.find((o) => o.status === "rejected");
        if (failed !== undefined) throw failed.reason;
        signal.throwIfAborted();
        return {
          at: new Map(placed.map((p) => [p.owner, { provider: p.solver.provider, zone: p.zone }])),
          written: ends.flatMap((o) => (o.status === "fulfilled" ? [o.value] : [])),
        };
      } finally {
        writing.done();
      }
    },

    async cleanUp(timeoutMs) {
      const pending = written;
      written = [];
      const signal = AbortSignal.timeout(timeoutMs);
      const bySolver = groupBy(pending, (w) => w.solver);
      const warnings = await Promise.all(
        [...bySolver].map(([solver, items]) => removeAll(solver, items, { ...deps, signal })),
      );
      return warnings.flat();
    },
  };
}

/** Removes journaled values through one solver and forgets them; a failure becomes a warning that says what stays. */
export async function removeAll(
  solver: Solver,
  items: readonly {
    readonly id: string;
    readonly owner: DomainName;
    readonly value: string;
    readonly zoneCut?: DomainName | undefined;
    /** By another process: for SolverItem. */
    readonly writtenMsAgo?: number | undefined;
  }[],
  { journal, clock, observer, signal }: Omit<LedgerDeps, "solvers"> & { readonly signal: AbortSignal },
): Promise<readonly Warning[]> {
  const byOwner = groupBy(items, (i) => i.owner);
  const wanted = [...byOwner].map(([owner, list]) => ({
    owner,
    values: list.map((i) => i.value),
    zoneCut: list[0]?.zoneCut,
    writtenMsAgo: Math.min(...list.map((i) => i.writtenMsAgo ?? Infinity)),
  }));
  try {
    await cleanUpForGood(solver, wanted, { clock, observer, signal });
    await journal.remove(items.map((i) => i.id));
    return [];
  } catch (error) {
    const names = [...byOwner.keys()].join(", ");
    const isLate = signal.aborted && error === signal.reason && error instanceof Error && error.name === "TimeoutError";
    const reason = isLate
      ? "the service did not do it in the time there was"
      : Dns01Error.is(error) || error instanceof Error
        ? error.message
        : String(error);
    return [
      {
        code: "W_LEFTOVER",
        text: `${counted(items.length, "TXT value")} could not be taken out at ${names}: ${reason}. The journal remembers them; the next run tries again.`,
      },
    ];
  }
}

export function groupBy<T, K>(items: readonly T[], key: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const k = key(item);
    const group = groups.get(k);
    if (group === undefined) groups.set(k, [item]);
    else group.push(item);
  }
  return groups;
}
