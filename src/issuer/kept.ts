import type { RenewalAnswer } from "../acme/ari.ts";
import type { Clock } from "../core/clock.ts";
import { Dns01Error } from "../core/errors.ts";
import { thrownText } from "../core/thrown.ts";
import type { Budget } from "./budget.ts";
import type { Failure } from "./failure-kind.ts";
import type { RenewalState, RenewalSubject } from "./renewal.ts";
import type { Spread } from "./schedule-spread.ts";

/** A certificate that shall always be there. */
export interface Kept {
  readonly name: string;
  /** As ordered: A-labels, wildcards with their star. */
  readonly names: readonly string[];
  /** Directory URLs, the preferred one first. */
  readonly cas: readonly string[];
}

/** What is stored of it. */
export interface Held {
  readonly subject: RenewalSubject;
  /** When it was stored here, by our own clock, which need not agree with the CA's. */
  readonly issuedAt?: number | undefined;
  /** The directory URL it came from. */
  readonly ca: string;
  /** Why it is not what is wanted (other names, another key type); undefined when it is. */
  readonly mismatch?: string | undefined;
  /** It was revoked, or is otherwise not to be renewed. */
  readonly isRetired?: boolean | undefined;
  readonly state: RenewalState | undefined;
  /** Stored, but what was to follow (copies, hook) has not succeeded yet; when it is to be tried again. */
  readonly deployAt?: number | undefined;
}

/** The disk and the network, as the door at hand has them. They throw Dns01Error, or the signal's reason. */
export interface UpkeepDeps {
  readonly clock: Clock;
  /** Wall clock. */
  readonly now: () => number;
  readonly signal: AbortSignal;
  readonly budget: Budget;
  readonly spread: Spread;
  /** Orders a second at one CA. */
  readonly ordersPerSecond: number;
  /** The longest time between two looks at one certificate. */
  readonly lookEveryMs?: number | undefined;
  readonly load: (kept: Kept) => Promise<Held | undefined>;
  readonly ask: (kept: Kept, held: Held) => Promise<RenewalAnswer>;
  readonly keepState: (kept: Kept, state: RenewalState) => Promise<void>;
  /** Orders at this CA and stores the certificate; its serial, where one was stored. */
  readonly order: (kept: Kept, directoryUrl: string, held: Held | undefined) => Promise<string | undefined>;
  /** False: there was nothing to do. */
  readonly deploy: (kept: Kept, held: Held) => Promise<boolean>;
  readonly onEvent: (event: UpkeepEvent) => void;
  /** Returns why a certificate could not be stored now. */
  readonly diskFault?: (() => Promise<Dns01Error | undefined>) | undefined;
}

export type UpkeepEvent =
  | {
      readonly type: "held";
      readonly name: string;
      readonly notAfter: number;
      /** The last try to renew it failed, maybe before a restart. */
      readonly isFailing: boolean;
      readonly isRetired: boolean;
    }
  | {
      readonly type: "planned";
      readonly name: string;
      readonly at: number;
      readonly rule: string;
      readonly reason: string;
      readonly notAfter: number;
    }
  | { readonly type: "put-off"; readonly name: string; readonly until: number; readonly reason: string }
  | { readonly type: "ordering"; readonly name: string; readonly ca: string; readonly reason: string }
  | { readonly type: "renewed"; readonly name: string; readonly ca: string; readonly first: boolean }
  | {
      readonly type: "failed";
      readonly name: string;
      readonly ca: string;
      readonly failure: Failure;
      readonly error: Dns01Error;
      readonly retryAt: number;
    }
  /** Nothing is ordered meanwhile. */
  | { readonly type: "unreadable"; readonly name: string; readonly error: Dns01Error; readonly retryAt: number }
  | { readonly type: "deployed"; readonly name: string }
  | { readonly type: "deploy-failed"; readonly name: string; readonly error: Dns01Error; readonly retryAt: number };

/** Whatever was thrown, as the events of an upkeep and the outcomes of `renew` carry it. */
export function asDns01Error(error: unknown): Dns01Error {
  return Dns01Error.is(error) ? error : new Dns01Error("UNKNOWN", thrownText(error), false, { cause: error });
}
