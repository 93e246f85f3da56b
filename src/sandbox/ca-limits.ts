import { AcmeProblem } from "./ca-problem.ts";
import { type CaAccount, type CaState, waitHeader } from "./ca-state.ts";

/** When something happened, by what is counted together. */
export interface Counts {
  /** Notes one more of this kind. */
  add(key: string): void;
  /** Milliseconds until another one is allowed; 0 at once. */
  waitMs(key: string, limit: { readonly count: number; readonly perMs: number }): number;
}

export function makeCounts(now: () => Date): Counts {
  const times = new Map<string, readonly number[]>();
  return {
    add: (key) => void times.set(key, [...(times.get(key) ?? []), now().getTime()]),
    waitMs(key, { count, perMs }) {
      const recent = (times.get(key) ?? []).filter((at) => now().getTime() - at < perMs);
      times.set(key, recent);
      if (count === 0) return perMs;
      const oldest = recent[recent.length - count];
      return oldest === undefined ? 0 : oldest + perMs - now().getTime();
    },
  };
}

/** Throws rateLimited when the account has ordered, or failed for one of these names, too often. */
export function checkLimits(state: CaState, account: CaAccount, names: readonly string[]): void {
  const { orderLimit, failureLimit } = state.behaviour;
  if (orderLimit !== undefined) {
    refuse(state, state.counts.waitMs(`order ${account.id}`, orderLimit), `too many new orders (${orderLimit.count})`);
  }
  if (failureLimit === undefined) return;
  for (const name of names) {
    const waitMs = state.counts.waitMs(failureKey(account, name), failureLimit);
    refuse(state, waitMs, `too many failed authorizations (${failureLimit.count}) for "${name}"`);
  }
}

export function failureKey(account: CaAccount, name: string): string {
  return `failure ${account.id} ${name}`;
}

function refuse(state: CaState, waitMs: number, what: string): void {
  if (waitMs <= 0) return;
  const until = new Date(state.now().getTime() + waitMs).toISOString();
  throw new AcmeProblem("rateLimited", 429, `${what} recently, retry after ${until}`, {
    headers: { ...waitHeader(state, Math.ceil(waitMs / 1_000)), link: '<https://sandbox.test/limits>;rel="help"' },
  });
}
