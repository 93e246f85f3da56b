import { providers as builtIn, type Load } from "../providers/index.ts";
import { toDns01Error } from "./core/classify.ts";
import { type Clock, systemClock } from "./core/clock.ts";
import { ConfigError, Dns01Error } from "./core/errors.ts";
import { type Observer, silent } from "./core/events.ts";
import { guard } from "./core/guard.ts";
import { nearest } from "./core/nearest.ts";
import type { Provider, TxtBackend } from "./core/provider.ts";
import type { Redactor } from "./core/redact.ts";
import type { RetryPolicy } from "./core/retry.ts";
import { createSolver, type Solver } from "./core/solver.ts";
import { createHttp } from "./http.ts";

/** The providers there are, loaded when asked for. Plugins are one more map merged into the built-in one. */
export interface Registry {
  /** Sorted. */
  ids(): readonly string[];
  /** By id or alias. Throws ConfigError naming the nearest id. */
  load(id: string): Promise<Provider>;
}

export function createRegistry(loaders: Readonly<Record<string, Load>>): Registry {
  const ids = Object.keys(loaders).sort();
  return {
    ids: () => ids,
    async load(id) {
      const loader = Object.hasOwn(loaders, id) ? loaders[id] : undefined;
      if (loader !== undefined) return (await loader()).default;
      const all = await Promise.all(Object.values(loaders).map(async (load) => (await load()).default));
      const byAlias = all.find(({ aliases }) => aliases?.includes(id));
      if (byAlias !== undefined) return byAlias;
      const near = nearest(id, [...ids, ...all.flatMap(({ aliases }) => aliases ?? [])]);
      const meant = near === undefined ? `there are ${ids.join(", ")}` : `did you mean ${near}?`;
      throw new ConfigError([{ path: "--provider", message: `there is no provider "${id}"; ${meant}` }]);
    },
  };
}

const builtInRegistry = createRegistry(builtIn);

/** Ids of the providers that come with dns01. */
export function providerIds(): readonly string[] {
  return builtInRegistry.ids();
}

/** A provider that comes with dns01, by id or alias. Throws ConfigError naming the nearest id. */
export function loadProvider(id: string): Promise<Provider> {
  return builtInRegistry.load(id);
}

export interface ConnectOptions {
  /** Ends when the backend is no longer needed. */
  readonly signal: AbortSignal;
  /** Default false: an Issuer's author must not use what belongs to the machine. */
  readonly allowAmbientCredentials?: boolean;
  /**
   * The configuration was written by whoever runs this program. Default false: then providers with `traits.localOnly`
   * are refused.
   */
  readonly ownConfig?: boolean;
  readonly observer?: Observer;
  readonly clock?: Clock;
  readonly redactor?: Redactor;
  readonly fetch?: typeof fetch;
  readonly timeoutMs?: number;
  readonly requestTimeoutMs?: number;
  readonly retry?: RetryPolicy;
}

/** Connects a provider and puts the guard around it. `config` is what resolveConfig returned. */
export async function connectProvider(
  provider: Provider,
  config: Readonly<Record<string, unknown>>,
  options: ConnectOptions,
): Promise<TxtBackend> {
  const { observer = silent, clock = systemClock, redactor } = options;
  if (provider.traits.localOnly === true && options.ownConfig !== true) throw localOnly(provider);
  const redact = (text: string) => redactor?.redact(text) ?? text;
  const warn = (text: string) =>
    observer({ type: "warning", code: "W_PROVIDER", text: redact(`${provider.id}: ${text}`) });
  const debug = (text: string) => observer({ type: "log", level: "debug", text: redact(`${provider.id}: ${text}`) });
  try {
    const backend = await provider.connect(config, {
      http: createHttp({ ...(options.fetch === undefined ? {} : { fetch: options.fetch }), redact }),
      signal: options.signal,
      allowAmbientCredentials: options.allowAmbientCredentials ?? false,
      warn,
      debug,
      mask: (secret: string) => redactor?.add(secret),
    });
    if (typeof backend?.findZone !== "function" || typeof backend.apply !== "function") {
      throw new Dns01Error("UNKNOWN", "its connect did not return a backend with findZone and apply", false);
    }
    return guard(backend, {
      provider,
      observer,
      clock,
      redact,
      timeoutMs: options.timeoutMs,
      requestTimeoutMs: options.requestTimeoutMs,
      retry: options.retry,
    });
  } catch (error) {
    // What the user gave is named as it is; everything else says who failed at what.
    if (error instanceof ConfigError) throw error;
    const classify = provider.classify === undefined ? undefined : (cause: unknown) => provider.classify?.(cause);
    throw toDns01Error(
      error,
      { provider: provider.id, operation: "connect", name: "the service" },
      { classify, redact },
    );
  }
}

function localOnly({ id, title }: Provider): ConfigError {
  const message = `${id} (${title}) acts on the machine that dns01 runs on, and a configuration from elsewhere may not use it`;
  return new ConfigError([{ path: "provider", message }], {
    provider: id,
    hint: "Use it from the command line or the library, or choose a provider that only talks to a DNS service.",
  });
}

/** A connected, guarded provider as the issuer uses it. `resolved` is what resolveConfig returned. */
export async function connectSolver(
  provider: Provider,
  resolved: { readonly config: Readonly<Record<string, unknown>>; readonly ttlSeconds: number | undefined },
  options: ConnectOptions,
): Promise<Solver> {
  const { observer = silent, clock = systemClock } = options;
  const backend = await connectProvider(provider, resolved.config, options);
  return createSolver({ provider, backend, ttlSeconds: resolved.ttlSeconds, observer, clock });
}
