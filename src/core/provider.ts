import type { z } from "zod";
import type { Clock } from "./clock.ts";
import type { Dns01Error } from "./errors.ts";
import type { DomainName } from "./name.ts";

/** A zone as the service knows it. `id` is the service's own handle and means nothing to anybody else. */
export interface Zone {
  readonly apex: DomainName;
  readonly id: string;
}

/** A name inside a zone, in both spellings, so that no adapter ever cuts a name. */
export interface Owner {
  readonly zone: Zone;
  /** Lower case, A-labels, no final dot: "_acme-challenge.www.example.com". */
  readonly fqdn: DomainName;
  /** Inside the zone: "_acme-challenge.www"; "@" at the apex. */
  readonly relative: string;
}

/** What every call of a backend is given. */
export interface Call {
  /** Ends at the deadline of the operation or when the caller gives up; pass it to whatever waits. */
  readonly signal: AbortSignal;
  /** TTL for records that are created: the user's, raised to the service's minimum. */
  readonly ttlSeconds: number;
  /** The caller's name for his request, for events about it. */
  readonly trace?: string | undefined;
  /** The framework's side of the call; the lifts use it, adapters have no need to look. */
  readonly conduct?: Conduct;
}

/** What a request is, for events and messages. */
export interface RequestLabel {
  /** "findZone", "list", "create", "delete", "read", "replace" or "apply". */
  readonly operation: string;
  /** Whether it changes something. */
  readonly write: boolean;
  /** The owner or zone it is about. */
  readonly name: DomainName;
}

/** How requests to the service are carried out: in their turn, with a time limit, reported and with our errors. */
export interface Conduct {
  readonly clock: Clock;
  /** Requests that may run side by side: 1 where the service locks a whole zone. */
  readonly parallel: number;
  /**
   * One request. Waits for its turn under `traits.rate`, ends it after its time limit, and turns what it throws into
   * one of our errors.
   */
  request<T>(label: RequestLabel, run: (call: Call) => Promise<T>): Promise<T>;
  /** Repeats `run` after retryable errors. `run` has to begin by reading, because an earlier write may have landed. */
  attempt<T>(what: string, run: () => Promise<T>): Promise<T>;
}

/**
 * What became of an edit. "unsettled": it was carried out, and somebody else who had read before and writes after may
 * still undo it, because the service cannot compare. The framework then asks for the same edit again after a pause, until
 * the answer is another one (src/core/settle.ts).
 */
export type Change = "changed" | "unchanged" | "unsettled";

/**
 * One owner's part of a change.
 *
 * `add` and `remove` are sets of TXT values (never quoted, never in both lists). Adding a value that is there and
 * removing one that is gone are "unchanged". Other values of the owner, other types and other names stay as they are.
 */
export interface Edit {
  readonly owner: Owner;
  readonly add: readonly string[];
  readonly remove: readonly string[];
  /**
   * With `remove`: how long ago another process began to write these values, where a journal tells. A list that is late
   * may not show them yet.
   */
  readonly writtenMsAgo?: number | undefined;
}

/**
 * The port between the program and a DNS service.
 *
 * The framework calls it with a deadline, one caller at a time per owner (or zone, see `traits.lock`) within this
 * process; other processes may change the same names at any moment, and that must lose nothing.
 * Any method may be repeated after an unclear failure.
 */
export interface TxtBackend {
  /** True for the lifts: `apply` uses `call.conduct` for each of its requests instead of being one request itself. */
  readonly conducted?: true;
  /**
   * Whether this account holds exactly the zone `apex`: one cheap call, no search. `undefined` when it does not;
   * throws when the service could not say (credentials, network), and ZoneNotFoundError with the reason when it holds
   * the zone but does not serve it: a parent may be served, and is asked for next.
   */
  findZone(apex: DomainName, call: Call): Promise<Zone | undefined>;
  /** See RecordApi. */
  visibleZones?(call: Call): Promise<readonly string[]>;
  /**
   * Carries out all edits of one zone, as one atomic write where the service can. Returns one answer per edit, in
   * order. On failure nothing may have been done, or some of it: the framework repeats or undoes.
   */
  apply(zone: Zone, edits: readonly Edit[], call: Call): Promise<readonly Change[]>;
}

/** One TXT record of a service that gives every record an id. */
export interface TxtRecord {
  readonly id: string;
  /** The content without quotes; several strings joined. */
  readonly value: string;
  /** Where all values of a name have to share one TTL: theirs. `create` is then given it as `call.ttlSeconds`. */
  readonly ttlSeconds?: number;
  /** Switched off at the service and not served. To be added, its value is made anew in its place. */
  readonly isOff?: boolean;
}

/** For services that hand out an id per record; `recordBackend` makes a TxtBackend of it. */
export interface RecordApi {
  findZone(apex: DomainName, call: Call): Promise<Zone | undefined>;
  /**
   * Names of zones that these credentials see, as the service writes them: the first page of a list, in one cheap call.
   * For the message when none of them holds a name; what it throws is ignored.
   */
  visibleZones?(call: Call): Promise<readonly string[]>;
  /** All TXT records at exactly this owner, over all pages. Empty when there are none. */
  list(owner: Owner, call: Call): Promise<readonly TxtRecord[]>;
  /** Adds one record. Throws ConflictError when the service says that the same record exists. */
  create(owner: Owner, value: string, call: Call): Promise<void>;
  /**
   * Removes one record. Removing what is gone is success, or ConflictError to have the owner listed once more: where
   * lists are late, because the value may stand there anew in a record that is not listed yet.
   */
  delete(owner: Owner, record: TxtRecord, call: Call): Promise<void>;
}

/** All TXT values of an owner, for services that store them together. */
export interface RRset {
  readonly values: readonly string[];
  readonly ttlSeconds: number;
  /** Whatever the service wants back to prove that nothing changed in between (an ETag, for example). */
  readonly version?: string;
}

export interface RRsetChange {
  readonly owner: Owner;
  /** What was read; `undefined` when there was nothing. */
  readonly previous?: RRset | undefined;
  /** What shall be there; `undefined` to delete the set. */
  readonly next?: RRset | undefined;
}

/** For services where a write replaces all values of a name; `rrsetBackend` makes a TxtBackend of it. */
export interface RRsetApi {
  /**
   * Whether `replace` fails with ConflictError when a `previous` no longer holds (compare-and-swap). Without it a change
   * is "unsettled": looked at again after a pause.
   */
  readonly conditional: boolean;
  findZone(apex: DomainName, call: Call): Promise<Zone | undefined>;
  /** See RecordApi. */
  visibleZones?(call: Call): Promise<readonly string[]>;
  /** The TXT set at exactly this owner. */
  read(owner: Owner, call: Call): Promise<RRset | undefined>;
  /** Parts of `changes` that each fit one request; left out where everything does. An owner stays whole. */
  batchesOf?(changes: readonly RRsetChange[]): readonly (readonly RRsetChange[])[];
  /** Writes all changes, in one batch if the service has one. */
  replace(zone: Zone, changes: readonly RRsetChange[], call: Call): Promise<void>;
}

/** Facts about a service that code in src/ acts on. */
export interface Traits {
  readonly ttlSeconds: {
    readonly min: number;
    readonly default: number;
    /** Established environment names of the TTL, besides `<ID>_TTL`. */
    readonly env?: readonly string[];
  };
  /** Most requests the service takes: `requests` in every `perMs` milliseconds. */
  readonly rate?: { readonly requests: number; readonly perMs: number };
  /** Longest usual time until the service's nameservers agree, and how often asking makes sense. */
  readonly propagation?: { readonly timeoutMs: number; readonly intervalMs: number; readonly settleMs?: number };
  /** What to do when the credentials see no zone at all: the right that is missing; one sentence. */
  readonly noZonesHint?: string;
  /** "zone" where a write replaces the whole zone; default "name". */
  readonly lock?: "name" | "zone";
  /**
   * Its configuration can do to the machine what the user who runs dns01 can (run programs, for example): connected only
   * where the configuration is that user's own, never for one that came from a cluster.
   */
  readonly localOnly?: boolean;
}

/** JSON over fetch for adapters, see src/http.ts. */
export type HttpFactory = (base: string, headers?: Readonly<Record<string, string>>) => HttpApi;

export interface HttpRequest {
  readonly method?: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** "any" where the service's success has no form: text is returned as it is, but a page of HTML is still nobody's answer. */
  readonly answer?: "json" | "any";
  readonly signal: AbortSignal;
}

export interface HttpApi {
  /** The parsed JSON body, or `undefined` for an empty one. Throws HttpError for a status of 300 and above. */
  (path: string, request: HttpRequest): Promise<unknown>;
}

export interface ConnectDeps {
  readonly http: HttpFactory;
  /** Ends when the backend is no longer needed. */
  readonly signal: AbortSignal;
  /** Whether credentials of the machine (instance role, profile file) may be used. */
  readonly allowAmbientCredentials: boolean;
  /** Something the user should know, said once. */
  readonly warn: (text: string) => void;
  /** For the debug log only. */
  readonly debug?: (text: string) => void;
  /** Has a secret masked that was only learnt now (in a file, for example) wherever text leaves the program. */
  readonly mask?: (secret: string) => void;
}

/** Definition of a DNS service: everything dns01 must know to use it. */
export interface Provider<S extends z.ZodObject = z.ZodObject> {
  readonly id: string;
  readonly title: string;
  /** Address of the service's API documentation. */
  readonly docs?: string;
  /** Other ids that lead here. */
  readonly aliases?: readonly string[];
  /** Flat object of scalars; mark secrets with `secret()`, describe every field. */
  readonly config: S;
  readonly traits: Traits;
  /** The file of a plugin, for messages; set by the program when it loads one. */
  readonly plugin?: string;
  /** Turns what the service or its SDK threw into one of our errors; `undefined` to leave it to the framework. */
  classify?(cause: unknown): Dns01Error | undefined;
  connect(config: z.output<S>, deps: ConnectDeps): TxtBackend | Promise<TxtBackend>;
}

/** Checks the definition's shape at compile time; returns it unchanged. */
export function defineProvider<const S extends z.ZodObject>(provider: Provider<S>): Provider<S> {
  return provider;
}
