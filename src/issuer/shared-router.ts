import type { Solver } from "../core/solver.ts";
import { type BatchingOptions, createSharedSolver, type SharedSolver, type SharedView } from "./batching.ts";
import type { SolverRouter } from "./request.ts";
import type { Caller } from "./zone-roll.ts";

/** The solvers of a router, shared by everybody who opens it. */
export interface SharedRouter {
  /** `names`: what the caller is going to prove, so that only neighbours wait for it. */
  open(names: readonly string[]): { readonly solvers: SolverRouter; readonly close: () => void };
  /** For whoever takes out what an earlier run has left: nobody waits for that one. */
  readonly leftovers: SolverRouter;
}

export function shareRouter(router: SolverRouter, options: BatchingOptions): SharedRouter {
  const shared = new Map<Solver, SharedSolver>();
  const callers = new Set<Caller>();
  const shareOf = (solver: Solver) => {
    const known = shared.get(solver);
    if (known !== undefined) return known;
    const fresh = createSharedSolver(solver, options, callers);
    shared.set(solver, fresh);
    return fresh;
  };
  const viewsOf = (caller: Caller) => {
    const views = new Map<Solver, SharedView>();
    const viewOf = (solver: Solver) => {
      const view = views.get(solver) ?? shareOf(solver).open(caller);
      views.set(solver, view);
      return view;
    };
    const solvers: SolverRouter = {
      solverFor: async (owner) => viewOf(await router.solverFor(owner)),
      async solverOf(provider, owner) {
        const solver = await router.solverOf(provider, owner);
        return solver === undefined ? undefined : viewOf(solver);
      },
    };
    return { views, solvers };
  };
  return {
    leftovers: viewsOf({ names: [], openedAt: options.clock.now() }).solvers,
    open(names) {
      const bases = names.map((name) => name.replace(/^\*\./, ""));
      const caller: Caller = { names: bases, openedAt: options.clock.now() };
      callers.add(caller);
      const { views, solvers } = viewsOf(caller);
      return {
        solvers,
        close: () => {
          callers.delete(caller);
          for (const view of views.values()) view.close();
          // Also where it never came: others may have waited for it there.
          for (const solver of shared.values()) solver.wake();
        },
      };
    },
  };
}
