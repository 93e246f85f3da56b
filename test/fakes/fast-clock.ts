import { type Clock, systemClock } from "../../src/core/clock.ts";

/** The system's time, `speed` times as fast: the program's own pauses and time limits beside real sockets. */
export function createFastClock(speed: number, random: () => number = Math.random): Clock {
  return {
    now: () => systemClock.now() * speed,
    sleep: (ms, signal) => systemClock.sleep(ms / speed, signal),
    random,
  };
}
