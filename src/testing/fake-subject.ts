import { type Clock, systemClock } from "../core/clock.ts";
import type { Provider } from "../core/provider.ts";
import type { Subject } from "./subject.ts";

/** What a fake's module exports. */
export interface Fake extends Pick<Subject, "start" | "skip" | "writers"> {}

/** A fake answers at once: pauses and time limits pass a hundred times as fast, so that the suite takes seconds. */
const speed = 100;

const fastClock: Clock = {
  now: () => systemClock.now() * speed,
  sleep: (ms, signal) => systemClock.sleep(ms / speed, signal),
  random: () => systemClock.random(),
};

/**
 * A provider with its fake as the suite takes it.
 *
 * @example testProvider(test, withFake(provider, { start, skip }));
 */
export function withFake(provider: Provider, { start, skip = {}, writers }: Fake): Subject {
  return {
    provider,
    start,
    skip,
    ...(writers === undefined ? {} : { writers }),
    clock: fastClock,
    timeoutMs: 600_000,
    requestTimeoutMs: 300_000,
  };
}
