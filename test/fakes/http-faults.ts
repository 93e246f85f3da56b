import type { FakeOperation, FakeReply, FakeRequest } from "./http-service.ts";

/**
 * `throttle` and `throttleRetryAfter`: the service's own way to ask for fewer requests. `error500`: refused before it
 * was handled. `reset`: the connection ends before it was handled. `hang`: taken and never answered. `html200` and
 * `html502`: a proxy's page. `lostResponse`: carried out, but the connection ends before the answer.
 */
export const faultKinds = [
  "throttle",
  "throttleRetryAfter",
  "error500",
  "reset",
  "hang",
  "html200",
  "html502",
  "lostResponse",
] as const;

/** `reply`: whatever the test wants to be answered. */
export type FaultKind = (typeof faultKinds)[number] | "reply";

export interface Fault {
  readonly kind: FaultKind;
  /** Only calls for which this is true are counted. Default: all. */
  readonly when?: (operation: FakeOperation, request: FakeRequest) => boolean;
  /** Which of these calls, counted from the injection on, is the first to fail; 1-based. Default 1. */
  readonly nth?: number;
  /** How many of them in a row. Default 1. */
  readonly times?: number;
  /** Of `throttleRetryAfter`. Default 1. */
  readonly retryAfterSeconds?: number;
  /** Of `reply`; the request is not handled. */
  readonly reply?: (request: FakeRequest) => FakeReply;
}

export interface Injected {
  /** Whether a call has met it. */
  met(): boolean;
  /** Takes it back. */
  cancel(): void;
}

interface Faults {
  inject(fault: Fault): Injected;
  calm(): void;
  /** The fault that this call meets; the earliest injected wins. */
  next(operation: FakeOperation, request: FakeRequest): Fault | undefined;
}

export function createFaults(): Faults {
  let waiting: { readonly fault: Fault; seen: number; met: boolean }[] = [];
  return {
    inject(fault) {
      const entry = { fault, seen: 0, met: false };
      waiting.push(entry);
      return {
        met: () => entry.met,
        cancel: () => {
          waiting = waiting.filter((other) => other !== entry);
        },
      };
    },
    calm() {
      waiting = [];
    },
    next(operation, request) {
      let met: Fault | undefined;
      for (const entry of waiting) {
        const { when = () => true, nth = 1, times = 1 } = entry.fault;
        if (!when(operation, request)) continue;
        entry.seen++;
        if (met !== undefined || entry.seen < nth || entry.seen >= nth + times) continue;
        met = entry.fault;
        entry.met = true;
      }
      waiting = waiting.filter(({ fault: { nth = 1, times = 1 }, seen }) => seen < nth + times - 1);
      return met;
    },
  };
}
