import type { Clock } from "../../core/clock.ts";
import type { Dns01Error } from "../../core/errors.ts";

/** Keeps refused credentials from being tried again and again: services answer that by locking the account. */
export interface Breaker {
  /** What the service said last, while it is not asked again; `undefined` when it may be asked. */
  check(key: string): Dns01Error | undefined;
  refused(key: string, error: Dns01Error): "open" | undefined;
  accepted(key: string): "closed" | undefined;
}

interface State {
  refusals: number;
  error: Dns01Error;
  until: number;
}

/** A new permission takes a while to be known everywhere: a few tries are worth it. */
const threshold = 3;
const openForMs = 5 * 60_000;
const maxKeys = 5_000;

/** Keys name credentials, with the versions of their Secrets: a changed Secret is tried at once. */
export function createBreaker(clock: Clock): Breaker {
  const states = new Map<string, State>();
  return {
    check(key) {
      const state = states.get(key);
      if (state === undefined || state.refusals < threshold) return undefined;
      if (clock.now() < state.until) return state.error;
      // One call finds out; the others go on waiting.
      state.until = clock.now() + openForMs;
      return undefined;
    },
    refused(key, error) {
      const refusals = (states.get(key)?.refusals ?? 0) + 1;
      states.delete(key);
      states.set(key, { refusals, error, until: clock.now() + openForMs });
      for (const oldest of states.keys()) {
        if (states.size <= maxKeys) break;
        states.delete(oldest);
      }
      return refusals === threshold ? "open" : undefined;
    },
    accepted(key) {
      const state = states.get(key);
      states.delete(key);
      return state !== undefined && state.refusals >= threshold ? "closed" : undefined;
    },
  };
}
