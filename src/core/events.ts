import type { ErrorCode } from "./errors.ts";

/**
 * Everything the engine tells while it works. Doors turn it into progress, log lines and metrics. `certificate` is the
 * certificate that an event is about, where several are in work.
 */
export type Dns01Event = EventDetails & { readonly certificate?: string | undefined };

type EventDetails =
  | {
      readonly type: "phase";
      readonly phase: Phase;
      readonly state: "start" | "done" | "failed";
      readonly detail?: string;
    }
  /** The work on one of several certificates has ended. */
  | { readonly type: "certificate"; readonly state: "done" | "failed" }
  | { readonly type: "warning"; readonly code: string; readonly text: string; readonly server?: string }
  | { readonly type: "zone.found"; readonly provider: string; readonly fqdn: string; readonly zone: string }
  | {
      readonly type: "zone.mismatch";
      readonly provider: string;
      readonly fqdn: string;
      readonly zone: string;
      readonly cut: string;
    }
  | {
      readonly type: "txt.added" | "txt.kept" | "txt.removed" | "txt.absent";
      readonly provider: string;
      readonly zone: string;
      readonly fqdn: string;
      readonly value: string;
    }
  | {
      readonly type: "call";
      readonly provider: string;
      readonly operation: string;
      readonly durationMs: number;
      readonly code: ErrorCode | "OK";
      /** The service's own name for the request, where it failed and the service has told one. */
      readonly requestId?: string;
    }
  | {
      readonly type: "retry";
      readonly what: string;
      readonly attempt: number;
      readonly waitMs: number;
      readonly code: ErrorCode;
      readonly message: string;
    }
  /** A request waited for its turn under the limit of the service. */
  | { readonly type: "rate.wait"; readonly provider: string; readonly waitMs: number }
  | {
      readonly type: "acme.request";
      readonly method: string;
      readonly url: string;
      readonly status: number;
      readonly durationMs: number;
    }
  | {
      readonly type: "propagation.poll";
      readonly owner: string;
      readonly servers: readonly ServerProgress[];
      readonly elapsedMs: number;
    }
  | { readonly type: "propagation.wait"; readonly owner: string; readonly waitMs: number; readonly reason: string }
  /** Something that outlives the process is about to happen or has happened; crash tests stop at each. */
  | {
      readonly type: "step";
      readonly kind: "dns" | "acme" | "journal" | "file";
      readonly state: "before" | "after";
      readonly detail: string;
    }
  | { readonly type: "lock.wait"; readonly name: string; readonly holder: string }
  | {
      readonly type: "log";
      readonly level: "debug" | "info" | "warn" | "error";
      readonly text: string;
      readonly fields?: Readonly<Record<string, unknown>>;
    };

/** The steps of an issuance, in order. */
export type Phase =
  | "lock"
  | "reconcile"
  | "account"
  | "order"
  | "aliases"
  | "present"
  | "propagation"
  | "validation"
  | "finalize"
  | "store"
  | "cleanup"
  | "hook";

/** What is known of one nameserver address for one owner; for live tables. */
export interface ServerProgress {
  readonly name: string;
  readonly address: string;
  readonly zone: string;
  /** A class of propagation.ts ("match", "stale", "silent" …), or "pending" before the first answer. */
  readonly state: string;
  /** Expected values that the server serves. */
  readonly values: readonly string[];
  readonly missing: readonly string[];
  /** Milliseconds from the start of the wait until it agreed. */
  readonly agreedAfterMs?: number;
  readonly rttMs?: number;
}

/**
 * Is told everything. `trace` names the request of a caller that an event belongs to, where that caller gave his request a
 * name: connections are shared, and AsyncLocalStorage would make every promise of the process dearer (Node 20, measured).
 */
export type Observer = (event: Dns01Event, trace?: string) => void;

export const silent: Observer = () => {};
