import { type Clock, systemClock } from "../core/clock.ts";
import { type Observer, silent } from "../core/events.ts";
import type { DomainName } from "../core/name.ts";
import { AskError, DiscoveryError } from "./discovery-error.ts";
import { createFinder, type Finder } from "./discovery-find.ts";
import { createFixedDiscovery } from "./discovery-fixed.ts";
import { rootTask, type Task } from "./discovery-tasks.ts";
import type { Endpoint, Exchange } from "./exchange.ts";
import { createResolverClient, type ResolverClient, systemResolvers } from "./resolver.ts";
import type { Delegation, Discovery, Nameserver, Warning } from "./types.ts";
import { createHealth } from "./walk-ask.ts";
import { internetRoot, namedByAddress } from "./walk-hints.ts";
import { isCyclic } from "./walk-node.ts";

export interface DiscoveryOptions {
  /** From the root servers down, through resolvers, or exactly `servers`. */
  readonly mode: "walk" | "resolver" | "fixed";
  readonly exchange: Exchange;
  /** For resolvers given as URL (RFC 8484). */
  readonly dohExchange?: ((url: URL) => Exchange) | undefined;
  /** Recursive resolvers, first choice first. Default: the machine's own. */
  readonly resolvers?: readonly (Endpoint | URL)[] | undefined;
  /**
   * For a walk: who is asked when no root server answers. Default: `resolvers`, else the machine's own; empty for nobody.
   */
  readonly fallback?: readonly (Endpoint | URL)[] | undefined;
  /** Where a walk starts. Default: the Internet's root servers. */
  readonly rootHints?: readonly Endpoint[] | undefined;
  /** For "fixed". */
  readonly servers?: readonly Nameserver[] | undefined;
  /** Port of the authoritative servers that are found; default 53. */
  readonly port?: number | undefined;
  /** Names below which everybody registers (ICANN section of the public suffix list): never taken for the zone of a name. */
  readonly isPublicSuffix?: ((name: DomainName) => boolean) | undefined;
  readonly clock?: Clock | undefined;
  readonly observer?: Observer | undefined;
}

/** Most questions that one look-up may cost (propagation.md §5.2). */
const questionsPerName = 120;
/** An outage passes, and a daemon that met one must not see the machine's own view of DNS ever after. */
const fallenForMs = 5 * 60_000;

/** Finds who answers for a name; see `Discovery`. What is learnt belongs to the returned object. */
export function createDiscovery(options: DiscoveryOptions): Discovery {
  const clock = options.clock ?? systemClock;
  const observer = options.observer ?? silent;
  const health = createHealth();
  if (options.mode === "fixed") {
    return createFixedDiscovery({ servers: options.servers ?? [], exchange: options.exchange, clock, health });
  }
  const named = options.resolvers ?? [];
  const common = {
    exchange: options.exchange,
    clock,
    health,
    port: options.port ?? 53,
    isPublicSuffix: options.isPublicSuffix ?? (() => false),
  };
  const clientFor = (resolvers: readonly (Endpoint | URL)[]): ResolverClient | undefined => {
    const { exchange, dohExchange } = options;
    return resolvers.length === 0
      ? undefined
      : createResolverClient({ resolvers, exchange, dohExchange, clock, health });
  };

  if (options.mode === "resolver") {
    const resolver = clientFor(named.length > 0 ? named : systemResolvers());
    if (resolver === undefined) throw new TypeError("no resolver is given and the machine has none");
    const finder = createFinder({ ...common, begin: { resolver, isNamed: named.length > 0 } });
    return {
      delegationOf: (name, signal) => find(finder, name, rootTask(signal, questionsPerName)),
      forget: finder.forget,
    };
  }

  const hints = options.rootHints === undefined ? internetRoot : namedByAddress(options.rootHints);
  const resolver = clientFor(options.fallback ?? (named.length > 0 ? named : systemResolvers()));
  const spare = resolver && createFinder({ ...common, begin: { resolver, isNamed: named.length > 0 } });
  const compareWith = named.length > 0 ? undefined : resolver;
  const walker = createFinder({ ...common, begin: { hints }, compareWith });
  let fallen: { readonly warning: Warning; readonly until: number } | undefined;

  return {
    async delegationOf(name, signal) {
      const task = rootTask(signal, questionsPerName);
      if (fallen !== undefined && clock.now() >= fallen.until) fallen = undefined;
      if (fallen === undefined) {
        try {
          return await find(walker, name, task);
        } catch (error) {
          if (spare === undefined || !(error instanceof DiscoveryError) || !isRootFault(error)) throw error;
          const delegation = await find(spare, name, rootTask(signal, questionsPerName)).catch((second: unknown) => {
            throw second instanceof DiscoveryError ? bothFailed(name, error, second) : second;
          });
          if (fallen === undefined) {
            fallen = { warning: fallWarning(error), until: clock.now() + fallenForMs };
            observer({ type: "log", level: "info", text: fallen.warning.text });
          }
          return withWarning(delegation, fallen.warning);
        }
      }
      if (spare === undefined) throw new TypeError("fell back to a resolver that is not there");
      // Taken before the wait: meanwhile another question may find that the time is over.
      const { warning } = fallen;
      return withWarning(await find(spare, name, task), warning);
    },
    forget(zone) {
      walker.forget(zone);
      spare?.forget(zone);
    },
  };
}

async function find(finder: Finder, name: DomainName, task: Task): Promise<Delegation> {
  try {
    return await finder.find(task, name);
  } catch (error) {
    if (!isCyclic(error)) throw error;
    return finder.find(task, name);
  }
}

function isRootFault(error: DiscoveryError): boolean {
  return error.cause instanceof AskError && error.cause.zone === ".";
}

function fallWarning(error: DiscoveryError): Warning {
  if (error.cause instanceof AskError && error.cause.intercepted) {
    return {
      code: "W_INTERCEPTED",
      text:
        "something on the way answers DNS questions in place of the servers they are sent to (a router or provider that " +
        "intercepts port 53); nameservers are found through the system's resolver instead, and what the authoritative " +
        "servers say may be unknown: give a DoH resolver (--resolver https://…)",
    };
  }
  return {
    code: "W_NO_ROOT",
    text: "no root server answers from here; nameservers are found through the system's resolver instead",
  };
}

function bothFailed(name: DomainName, walk: DiscoveryError, resolver: DiscoveryError): DiscoveryError {
  return new DiscoveryError(
    resolver.fault,
    `cannot find the nameservers of ${name}: no root server answers, and through the resolver: ${resolver.message}`,
    [...walk.asked, ...resolver.asked],
    { fqdn: name, hint: resolver.hint, cause: resolver },
  );
}

function withWarning(delegation: Delegation, warning: Warning): Delegation {
  return { ...delegation, warnings: [warning, ...delegation.warnings] };
}
