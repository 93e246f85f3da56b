import { abortReason, type Clock } from "../core/clock.ts";

/** Servers forget nonces; an old one costs a round trip for nothing. */
const maxAgeMs = 5 * 60_000;
/** How many may be in use at once: newNonce is limited harder than anything else (20 a second at Let's Encrypt). */
const maxInUse = 8;

export interface NoncePool {
  /** A nonce nobody else has. Whoever takes one must `settle` when its request is over. */
  take(fetch: () => Promise<string>, signal: AbortSignal): Promise<string>;
  /** The request is over; `nonce` is what its response brought (RFC 8555 §6.5). */
  settle(nonce: string | undefined): void;
}

/**
 * Nonces that responses brought, newest first. When none is left, waiting for a request under way takes as long as
 * asking newNonce and costs nothing; newNonce is asked only for callers that no request under way will serve.
 */
export function createNoncePool(clock: Clock): NoncePool {
  const kept: { readonly nonce: string; readonly at: number }[] = [];
  const waiting: (() => void)[] = [];
  let requests = 0;
  let fetches = 0;

  const newest = () => {
    const last = kept.pop();
    if (last === undefined) return undefined;
    if (clock.now() - last.at <= maxAgeMs) return last.nonce;
    kept.length = 0;
    return undefined;
  };
  const wakeOne = () => waiting.shift()?.();

  return {
    async take(fetch, signal) {
      for (;;) {
        if (signal.aborted) throw abortReason(signal);
        const nonce = newest();
        if (nonce !== undefined) {
          requests += 1;
          return nonce;
        }
        if (requests + fetches < maxInUse && requests <= waiting.length) {
          fetches += 1;
          try {
            const fetched = await fetch();
            requests += 1;
            return fetched;
          } finally {
            fetches -= 1;
            wakeOne();
          }
        }
        await woken(waiting, signal);
      }
    },
    settle(nonce) {
      requests -= 1;
      if (nonce !== undefined) kept.push({ nonce, at: clock.now() });
      // Without a nonce too: whoever waited for this request has to decide again.
      wakeOne();
    },
  };
}

function woken(waiting: (() => void)[], signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onWake = () => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    };
    const onAbort = () => {
      const at = waiting.indexOf(onWake);
      if (at >= 0) waiting.splice(at, 1);
      reject(abortReason(signal));
    };
    waiting.push(onWake);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}
