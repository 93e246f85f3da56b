import { createAcmeClient } from "./acme/client.ts";
import { findCa } from "./acme/directories.ts";
import type { KeyType } from "./acme/keys.ts";
import { systemClock } from "./core/clock.ts";
import { ConfigError, type ConfigIssue } from "./core/errors.ts";
import { type Observer, silent } from "./core/events.ts";
import { resolveConfig } from "./core/fields.ts";
import { parseName } from "./core/name.ts";
import type { Provider } from "./core/provider.ts";
import type { Endpoint } from "./dns/exchange.ts";
import { readDomains } from "./issuer/domains.ts";
import { createHintStore } from "./issuer/hints.ts";
import { issue as issueCertificate } from "./issuer/issue.ts";
import { openDns } from "./issuer/network.ts";
import type { IssueResult, PropagationMode } from "./issuer/request.ts";
import { createRouter, type Route } from "./issuer/router.ts";
import { connectSolver, loadProvider } from "./providers.ts";
import { openStore } from "./store/index.ts";

export { type Dns01Event, type Observer, silent } from "./core/events.ts";
export * from "./index.ts";
export type { IssueResult } from "./issuer/request.ts";

/** One DNS service to write through. */
export interface SolverOptions {
  /** Zones it is for, longest match first; without them it is for every name. */
  readonly zones?: readonly string[];
  /** A built-in provider's id, or a definition of one's own. */
  readonly provider: string | Provider;
  /** The provider's fields, by name. */
  readonly config?: Readonly<Record<string, unknown>>;
}

export interface IssueOptions {
  /** Names to certify, wildcards too; the first one names the certificate unless `name` does. */
  readonly domains: readonly string[];
  readonly solvers: readonly SolverOptions[];
  readonly stateDir: string;
  readonly name?: string;
  /** CA by id, or its directory's address. Default "letsencrypt". */
  readonly ca?: string;
  /** PEM trusted for the API of a private CA. */
  readonly caRoot?: string;
  readonly email?: string;
  readonly eab?: { readonly kid: string; readonly hmacKey: string };
  readonly keyType?: KeyType;
  readonly profile?: string;
  readonly preferredChain?: string;
  readonly reuseKey?: boolean;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  /** Where nameservers are found; without one they are found by a walk from the root. */
  readonly resolvers?: readonly (Endpoint | URL)[];
  /** Port of the authoritative servers; for labs. */
  readonly dnsPort?: number;
  readonly propagation?: PropagationMode;
  /** Milliseconds; default five minutes. */
  readonly propagationTimeoutMs?: number;
  readonly observer?: Observer;
  readonly signal?: AbortSignal;
}

/**
 * Gets one certificate and stores it below `stateDir`; the engine of `dns01 issue`. A stored certificate of the same
 * names that is not yet due is returned with `reused: true`. Throws Dns01Error; ConfigError before any call.
 *
 * @example
 * const { files } = await issue({
 *   domains: ["example.com", "*.example.com"],
 *   solvers: [{ provider: "rfc2136", config: { nameserver: "192.0.2.53" } }],
 *   stateDir: "./state",
 * });
 */
export async function issue(options: IssueOptions): Promise<IssueResult> {
  const observer = options.observer ?? silent;
  const signal = options.signal ?? new AbortController().signal;
  const issues: ConfigIssue[] = [];
  const domains = await readDomains(options.domains, "domains");
  issues.push(...domains.issues);
  if (options.domains.length === 0) issues.push({ path: "domains", message: "is empty: name at least one" });
  if (options.solvers.length === 0) issues.push({ path: "solvers", message: "is empty: name at least one provider" });
  const routes = await readSolvers(options.solvers, observer, signal, issues);
  const ca = collect(issues, () => findCa(options.ca ?? "letsencrypt", "ca"));
  const first = domains.identifiers[0];
  if (issues.length > 0 || ca === undefined || first === undefined) throw new ConfigError(issues);

  const store = await openStore(options.stateDir, { observer, purpose: "issue" });
  const resolvers = options.resolvers ?? [];
  const propagation = {
    mode: options.propagation ?? ("authoritative" as const),
    timeoutMs: options.propagationTimeoutMs ?? 300_000,
  };
  const dns = await openDns(
    {
      resolvers,
      servers: [],
      mode: resolvers.length > 0 ? "resolver" : "walk",
      port: options.dnsPort ?? 53,
      propagation,
    },
    observer,
    createHintStore(store.hints),
  );
  return await issueCertificate(
    {
      name: options.name ?? first.text,
      identifiers: domains.identifiers,
      ca: {
        directoryUrl: options.dryRun === true ? (ca.staging ?? ca.directoryUrl) : ca.directoryUrl,
        rootPem: options.caRoot,
        contact: options.email === undefined ? [] : [`mailto:${options.email}`],
        eab: options.eab,
      },
      keyType: options.keyType ?? "ec256",
      profile: options.profile,
      preferredChain: options.preferredChain,
      reuseKey: options.reuseKey ?? false,
      force: options.force ?? false,
      dryRun: options.dryRun ?? false,
      propagation,
      provider: [...new Set(routes.map((r) => r.provider))].join(","),
    },
    {
      certificates: store.certificates,
      accounts: store.accounts,
      journal: store.journal,
      solvers: createRouter(routes),
      connectAcme: (acme) => createAcmeClient(acme, { observer, userAgent: "dns01 (library)" }),
      dns,
      observer,
      clock: systemClock,
      now: () => new Date(),
      signal,
    },
  );
}

async function readSolvers(
  solvers: readonly SolverOptions[],
  observer: Observer,
  signal: AbortSignal,
  issues: ConfigIssue[],
): Promise<readonly Route[]> {
  const routes: Route[] = [];
  for (const [index, solver] of solvers.entries()) {
    try {
      const provider = typeof solver.provider === "string" ? await loadProvider(solver.provider) : solver.provider;
      const resolved = await resolveConfig(provider, {
        config: solver.config ?? {},
        configPath: `solvers[${index}].config`,
      });
      routes.push({
        zones: (solver.zones ?? []).map((zone, z) => parseName(zone, `solvers[${index}].zones[${z}]`)),
        provider: provider.id,
        connect: () =>
          connectSolver(provider, resolved, { signal, observer, allowAmbientCredentials: true, ownConfig: true }),
      });
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      issues.push(...error.issues);
    }
  }
  return routes;
}

function collect<T>(issues: ConfigIssue[], work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    issues.push(...error.issues);
    return undefined;
  }
}
