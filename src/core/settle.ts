import type { Clock } from "./clock.ts";
import { ConflictError } from "./errors.ts";
import type { Observer } from "./events.ts";
import type { Solved, Solver, SolverItem } from "./solver.ts";

/** A call of a solver, and what it answered. */
export interface Written {
  readonly solver: Solver;
  readonly act: "present" | "cleanUp";
  /** The caller's own: of others it must neither bring back nor take away anything. */
  readonly items: readonly SolverItem[];
  readonly solved: readonly Solved[];
  /** The caller's name for his request, for events of the looks. */
  readonly trace?: string;
}

export interface SettleOptions {
  readonly clock: Clock;
  readonly observer: Observer;
  /** Ends the pauses. */
  readonly signal: AbortSignal;
  /** Ends the looks, where that is to happen later. Default: `signal`. */
  readonly lookSignal?: AbortSignal;
  /** Told before and after each look: whether the change had been undone, and was made again. */
  readonly onLook?: (state: "begun" | "stood" | "undone") => void;
}

/** Writers who still overwrite each other after this many rounds will not stop by themselves. */
const maxRounds = 30;

export function isUnsettled({ solved }: Pick<Written, "solved">): boolean {
  return solved.some(({ settleMs }) => settleMs !== undefined);
}

/**
 * The second look at what was written to a service that lets writers overwrite each other: after a pause the same call
 * is made again, which is one read if the change stands, and a repair if it does not; until a look finds nothing to do.
 * Does nothing where everything is settled. Throws ConflictError when somebody overwrites it again and again.
 *
 * A writer who had read before our write, and writes after it, undoes it. The pause is longer than such a writer takes
 * between the two, so it has written by the time of the look. Whoever reads later sees our change and keeps it. Since
 * everybody looks again, everybody's last write is one that nobody undid. This is no proof: a writer may be slower than
 * the pause, and three who meet just so may pass the loss on to one who has looked already.
 */
export async function settle(written: Written, options: SettleOptions): Promise<void> {
  const { solver, act, items, trace } = written;
  const { clock, observer, signal, lookSignal = signal, onLook = () => {} } = options;
  let solved = written.solved;
  for (let round = 1; isUnsettled({ solved }); round++) {
    const left = solved.filter(({ settleMs }) => settleMs !== undefined);
    const owners = new Set(left.map(({ owner }) => owner));
    if (round > maxRounds) throw overwritten(solver, [...owners]);
    // With jitter, so that two writers who overwrote each other do not do it again in step.
    await clock.sleep(Math.max(...left.map(({ settleMs = 0 }) => settleMs)) * (1 + clock.random()), signal);
    onLook("begun");
    solved = await solver[act](
      items.filter(({ owner }) => owners.has(owner)),
      lookSignal,
      trace,
    );
    const undone = solved.filter(({ changed }) => changed).map(({ owner }) => owner);
    if (undone.length > 0) observer(rewritten(solver, undone));
    onLook(undone.length > 0 ? "undone" : "stood");
  }
}

/** Takes the values out, and looks again where somebody else may have brought them back. */
export async function cleanUpForGood(
  solver: Solver,
  items: readonly SolverItem[],
  options: SettleOptions,
): Promise<readonly Solved[]> {
  const solved = await solver.cleanUp(items, options.signal);
  await settle({ solver, act: "cleanUp", items, solved }, options);
  return solved;
}

function rewritten({ provider }: Solver, owners: readonly string[]): Parameters<Observer>[0] {
  const text = `${provider}: somebody else undid the change of ${owners.join(", ")}; it was made again. Let only one program write these names at a time.`;
  return { type: "warning", code: "W_OVERWRITTEN", text };
}

function overwritten({ provider }: Solver, owners: readonly string[]): ConflictError {
  const message = `${provider}: the TXT values at ${owners.join(", ")} were overwritten ${maxRounds} times by somebody else`;
  return new ConflictError(message, { provider, hint: "Let only one program write these names at a time." });
}
