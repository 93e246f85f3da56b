import type { Observer } from "../core/events.ts";
import { propagationError } from "../dns/propagation.ts";
import type { Verdict } from "../dns/types.ts";

/** Runs a wait for nameservers as a step, which progress shows with its nameservers. Throws PropagationError. */
export async function propagationStep(
  owner: string,
  wait: () => Promise<Verdict>,
  { observer, signal }: { readonly observer: Observer; readonly signal: AbortSignal },
): Promise<Verdict> {
  observer({ type: "phase", phase: "propagation", state: "start", detail: owner });
  const verdict = await wait();
  signal.throwIfAborted();
  const isReached = verdict.status === "propagated" || verdict.status === "skipped";
  observer({ type: "phase", phase: "propagation", state: isReached ? "done" : "failed" });
  if (!isReached) throw propagationError(verdict);
  return verdict;
}
