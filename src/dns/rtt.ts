/** How long a server's answers over UDP take, and how much that varies (RFC 6298 §2). */
export interface Rtt {
  readonly smoothedMs: number;
  readonly deviationMs: number;
}

/** A timer that is no finer than this takes a turn of a busy event loop for a lost datagram. */
const granularityMs = 20;

export function withSample(before: Rtt | undefined, ms: number): Rtt {
  if (before === undefined) return { smoothedMs: ms, deviationMs: ms / 2 };
  return {
    smoothedMs: 0.875 * before.smoothedMs + 0.125 * ms,
    deviationMs: 0.75 * before.deviationMs + 0.25 * Math.abs(before.smoothedMs - ms),
  };
}

/** Without an answer after this long, the datagram or its answer is lost. */
export function overdueAfterMs(rtt: Rtt): number {
  return rtt.smoothedMs + Math.max(granularityMs, 4 * rtt.deviationMs);
}
