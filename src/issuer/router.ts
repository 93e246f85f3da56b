import { ConfigError } from "../core/errors.ts";
import { type DomainName, isWithin, labelsOf } from "../core/name.ts";
import type { Solver } from "../core/solver.ts";
import type { SolverRouter } from "./request.ts";

/** One configured provider: for these zones, or for every name when there are none. */
export interface Route {
  readonly zones: readonly DomainName[];
  readonly provider: string;
  readonly connect: () => Promise<Solver>;
}

/** Picks the route with the longest zone that holds the owner (R10); connects each route once, when it is needed, or again where that failed. */
export function createRouter(routes: readonly Route[]): SolverRouter {
  const connected = new Map<Route, Promise<Solver>>();
  const solver = (route: Route) => {
    const known = connected.get(route);
    if (known !== undefined) return known;
    const fresh = route.connect();
    connected.set(route, fresh);
    // What failed for now is tried again by whoever comes next: a daemon lives on.
    fresh.catch(() => connected.delete(route));
    return fresh;
  };
  return {
    async solverFor(owner) {
      const route = routeFor(routes, owner);
      if (route === undefined) {
        throw new ConfigError([{ path: "solvers", message: `none is for ${owner}` }], {
          fqdn: owner,
          hint: "Add its zone to one of the solvers, or a solver without zones.",
        });
      }
      return await solver(route);
    },
    async solverOf(provider, owner) {
      const own = routes.filter((r) => r.provider === provider);
      const route = routeFor(own, owner) ?? own[0];
      return route === undefined ? undefined : await solver(route);
    },
  };
}

function routeFor(routes: readonly Route[], owner: DomainName): Route | undefined {
  const depth = (route: Route) =>
    Math.max(
      -1,
      ...(route.zones.length === 0
        ? [0]
        : route.zones.filter((z) => isWithin(owner, z)).map((z) => labelsOf(z).length)),
    );
  const fitting = routes.filter((r) => depth(r) >= 0);
  return fitting.length === 0 ? undefined : fitting.reduce((a, b) => (depth(b) > depth(a) ? b : a));
}
