import { providers as builtIn, type Load } from "../providers/index.ts";
import { toDns01Error } from "./core/classify.ts";
import { type Clock, systemClock } from "./core/clock.ts";
import { ConfigError, type ConfigIssue, Dns01Error, TransientError } from "./core/errors.ts";
import { type Observer, silent } from "./core/events.ts";
import { guard } from "./core/guard.ts";
import { nearest } from "./core/nearest.ts";
import type { Provider, TxtBackend } from "./core/provider.ts";
import type { RateLimit } from "./core/rate.ts";
import type { Redactor } from "./core/redact.ts";
import type { RetryPolicy } from "./core/retry.ts";
import { createSolver, type Solver } from "./core/solver.ts";
import { withTimeLimit } from "./core/time-limit.ts";
import { createHttp } from "./http.ts";
import { sortOut } from "./plugins/clashes.ts";
import type { PluginHost } from "./plugins/host.ts";
import { loadPlugin } from "./plugins/load.ts";
import type { PluginRef } from "./plugins/locate.ts";
import { fetchThroughProxy, type Send } from "./proxy/fetch.ts";

/** The providers there are, loaded when asked for. */
export interface Registry {
  /** Sorted. */
  ids(): readonly string[];
  /** By id or alias. Throws ConfigError naming the nearest id, or what is wrong with the plugin that claims it. */
  load(id: string): Promise<Provider>;
  /** Each of them, sorted, for a list. */
  all(): Promise<readonly Provider[]>;
  /** What is wrong with the plugins that are left out. */
  readonly faults: readonly ConfigIssue[];
}

/** Plugins that cannot be used. */
export interface LeftOut {
  readonly faults: readonly ConfigIssue[];
  /** Ids that nobody gets, because it is not clear whose they are. */
  readonly refused: ReadonlyMap<string, readonly ConfigIssue[]>;
}

export function createRegistry(
  loaders: Readonly<Record<string, Load>>,
  { faults, refused }: LeftOut = { faults: [], refused: new Map() },
): Registry {
  const ids = Object.keys(loaders).sort();
  const sorted = Object.entries(loaders).sort(([a], [b]) => (a < b ? -1 : 1));
  const all = () => Promise.all(sorted.map(async ([, load]) => (await load()).default));
  return {
    ids: () => ids,
    all,
    faults,
    async load(id) {
      const contested = refused.get(id);
      if (contested !== undefined) throw new ConfigError(contested);
      const loader = Object.hasOwn(loaders, id) ? loaders[id] : undefined;
      if (loader !== undefined) return (await loader()).default;
      const there = await all();
      const byAlias = there.find(({ aliases }) => aliases?.includes(id));
      if (byAlias !== undefined) return byAlias;
      const near = nearest(id, [...ids, ...there.flatMap(({ aliases }) => aliases ?? [])]);
      const meant =
        near === undefined ? `there are ${ids.filter((one) => one !== "memory").join(", ")}` : `did you mean ${near}?`;
      const issue = { path: "--provider", message: `there is no provider "${id}"; ${meant}` };
      throw new ConfigError([issue, ...faults]);
    },
  };
}

const builtInRegistry = createRegistry(builtIn);

/** The providers that come with dns01. */
export function builtInProviders(): Registry {
  return builtInRegistry;
}

/** Ids of the providers that come with dns01. */
export function providerIds(): readonly string[] {
  return builtInRegistry.ids();
}

/** A provider that comes with dns01, by id or alias. Throws ConfigError naming the nearest id. */
export function loadProvider(id: string): Promise<Provider> {
  return builtInRegistry.load(id);
}

export interface RegistryOptions {
  readonly host: PluginHost;
  readonly observer: Observer;
  readonly signal: AbortSignal;
}

/**
 * The providers that come with dns01 and those of plugins. A plugin that cannot be used is left out and told by a
 * warning; whoever asks for its provider gets a ConfigError.
 */
export async function openRegistry(refs: readonly PluginRef[], options: RegistryOptions): Promise<Registry> {
  if (refs.length === 0) return builtInRegistry;
  const { host, observer, signal } = options;
  const loaded = await Promise.all(refs.map((ref) => loadPlugin(ref, host, { signal })));
  const { plugins, leftOut } = sortOut(loaded, await builtInRegistry.all());
  for (const { path, message } of leftOut.faults) {
    observer({ type: "warning", code: "W_PLUGIN", text: `${path}: ${message}; goes on without it` });
  }
  const more = plugins.map((provider) => [provider.id, async () => ({ default: provider })] as const);
  return createRegistry({ ...builtIn, ...Object.fromEntries(more) }, leftOut);
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
  /** For hints, see ResolvedConfig. */
  readonly reword?: (hint: string) => string;
  /** Default: fetch, through the proxy that the environment names. */
  readonly fetch?: Send;
  readonly timeoutMs?: number;
  readonly requestTimeoutMs?: number;
  /** Longest time for the provider's connect. Default 30,000. */
  readonly connectTimeoutMs?: number;
  readonly retry?: RetryPolicy;
  /** Shared by connections of one account. */
  readonly limit?: RateLimit;
}

/** Connects a provider and puts the guard around it. `config` is what resolveConfig returned. */
export async function connectProvider(
  provider: Provider,
  config: Readonly<Record<string, unknown>>,
  options: ConnectOptions,
): Promise<TxtBackend> {
  const { observer = silent, clock = systemClock, timeoutMs, requestTimeoutMs, retry, limit } = options;
  const backend = await connectUnguarded(provider, config, options);
  return guard(backend, {
    provider,
    observer,
    clock,
    redact: redactOf(options),
    reword: options.reword,
    timeoutMs,
    requestTimeoutMs,
    retry,
    limit,
  });
}

/** Connects a provider, for somebody who puts the guard around it himself. */
export async function connectUnguarded(
  provider: Provider,
  config: Readonly<Record<string, unknown>>,
  options: ConnectOptions,
): Promise<TxtBackend> {
  const { observer = silent, clock = systemClock, signal, connectTimeoutMs: timeoutMs = 30_000 } = options;
  if (provider.traits.localOnly === true && options.ownConfig !== true) throw localOnly(provider);
  const redact = redactOf(options);
  const say = (text: string) => redact(`${provider.id}: ${text}`);
  const deps = {
    http: createHttp({ fetch: options.fetch ?? fetchThroughProxy({ signal }), redact }),
    signal,
    allowAmbientCredentials: options.allowAmbientCredentials ?? false,
    warn: (text: string) => observer({ type: "warning", code: "W_PROVIDER", text: say(text) }),
    debug: (text: string) => observer({ type: "log", level: "debug", text: say(text) }),
    mask: (secret: string) => options.redactor?.add(secret),
  };
  const late = () => new TransientError(`no answer within ${timeoutMs / 1000} s`, { timeout: true });
  try {
    const backend = await withTimeLimit(() => provider.connect(config, deps), { timeoutMs, late, signal, clock });
    if (typeof backend?.findZone !== "function" || typeof backend.apply !== "function") {
      throw new Dns01Error("UNKNOWN", "its connect did not return a backend with findZone and apply", false);
    }
    return backend;
  } catch (error) {
    // What the user gave is named as it is; everything else says who failed at what.
    if (error instanceof ConfigError || (signal.aborted && error === signal.reason)) throw error;
    const classify = provider.classify === undefined ? undefined : (cause: unknown) => provider.classify?.(cause);
    throw toDns01Error(
      error,
      { provider: provider.id, operation: "connect", name: "the service", plugin: provider.plugin },
      { classify, redact, reword: options.reword },
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

function redactOf({ redactor }: ConnectOptions): (text: string) => string {
  return (text) => redactor?.redact(text) ?? text;
}

/** A connected, guarded provider as the issuer uses it. `resolved` is what resolveConfig returned. */
export async function connectSolver(
  provider: Provider,
  resolved: {
    readonly config: Readonly<Record<string, unknown>>;
    readonly ttlSeconds: number | undefined;
    readonly reword?: (hint: string) => string;
  },
  options: ConnectOptions,
): Promise<Solver> {
  const { observer = silent, clock = systemClock } = options;
  const backend = await connectProvider(provider, resolved.config, {
    ...(resolved.reword === undefined ? {} : { reword: resolved.reword }),
    ...options,
  });
  return createSolver({ provider, backend, ttlSeconds: resolved.ttlSeconds, observer, clock });
}
