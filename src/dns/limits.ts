import { abortReason, type Clock, systemClock } from "../core/clock.ts";
import type { Endpoint } from "./exchange.ts";

/** Politeness towards nameservers; one object may serve all waits of a process (propagation.md §5.9). */
export interface Limits {
  /** Resolves when the question may be sent, in order of call; rejects with the signal's reason. */
  admit(to: Endpoint, owner: string, signal: AbortSignal): Promise<void>;
  /** Packets a question took beyond its first. */
  charge(to: Endpoint, owner: string, packets: number): void;
}

/** 50 packets a second to an address with a burst of 100, and five in any second about one owner. */
const intervalMs = 20;
const burst = 100;
const perOwner = 5;
const ownerWindowMs = 1_000;
/** Idle entries are dropped when there are this many. */
const mostEntries = 4_096;

export function createLimits(clock: Clock = systemClock): Limits {
  /** When the bucket of an address is full again (generic cell rate algorithm). */
  const fullAt = new Map<string, number>();
  /** When the last five packets per owner and address left. */
  const starts = new Map<string, number[]>();

  function tidy(now: number): void {
    if (fullAt.size + starts.size < mostEntries) return;
    for (const [key, at] of fullAt) if (at < now) fullAt.delete(key);
    for (const [key, times] of starts) if ((times.at(-1) ?? 0) + ownerWindowMs < now) starts.delete(key);
  }

  return {
    async admit(to, owner, signal) {
      if (signal.aborted) throw abortReason(signal);
      const now = clock.now();
      tidy(now);
      const address = keyOf(to);
      const full = fullAt.get(address) ?? now;
      const key = `${address}/${owner}`;
      const recent = starts.get(key) ?? [];
      const oldest = recent.length < perOwner ? undefined : recent.shift();
      const at = Math.max(now, full - (burst - 1) * intervalMs, oldest === undefined ? now : oldest + ownerWindowMs);
      fullAt.set(address, Math.max(full, now) + intervalMs);
      recent.push(at);
      starts.set(key, recent);
      if (at > now) await clock.sleep(at - now, signal);
    },
    charge(to, owner, packets) {
      if (packets <= 0) return;
      const now = clock.now();
      const address = keyOf(to);
      fullAt.set(address, Math.max(fullAt.get(address) ?? 0, now) + packets * intervalMs);
      const key = `${address}/${owner}`;
      const times = [...(starts.get(key) ?? []), ...new Array<number>(Math.min(packets, perOwner)).fill(now)];
      starts.set(key, times.sort((a, b) => a - b).slice(-perOwner));
    },
  };
}

function keyOf(to: Endpoint): string {
  return `${to.address}#${to.port}`;
}
