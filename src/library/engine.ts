import { checkRoots } from "../acme/check-options.ts";
import { createAcmeClient } from "../acme/client.ts";
import { systemClock } from "../core/clock.ts";
import { ConfigError, type ConfigIssue } from "../core/errors.ts";
import { type Observer, silent } from "../core/events.ts";
import { resolveConfig } from "../core/fields.ts";
import { parseName } from "../core/name.ts";
import type { Provider } from "../core/provider.ts";
import { createRedactor } from "../core/redact.ts";
import { createHintStore } from "../issuer/hints.ts";
import { openDns } from "../issuer/network.ts";
import type { IssueDeps, IssueRequest } from "../issuer/request.ts";
import { createRouter, type Route } from "../issuer/router.ts";
import { connectSolver, loadProvider } from "../providers.ts";
import { openStore, type Store } from "../store/index.ts";
import { harmless } from "./listener.ts";
import { type NetworkOptions, readNetwork } from "./network-options.ts";
import type { Sound } from "./options.ts";
import { rewordEvents } from "./wording.ts";

/** One DNS service to write through. */
export interface SolverOptions {
  /** Zones it is for, longest match first; without them it is for every name. */
  readonly zones?: readonly string[];
  /** A built-in provider's id, or a definition of one's own. */
  readonly provider: string | Provider;
  /** The provider's fields, by name. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** What every order needs: where state is kept, who writes to DNS, how nameservers are asked. */
export interface EngineOptions extends NetworkOptions {
  readonly solvers: readonly SolverOptions[];
  readonly stateDir: string;
  /** PEM trusted for the API of a private CA. */
  readonly caRoot?: string;
  readonly observer?: Observer;
  readonly signal?: AbortSignal;
}

export interface Engine {
  readonly store: Store;
  readonly deps: IssueDeps;
  readonly propagation: IssueRequest["propagation"];
  /** Ids of the providers, noted in the record. */
  readonly provider: string;
}

export const userAgent = "dns01 (library)";

/** Wires the engine to these options, of which `sound` is what has the right types. Throws ConfigError with `issues` and its own faults together; nothing is called. */
export async function openEngine(
  options: EngineOptions,
  sound: Sound<EngineOptions>,
  purpose: string,
  issues: readonly ConfigIssue[],
): Promise<Engine> {
  const observer = sound.observer === undefined ? silent : rewordEvents(harmless("observer", sound.observer));
  const signal = sound.signal ?? new AbortController().signal;
  const faults = [...issues];
  const { resolvers, port, propagation } = readNetwork(options, faults);
  const { caRoot } = sound;
  if (caRoot !== undefined) collect(faults, () => checkRoots(caRoot, "caRoot"));
  const routes = await readSolvers(sound.solvers ?? [], observer, signal, faults);
  if (faults.length > 0) throw new ConfigError(faults);
  const store = await openStore(options.stateDir, { observer, purpose });
  const mode = resolvers.length > 0 ? "resolver" : "walk";
  const dns = await openDns(
    { resolvers, servers: [], mode, port, propagation },
    observer,
    createHintStore(store.hints),
  );
  return {
    store,
    propagation,
    provider: [...new Set(routes.map((r) => r.provider))].join(","),
    deps: {
      certificates: store.certificates,
      accounts: store.accounts,
      journal: store.journal,
      solvers: createRouter(routes),
      connectAcme: (acme) => createAcmeClient(acme, { observer, userAgent }),
      dns,
      observer,
      clock: systemClock,
      now: () => new Date(),
      signal,
    },
  };
}

async function readSolvers(
  solvers: readonly (SolverOptions | undefined)[],
  observer: Observer,
  signal: AbortSignal,
  issues: ConfigIssue[],
): Promise<readonly Route[]> {
  const routes: Route[] = [];
  for (const [index, solver] of solvers.entries()) {
    if (solver === undefined) continue;
    try {
      const provider = typeof solver.provider === "string" ? await loadProvider(solver.provider) : solver.provider;
      // Services repeat in their errors what was sent, and whoever calls this logs what it throws.
      const redactor = createRedactor();
      const resolved = await resolveConfig(provider, {
        config: solver.config ?? {},
        configPath: `solvers[${index}].config`,
        redactor,
      });
      routes.push({
        zones: (solver.zones ?? []).map((zone, z) => parseName(zone, `solvers[${index}].zones[${z}]`)),
        provider: provider.id,
        connect: () =>
          connectSolver(provider, resolved, {
            signal,
            observer,
            redactor,
            allowAmbientCredentials: true,
            ownConfig: true,
          }),
      });
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      const at = `solvers[${index}].provider`;
      issues.push(...error.issues.map((issue) => (issue.path === "--provider" ? { ...issue, path: at } : issue)));
    }
  }
  return routes;
}

/** The result of `work`, or undefined with its faults among `issues`. */
export function collect<T>(issues: ConfigIssue[], work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    issues.push(...error.issues);
    return undefined;
  }
}
