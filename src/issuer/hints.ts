import { emptyHint, observedMs, parseHint, withObservation } from "../dns/hint.ts";
import type { Verdict } from "../dns/types.ts";
import type { HintStore } from "./request.ts";

/** Where the history is kept; src/store keeps it in files. */
export interface KeptHints {
  load(provider: string, zone: string): Promise<unknown>;
  save(provider: string, zone: string, value: unknown): Promise<void>;
}

/** Propagation history over whatever keeps it. It is a convenience: a full disk must not fail an issuance here. */
export function createHintStore(kept: KeptHints): HintStore {
  return {
    load: async (provider, zone) => parseHint(await kept.load(provider, zone)),
    async record(provider: string, zone: string, verdict: Verdict) {
      const ms = observedMs(verdict);
      if (ms === undefined) return;
      try {
        const before = parseHint(await kept.load(provider, zone)) ?? emptyHint;
        await kept.save(provider, zone, withObservation(before, ms));
      } catch {
        // Learned again next time.
      }
    },
  };
}
