import { callOf, stopOf } from "./call.ts";
import type { Clock } from "./clock.ts";
import { ConfigError } from "./errors.ts";
import { createLock } from "./lock.ts";
import { parseName } from "./name.ts";
import type { Call, TxtBackend } from "./provider.ts";
import { withTimeLimit } from "./time-limit.ts";

/** Zones that the credentials see, for the message when none of them holds a name. */
export interface VisibleZones {
  /** A few of them, sorted; undefined where the service cannot say. Never throws. */
  some(call: Call): Promise<{ readonly names: readonly string[]; readonly more: boolean } | undefined>;
}

const most = 5;
/** As long as a zone that is missing is taken for missing. */
const keptForMs = 30_000;
/** A list that is refused will be refused again, and a message that changes is a call more of cert-manager. */
const silentForMs = 10 * 60_000;
/** It must not keep the answer waiting. */
const timeoutMs = 10_000;

export function createVisibleZones(backend: Pick<TxtBackend, "visibleZones">, clock: Clock): VisibleZones {
  let names: readonly string[] | undefined;
  let until = Number.NEGATIVE_INFINITY;
  const asking = createLock();

  /** Those who come meanwhile wait, to be told the same. */
  const look = (list: NonNullable<TxtBackend["visibleZones"]>, call: Call): Promise<void> => {
    const { ttlSeconds, trace } = call;
    const stop = stopOf(call);
    return asking.hold(["zones"], stop, async () => {
      if (clock.now() < until) return;
      const late = () => new Error("late");
      // Not the caller's call with another signal: what ends that one would end this, and the time limit would not.
      const asked = (signal: AbortSignal) => list(callOf(signal, { ttlSeconds, trace }));
      try {
        names = sorted(await withTimeLimit(asked, { timeoutMs, late, signal: stop, clock }));
        until = clock.now() + keptForMs;
      } catch {
        // What it said before keeps the message the same. A caller who went away says nothing about the list.
        if (!stop.aborted) until = clock.now() + silentForMs;
      }
    });
  };

  return {
    async some(call) {
      if (backend.visibleZones === undefined) return undefined;
      await look(backend.visibleZones, call).catch(() => {});
      return names && { names: names.slice(0, most), more: names.length > most };
    },
  };
}

function sorted(given: readonly string[]): readonly string[] {
  return [...new Set(given.flatMap(inALabels))].sort();
}

function inALabels(name: string): readonly string[] {
  try {
    return [parseName(name, "zone")];
  } catch (error) {
    if (error instanceof ConfigError) return [];
    throw error;
  }
}
