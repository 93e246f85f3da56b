import type { Clock } from "../core/clock.ts";
import type { Dns01Error } from "../core/errors.ts";
import { type Budget, createBudget } from "./budget.ts";
import type { Attempt } from "./budget-attempt.ts";
import { type Failure, failureKind } from "./failure-kind.ts";
import { asDns01Error } from "./kept.ts";
import type { BudgetStore } from "./ports.ts";
import { loadRegisteredDomain } from "./suffixes.ts";

/** What became of an order that the budget was told of. */
export type Counted<T> =
  | { readonly done: T }
  | { readonly error: Dns01Error; readonly failure: Failure; readonly retryAt: number };

/** The budget over what earlier runs have kept; its clocks are the ones given. */
export async function openBudget(
  store: BudgetStore,
  { clock, now }: { readonly clock: Clock; readonly now: () => Date },
): Promise<Budget> {
  return createBudget({
    store,
    now: () => now().getTime(),
    steady: () => clock.now(),
    random: () => clock.random(),
    registeredDomain: await loadRegisteredDomain(),
  });
}

/** Does what orders, and counts what became of it. Throws only when it was stopped: that is nobody's failure. */
export async function counted<T>(
  budget: Budget,
  attempt: Attempt,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<Counted<T>> {
  await budget.begin(attempt);
  let done: T;
  try {
    done = await work();
  } catch (thrown) {
    if (signal.aborted) throw thrown;
    const error = asDns01Error(thrown);
    const failure = failureKind(error, attempt.names);
    return { error, failure, retryAt: await budget.failed(attempt, failure) };
  }
  await budget.succeeded(attempt);
  return { done };
}

/**
 * For commands that somebody starts: what fails here and not at the CA may be mended by the next minute, so only what the
 * CA counts is kept in mind.
 */
export function withoutLocal(budget: Budget): Budget {
  return {
    ...budget,
    failed: async (attempt, failure) =>
      failure.kind === "local" || failure.kind === "disk" ? 0 : await budget.failed(attempt, failure),
  };
}
