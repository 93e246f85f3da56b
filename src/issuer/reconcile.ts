import { limitSignal } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { counted } from "../core/counted.ts";
import { Dns01Error, LockedError } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import type { DomainName } from "../core/name.ts";
import type { Solver } from "../core/solver.ts";
import type { Warning } from "../dns/types.ts";
import { inParallel } from "./in-parallel.ts";
import { type CertificateStore, type Journal, type JournalEntry, writtenMsAgo } from "./ports.ts";
import type { SolverRouter } from "./request.ts";
import { groupBy, removeAll } from "./values.ts";

interface ReconcileDeps {
  readonly certificates: CertificateStore;
  readonly journal: Journal;
  readonly solvers: SolverRouter;
  readonly observer: Observer;
  readonly clock: Clock;
  readonly now: () => Date;
  readonly signal: AbortSignal;
}

const limitMs = 60_000;
const othersAtOnce = 16;
/** What others have left where nobody answered is not tried again by every order of a daemon. */
const restMs = 5 * 60_000;
/** By provider and zone, until when; of each journal. */
const resting = new WeakMap<Journal, Map<string, number>>();

/**
 * Takes out what a process that died left in DNS. Entries of `name` are stale by definition, since the caller holds its
 * lock; those of another certificate only if its lock is free. Values put there by `dns01 present` ("" as certificate)
 * belong to the user and stay.
 */
export async function reconcile(name: string, deps: ReconcileDeps): Promise<readonly Warning[]> {
  const entries = (await deps.journal.list()).filter((e) => e.certificate !== "");
  const own = entries.filter((e) => e.certificate === name);
  const warnings = await withinLimit(deps, (signal) => takeOut(own, deps, signal));
  const others = groupBy(
    entries.filter((e) => e.certificate !== name && !isResting(e, deps)),
    (e) => e.certificate,
  );
  if (others.size === 0) return warnings;
  // One limit for all of them: who waits for a certificate must not wait for each of a hundred that cannot be reached.
  const told = await withinLimit(deps, (signal) =>
    inParallel([...others.keys()], othersAtOnce, (certificate) => ofOther(certificate, deps, signal)),
  );
  return [...warnings, ...told.flat()];
}

async function ofOther(certificate: string, deps: ReconcileDeps, signal: AbortSignal): Promise<readonly Warning[]> {
  try {
    const release = await deps.certificates.lock(certificate, { signal: deps.signal, timeoutMs: 0 });
    try {
      // Read again: its owner may have finished between the list and the lock.
      const still = (await deps.journal.list()).filter((e) => e.certificate === certificate);
      const warnings = await takeOut(still, deps, signal);
      if (warnings.length > 0 && signal.aborted) rest(still, deps);
      return warnings;
    } finally {
      await release();
    }
  } catch (error) {
    if (!(error instanceof LockedError)) throw error;
    return [];
  }
}

async function withinLimit<T>({ signal }: ReconcileDeps, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const limit = limitSignal(signal, limitMs);
  try {
    return await work(limit.signal);
  } finally {
    limit.release();
  }
}

function placeOf({ provider, zone }: JournalEntry): string {
  return `${provider} ${zone}`;
}

function isResting(entry: JournalEntry, { journal, clock }: ReconcileDeps): boolean {
  return (resting.get(journal)?.get(placeOf(entry)) ?? Number.NEGATIVE_INFINITY) > clock.now();
}

function rest(entries: readonly JournalEntry[], { journal, clock }: ReconcileDeps): void {
  const places = resting.get(journal) ?? new Map<string, number>();
  resting.set(journal, places);
  for (const entry of entries) places.set(placeOf(entry), clock.now() + restMs);
}

async function takeOut(
  entries: readonly JournalEntry[],
  deps: ReconcileDeps,
  signal: AbortSignal,
): Promise<readonly Warning[]> {
  if (entries.length === 0) return [];
  deps.observer({
    type: "phase",
    phase: "reconcile",
    state: "start",
    detail: `${counted(entries.length, "value")} of an earlier run`,
  });
  const routed = await Promise.all(entries.map(async (entry) => ({ entry, solver: await solverOf(entry, deps) })));
  const warnings: Warning[] = [];
  for (const [solver, list] of groupBy(routed, (r) => r.solver)) {
    if (solver instanceof Error) {
      const names = [...new Set(list.map(({ entry }) => entry.owner))].join(", ");
      const text = `${counted(list.length, "TXT value")} of an earlier run may still be at ${names}: ${solver.message}. The journal remembers them; the next run tries again.`;
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
      warnings.push(...(await removeAll(solver, items, { ...deps, signal })));
    } else {
      const names = [...new Set(items.map((i) => i.owner))].join(", ");
      warnings.push({
        code: "W_LEFTOVER",
        text: `${counted(items.length, "TXT value")} of an earlier run may still be at ${names}, written by provider "${list[0]?.entry.provider}", which this run is not configured for.`,
      });
    }
  }
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
