import type { DomainName } from "../../../src/core/name.ts";
import type { Provider } from "../../../src/core/provider.ts";
import type { HttpService } from "../../fakes/http-service.ts";

/** A fake of the service: what the adapter talks to, and what the trial looks at behind its back. */
export interface AdapterFake {
  /** The server; its log counts the calls, its faults are injected. */
  readonly http: HttpService;
  /** What a user would give to reach it: credentials and endpoint, by field name. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The TXT values that this zone serves at a name, unquoted, one entry per stored record. */
  values(apex: DomainName, fqdn: DomainName): readonly string[];
  /** Puts foreign TXT values there as another client of the service would. */
  put(apex: DomainName, fqdn: DomainName, values: readonly string[], ttlSeconds: number): void;
  /** Puts a record of another type there; the function answers whether it still stands. */
  putOtherType?(apex: DomainName, fqdn: DomainName): () => boolean;
  ttlSeconds?(apex: DomainName, fqdn: DomainName): number | undefined;
  /** From now on the credentials are refused in the service's own form. */
  refuseCredentials?(): void;
  /** From now on the credentials see one zone only; the others are refused or invisible, as the service does it. */
  limitTo?(apex: DomainName): void;
  /** The request ids it handed out, where the service has such. */
  requestIds?(): readonly string[];
  /** Default: closes `http`. */
  stop?(): Promise<void>;
}

/** "reads+writes"; a request that asks how an asynchronous change is getting on counts as neither. */
export type Calls = `${number}+${number}`;

/** The calls of each operation at one name, and at 20 names of one zone; foreign values stand at the name. */
export interface Economy {
  /** The first present at a name three labels below its zone, which has to be found. */
  readonly first: Calls;
  /** The next present, of another value. */
  readonly warm: Calls;
  /** Present of a value that is there. */
  readonly again: Calls;
  readonly cleanUp: Calls;
  /** Clean-up of a value that is gone. */
  readonly gone: Calls;
  /** Both values of apex and wildcard. */
  readonly pair: Calls;
  readonly pairOut: Calls;
  /** One value at each of 20 names. */
  readonly names: Calls;
  readonly namesOut: Calls;
}

export interface AdapterTrial {
  readonly provider: Provider;
  readonly shape: "record" | "rrset" | "direct";
  /** A fresh fake that holds exactly these zones, all empty. */
  start(zones: readonly DomainName[]): Promise<AdapterFake>;
  /**
   * Set for RRset services without compare-and-swap: why. One instance writes at a time then, and the provider's page
   * has to say so.
   */
  readonly unconditional?: string;
  /** The calls it takes, exactly. */
  readonly economy: Economy;
  /** Configurations (merged over the fake's) that give both of two exclusive ways; each fault has to name these fields. */
  readonly exclusive?: readonly {
    readonly config: Readonly<Record<string, unknown>>;
    readonly names: readonly string[];
  }[];
  /** Foreign values that stand at the owner. Default two; [] where the service keeps nothing but challenges. */
  readonly foreign?: readonly string[];
  /**
   * Cases of the suite and checks of the trial that cannot hold here, by id, each with the reason. It is printed.
   */
  readonly skip?: Readonly<Record<string, string>>;
}

/** One thing that must hold for every adapter. */
export interface Check {
  readonly id: string;
  readonly title: string;
  /** What the fake has to offer; a check that lacks it fails unless it is skipped with a reason. */
  readonly needs?: readonly (keyof AdapterFake)[];
  run(lab: Lab): Promise<void>;
}

/** What a check works with; everything begun through it is ended after the check. */
export interface Lab {
  readonly trial: AdapterTrial;
  readonly seed: number;
  /** Random rounds. */
  readonly rounds: number;
  readonly foreign: readonly string[];
  /** A fresh fake; default zone example.com. */
  start(...zones: readonly string[]): Promise<AdapterFake>;
  connect(fake: AdapterFake, options?: InstanceOptions): Promise<Instance>;
}

export interface InstanceOptions {
  /** How much faster the program's clock runs. Default 100. */
  readonly speed?: number;
  /** In the program's time. Default 600,000. */
  readonly timeoutMs?: number;
  /** In the program's time. Default 300,000: three seconds at the default speed. */
  readonly requestTimeoutMs?: number;
  /** Do not repeat after a failure. */
  readonly once?: boolean;
  /** Instead of the fake's. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** One running program: own configuration, connection, locks and caches. */
export interface Instance {
  present(owner: string, ...values: readonly string[]): Promise<void>;
  cleanUp(owner: string, ...values: readonly string[]): Promise<void>;
  /** All names in one call, each with one value; DNS has told that `apex` holds them. */
  presentAll(apex: string, owners: readonly string[], value: string): Promise<void>;
  cleanUpAll(apex: string, owners: readonly string[], value: string): Promise<void>;
  /** Everything it told so far, as JSON lines. */
  told(): string;
}
