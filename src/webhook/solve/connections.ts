import { hash } from "node:crypto";
import { abortReason, type Clock } from "../../core/clock.ts";
import { AbortedError } from "../../core/errors.ts";
import type { Observer } from "../../core/events.ts";
import { createLock, type KeyedLock } from "../../core/lock.ts";
import type { DomainName } from "../../core/name.ts";
import type { Provider, TxtBackend } from "../../core/provider.ts";
import { createRateLimit, type RateLimit } from "../../core/rate.ts";
import { createRedactor } from "../../core/redact.ts";
import { fieldsOf } from "../../core/schema.ts";
import { createSolver, type Solver } from "../../core/solver.ts";
import { connectProvider } from "../../providers.ts";

/** Everything that tells one connection from another. Holds secrets: never to be logged. */
export interface ConnectionRequest {
  readonly provider: Provider;
  /** Complete and checked. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly ttlSeconds: number | undefined;
  readonly allowAmbientCredentials: boolean;
}

export interface ConnectionsOptions {
  readonly clock: Clock;
  readonly observer: Observer;
  /** Longest time for one request to a service. */
  readonly requestTimeoutMs: number;
  readonly isPublicSuffix: (name: DomainName) => boolean;
  readonly fetch?: typeof fetch | undefined;
}

/** Connections to services, kept for a few minutes after their last use by all that they were made of. */
export interface Connections {
  /** `trace` names the call, for what the service's adapter tells meanwhile. */
  use<T>(request: ConnectionRequest, trace: string, work: (solver: Solver) => Promise<T>): Promise<T>;
  /** How many are open. */
  readonly size: number;
  close(): void;
}

/** A call that is under way. */
interface User {
  readonly trace: string;
}

interface Open {
  readonly account: string;
  readonly ready: Promise<Solver>;
  readonly end: AbortController;
  readonly users: Set<User>;
  usedAt: number;
}

/** What connections of one account have in common, whatever else their Issuers say. */
interface Account {
  readonly lock: KeyedLock;
  readonly limit: RateLimit;
}

const idleForMs = 5 * 60_000;
const mostOpen = 200;
const mostAccounts = 2_000;

export function createConnections(options: ConnectionsOptions): Connections {
  const { clock } = options;
  const open = new Map<string, Open>();
  const accounts = new Map<string, Account>();

  const accountOf = (key: string, provider: Provider): Account => {
    const account = accounts.get(key) ?? { lock: createLock(), limit: createRateLimit(clock, provider.traits.rate) };
    accounts.delete(key);
    accounts.set(key, account);
    for (const oldest of accounts.keys()) {
      if (accounts.size <= mostAccounts) break;
      if (![...open.values()].some((one) => one.account === oldest)) accounts.delete(oldest);
    }
    return account;
  };

  const drop = (key: string, connection: Open): void => {
    if (open.get(key) === connection) open.delete(key);
    connection.end.abort(new AbortedError("the connection is no longer needed"));
  };

  /** The one that has been unused for longest makes way. */
  const makeRoom = (): void => {
    for (const [key, connection] of open) {
      if (open.size < mostOpen) break;
      if (connection.users.size === 0) drop(key, connection);
    }
  };

  const start = (request: ConnectionRequest): Open => {
    const account = accountKey(request);
    const end = new AbortController();
    const users = new Set<User>();
    // An adapter that warns knows no call; where only one is under way, that is the one.
    const observer: Observer = (event, trace) =>
      options.observer(event, trace ?? (users.size === 1 ? [...users][0]?.trace : undefined));
    const ready = connect(request, accountOf(account, request.provider), end.signal, { ...options, observer });
    return { account, ready, end, users, usedAt: clock.now() };
  };

  /** Ends the connection when nobody has used it for a while. */
  const watch = async (key: string, connection: Open): Promise<void> => {
    const { signal } = connection.end;
    for (let wait = idleForMs; wait > 0; ) {
      await clock.sleep(wait, signal);
      wait = connection.users.size > 0 ? idleForMs : connection.usedAt + idleForMs - clock.now();
    }
    drop(key, connection);
  };

  return {
    get size() {
      return open.size;
    },
    async use(request, trace, work) {
      const key = connectionKey(request);
      const known = open.get(key);
      if (known === undefined) makeRoom();
      const connection = known ?? start(request);
      // Its end is the only one that it meets.
      if (known === undefined) watch(key, connection).catch(() => {});
      // The last in the map is the one that was used last.
      open.delete(key);
      open.set(key, connection);
      const user: User = { trace };
      connection.users.add(user);
      try {
        if (connection.end.signal.aborted) throw abortReason(connection.end.signal);
        return await work(
          await connection.ready.catch((error: unknown) => {
            drop(key, connection);
            throw error;
          }),
        );
      } finally {
        connection.users.delete(user);
        connection.usedAt = clock.now();
      }
    },
    close() {
      for (const [key, connection] of [...open]) drop(key, connection);
    },
  };
}

async function connect(
  request: ConnectionRequest,
  { lock, limit }: Account,
  signal: AbortSignal,
  options: ConnectionsOptions,
): Promise<Solver> {
  const { provider, config, ttlSeconds, allowAmbientCredentials } = request;
  const { clock, observer, requestTimeoutMs, isPublicSuffix } = options;
  const redactor = createRedactor();
  for (const { name, secret } of fieldsOf(provider)) {
    const value = config[name];
    if (secret && typeof value === "string") redactor.add(value);
  }
  const backend = await connectProvider(provider, config, {
    signal,
    allowAmbientCredentials,
    observer,
    clock,
    redactor,
    limit,
    requestTimeoutMs,
    connectTimeoutMs: requestTimeoutMs,
    timeoutMs: 1.5 * requestTimeoutMs,
    retry: { attempts: 5, baseMs: 500, maxMs: 8_000 },
    ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
  });
  return createSolver({
    provider,
    backend: butSuffixes(backend, isPublicSuffix),
    observer,
    clock,
    ttlSeconds,
    lock,
  });
}

/** A public suffix is nobody's zone, whatever an account holds or a resolver says. */
function butSuffixes(backend: TxtBackend, isPublicSuffix: (name: DomainName) => boolean): TxtBackend {
  return {
    ...backend,
    findZone: async (apex, call) => (isPublicSuffix(apex) ? undefined : backend.findZone(apex, call)),
    apply: (zone, edits, call) => backend.apply(zone, edits, call),
  };
}

/** A request is asked for its key several times in one call. */
const keys = new WeakMap<ConnectionRequest, string>();

export function connectionKey(request: ConnectionRequest): string {
  const known = keys.get(request);
  if (known !== undefined) return known;
  const { provider, config, ttlSeconds, allowAmbientCredentials } = request;
  const key = digest([provider.id, sorted(config), ttlSeconds ?? "", allowAmbientCredentials]);
  keys.set(request, key);
  return key;
}

/**
 * Of all that a service may refuse: what is no secret, a user name or the role to assume, is as likely to be wrong, and
 * mended in the Issuer. Only how long values live is no part of it.
 */
export function loginKey({ provider, config, allowAmbientCredentials }: ConnectionRequest): string {
  return digest([provider.id, sorted(config), allowAmbientCredentials]);
}

/** Whose credentials they are; everything counts where there are none. */
function accountKey(request: ConnectionRequest): string {
  const { provider, config, allowAmbientCredentials } = request;
  const fields = fieldsOf(provider);
  const has = fields.some(({ name, secret }) => secret && config[name] !== undefined);
  if (!has) return connectionKey(request);
  const telling = fields.filter(({ secret, references, endpoint }) => secret || references.length > 0 || endpoint);
  return digest([provider.id, telling.map(({ name }) => [name, config[name] ?? ""]), allowAmbientCredentials]);
}

function sorted(config: Readonly<Record<string, unknown>>): readonly (readonly [string, unknown])[] {
  return Object.entries(config).toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function digest(of: unknown): string {
  return hash("sha256", JSON.stringify(of), "base64url");
}
