import type { Clock } from "../core/clock.ts";

/** Whether the loop turns. */
export interface Life {
  turn(): void;
  loaded(): void;
  /** Why the program is not well, for people; undefined when it is. */
  fault(): string | undefined;
}

/** The loop turns once a minute at least. */
const stuckMs = 3 * 60_000;

export function createLife(clock: Pick<Clock, "now">): Life {
  let lastTurn: number | undefined;
  let isLoaded = false;
  return {
    turn() {
      lastTurn = clock.now();
    },
    loaded() {
      isLoaded = true;
    },
    fault() {
      if (!isLoaded || lastTurn === undefined) return "the configuration is being read";
      const seconds = Math.round((clock.now() - lastTurn) / 1000);
      return seconds * 1000 > stuckMs ? `the loop has not turned for ${seconds} s` : undefined;
    },
  };
}
