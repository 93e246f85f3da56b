import { limitSignal } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { Dns01Error, LockedError } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import type { DomainName } from "../core/name.ts";
import type { Solver } from "../core/solver.ts";
import type { Warning } from "../dns/types.ts";
import { type CertificateStore, type Journal, type JournalEntry, writtenMsAgo } from "./ports.ts";
import type { SolverRouter } from "./request.ts";
import { groupBy, removeAll } from "./values.ts";

/**
 * Takes out what a process that died left in DNS. Entries of `name` are stale by definition, since the caller holds its
 * lock; those of another certificate only if its lock is free. Values put there by `dns01 present` ("" as certificate)
 * belong to the user and stay.
 */
export async function reconcile(
  name: string,
  deps: {
    readonly certificates: CertificateStore;
    readonly journal: Journal;
    readonly solvers: SolverRouter;
    readonly observer: Observer;
    readonly clock: Clock;
    readonly now: () => Date;
    readonly signal: AbortSignal;
  },
): Promise<readonly Warning[]> {
  const entries = (await deps.journal.list()).filter((e) => e.certificate !== "");
  if (entries.length === 0) return [];
  const warnings: Warning[] = [];
  for (const [certificate, left] of groupBy(entries, (e) => e.certificate)) {
    if (certificate === name) {
      warnings.push(...(await takeOut(left, deps)));
      continue;
    }
    try {
      const release = await deps.certificates.lock(certificate, { signal: deps.signal, timeoutMs: 0 });
      try {
        // Read again: its owner may have finished between the list and the lock.
        const still = (await deps.journal.list()).filter((e) => e.certificate === certificate);
        warnings.push(...(await takeOut(still, deps)));
      } finally {
        await release();
      }
    } catch (error) {
      if (!(error instanceof LockedError)) throw error;
    }
  }
  return warnings;
}

async function takeOut(
  entries: readonly JournalEntry[],
  deps: {
    readonly journal: Journal;
    readonly solvers: SolverRouter;
    readonly observer: Observer;
    readonly clock: Clock;
    readonly now: () => Date;
    readonly signal: AbortSignal;
  },
): Promise<readonly Warning[]> {
  if (entries.length === 0) return [];
  deps.observer({
    type: "phase",
    phase: "reconcile",
    state: "start",
    detail: `${entries.length} value(s) of an earlier run`,
  });
  const routed = await Promise.all(entries.map(async (entry) => ({ entry, solver: await solverOf(entry, deps) })));
  const limit = limitSignal(deps.signal, 60_000);
  const warnings: Warning[] = [];
  for (const [solver, list] of groupBy(routed, (r) => r.solver)) {
    if (solver instanceof Error) {
      const names = [...new Set(list.map(({ entry }) => entry.owner))].join(", ");
      const text = `${list.length} TXT value(s) of an earlier run stand at ${names}: ${solver.message}. The journal remembers them; the next run tries again.`;
      warnings.push({ code: "W_LEFTOVER", text });
      continue;
    }
    const items = list.map(({ entry }) => ({
      id: entry.id,
      owner: entry.owner as DomainName,
      value: entry.value,
      zoneCut: entry.zone as DomainName,
      writtenMsAgo: writtenMsAgo([entry], deps.now()),
    }));
    if (solver !== undefined) {
      warnings.push(...(await removeAll(solver, items, { ...deps, signal: limit.signal })));
    } else {
      const names = [...new Set(items.map((i) => i.owner))].join(", ");
      warnings.push({
        code: "W_LEFTOVER",
        text: `${items.length} TXT value(s) of an earlier run stand at ${names}; they were written by provider "${list[0]?.entry.provider}", which this run is not configured for.`,
      });
    }
  }
  limit.release();
  deps.observer({ type: "phase", phase: "reconcile", state: "done" });
  return warnings;
}

/** Why it cannot be connected, for a warning: what an earlier run has left with one provider must not stop an order by another. */
async function solverOf(
  { provider, owner }: JournalEntry,
  { solvers, signal }: { readonly solvers: SolverRouter; readonly signal: AbortSignal },
): Promise<Solver | Error | undefined> {
  try {
    return await solvers.solverOf(provider, owner as DomainName);
  } catch (error) {
    signal.throwIfAborted();
    if (!Dns01Error.is(error)) throw error;
    return error;
  }
}
