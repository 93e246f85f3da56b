import type { Clock } from "../core/clock.ts";
import type { DomainName } from "../core/name.ts";
import type { Change, Provider, TxtBackend, Zone } from "../core/provider.ts";

/** The provider under test and a service for it to talk to: a fake of its protocol, or a zone made for tests. */
export interface Subject {
  readonly provider: Pick<Provider, "id" | "traits" | "classify">;
  /** A fresh service that holds exactly these zones, all empty. Called once for each case. */
  start(zones: readonly DomainName[]): Promise<Service>;
  /** Instances that may write at the same time. 1 where the API replaces sets without compare-and-swap. Default 3. */
  readonly writers?: number;
  /** Cases that cannot hold here, by id, each with the reason; it is printed. */
  readonly skip?: Readonly<Record<string, string>>;
  /** Time for retries and pauses; default the system's. */
  readonly clock?: Clock;
  /** Longest time for one operation with all its repetitions, by `clock`. Default 60,000. */
  readonly timeoutMs?: number;
  /** Longest time for one request, by `clock`. Default 5,000. */
  readonly requestTimeoutMs?: number;
}

export interface Service {
  /** One more connection, sharing nothing with the earlier ones: another replica, or the program after a restart. */
  connect(signal: AbortSignal): Promise<TxtBackend>;
  /** The TXT values that this zone of the service serves at a name, without quotes; a value stored twice twice. */
  values(apex: DomainName, fqdn: DomainName): Promise<readonly string[]>;
  /** Puts TXT values there behind the provider's back, as another program would. */
  put(apex: DomainName, fqdn: DomainName, values: readonly string[], ttlSeconds: number): Promise<void>;
  stop(): Promise<void>;

  // What follows is optional: a case that needs what is missing is skipped, and the reason is printed.

  /** Puts a record of another type at the name; the function it answers with tells whether it still stands there. */
  putOtherType?(apex: DomainName, fqdn: DomainName): Promise<() => Promise<boolean>>;
  /** TTL of the TXT values at a name. */
  ttlSeconds?(apex: DomainName, fqdn: DomainName): Promise<number | undefined>;
  /** The next write is carried out, but its answer never arrives. */
  loseNextAnswer?(): void;
  /** From now on the credentials are not accepted. */
  refuseCredentials?(): void;
  /** From now on nobody answers. */
  disappear?(): Promise<void>;
  /** From now on requests are taken and never answered. */
  hang?(): void;
  /** The `nth` request from now on, counted from 1, meets this fault. */
  inject?(fault: ServiceFault, nth: number): InjectedFault;
  /** The secrets of the connections' configuration. */
  readonly secrets?: readonly string[];
  /** Whether `put` and `values` take any text: over 255 octets, quotes, backslashes, characters outside of ASCII. */
  takesAnyText?(): boolean;
  /** From now on the credentials are for this zone only; the service refuses the others, or does not show them. */
  limitTo?(apex: DomainName): void;
  /** The `nth` request from now on is received and never answered. */
  hangAt?(nth: number): HungRequest;
  /** The service refuses the `nth` request from now on as one too many, and says how many seconds to wait. */
  throttleFor?(seconds: number, nth: number): InjectedFault;
  /** A proxy answers the `nth` request from now on with status 404 and a page of HTML; nothing is done. */
  notFoundPage?(nth: number): InjectedFault;
}

/**
 * `throttle`: the service asks for fewer requests, in its own form. `unavailable`: a status of 500 or the like, nothing
 * done. `reset`: the connection ends before the request is handled. `page`: a proxy's page of HTML, nothing done.
 * `lost`: carried out, and the connection ends before the answer.
 */
export type ServiceFault = "throttle" | "unavailable" | "reset" | "page" | "lost";

export interface InjectedFault {
  /** Whether a request has met it. */
  met(): boolean;
  /** Takes it back if none has. */
  cancel(): void;
}

export interface HungRequest extends InjectedFault {
  /** Whether the client still holds the connection of the request open. */
  isOpen(): boolean;
}

/** Thrown by a case that finds out on its way that this service cannot be tried for its rule; the message says why. */
export class Untried extends Error {}

/** One rule. `id` is "subject.rule"; `title` says what must hold. */
export interface Case {
  readonly id: string;
  readonly title: string;
  readonly zones?: readonly string[];
  /** What the service has to offer for the case to make sense. */
  readonly needs?: readonly (keyof Service)[];
  /** A rule that this one builds on: where `skip` leaves it out, this one is left out too. */
  readonly buildsOn?: string;
  /** Its course depends on the seed. */
  readonly random?: true;
  run(stage: Stage): Promise<void>;
}

/** What a case works with. */
export interface Stage {
  readonly service: Service;
  readonly subject: Subject;
  readonly seed: number;
  /** How many operations the random cases make. */
  readonly operations: number;
  readonly signal: AbortSignal;
  /** A connection as the program uses it: guarded. `once` does not repeat after a failure. */
  connect(options?: { readonly once?: boolean }): Promise<Connection>;
  /** The events of all connections so far, one JSON text each. */
  told(): readonly string[];
}

/** A guarded backend with the steps that cases repeat. `name` and `apex` are plain text. */
export interface Connection {
  readonly backend: TxtBackend;
  zone(apex: string): Promise<Zone | undefined>;
  /** Answers whether something changed. */
  add(apex: string, name: string, ...values: readonly string[]): Promise<boolean>;
  remove(apex: string, name: string, ...values: readonly string[]): Promise<boolean>;
  /** As `add`, with the answer as it was given. */
  ask(apex: string, name: string, ...values: readonly string[]): Promise<Change>;
}
