import type { Observer, Phase } from "../core/events.ts";

export interface OpenPhases {
  /** Passes every event on. */
  readonly observer: Observer;
  /** Reports the steps that have begun and not ended as failed, except the clean-up: it goes on after a failure. */
  fail(): void;
}

/** Follows the steps of one issuance. */
export function followPhases(observer: Observer): OpenPhases {
  const open = new Set<Phase>();
  return {
    observer(event) {
      if (event.type === "phase" && event.state === "start") open.add(event.phase);
      else if (event.type === "phase") open.delete(event.phase);
      observer(event);
    },
    fail() {
      for (const phase of open) {
        if (phase === "cleanup") continue;
        open.delete(phase);
        observer({ type: "phase", phase, state: "failed" });
      }
    },
  };
}
