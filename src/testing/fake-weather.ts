import type { DomainName } from "../core/name.ts";
import type { InjectedFault, ServiceFault } from "./subject.ts";

/** What a request meets; `throttle` with the seconds to wait, where the service tells them. */
export interface FakeFault {
  readonly kind: ServiceFault | "hang" | "notFoundPage";
  readonly seconds?: number;
}

/** The bad days of a fake. */
export interface FakeWeather {
  refused: boolean;
  hanging: boolean;
  loseNext: boolean;
  /** The zone that the credentials are for; all zones while it is undefined. */
  only: DomainName | undefined;
  /** The `nth` request from now on meets this fault, which is told which one that is. */
  inject(fault: FakeFault, nth: number): InjectedFault;
  /** The fault that this request meets. */
  next(): FakeFault | undefined;
}

export function createWeather(): FakeWeather {
  let injected: { readonly fault: FakeFault; left: number; met: boolean }[] = [];
  return {
    refused: false,
    hanging: false,
    loseNext: false,
    only: undefined,
    inject(fault, nth) {
      const entry = { fault, left: nth, met: false };
      injected.push(entry);
      return {
        met: () => entry.met,
        cancel: () => {
          injected = injected.filter((e) => e !== entry);
        },
      };
    },
    next() {
      for (const entry of injected) entry.left--;
      const due = injected.find(({ left }) => left <= 0);
      if (due === undefined) return undefined;
      due.met = true;
      injected = injected.filter((entry) => entry !== due);
      return due.fault;
    },
  };
}
