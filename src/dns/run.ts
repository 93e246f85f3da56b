import type { Clock } from "../core/clock.ts";
import type { Observer } from "../core/events.ts";
import type { DomainName } from "../core/name.ts";
import type { BlindZones } from "./blind-zones.ts";
import { type Answer, type Ask, type Endpoint, type Exchange, ExchangeError } from "./exchange.ts";
import type { Limits } from "./limits.ts";
import type { Terms } from "./schedule.ts";
import type { Discovery, Warning } from "./types.ts";

/** One call of waitForTxt: what its parts share. */
export interface Run {
  readonly clock: Clock;
  readonly exchange: Exchange;
  readonly discovery: Discovery;
  readonly observer: Observer;
  readonly limits: Limits;
  readonly blindZones: BlindZones | undefined;
  /** Fires at the deadline, on abort, and when the result is certain. */
  readonly signal: AbortSignal;
  readonly terms: Terms;
  readonly deadlineMs: number;
  readonly spent: { udp: number; tcp: number; doh: number };
  /** By code, server and text. */
  readonly warnings: Map<string, Warning>;
  /** Zones whose delegation was looked up again, and when. */
  readonly forgotten: Map<DomainName, number>;
}

/** One question within the limits, counted. Throws ExchangeError or the signal's reason. */
export async function question(
  run: Run,
  ask: Omit<Ask, "signal">,
  to: Endpoint,
  owner: DomainName,
  options: { readonly onSend?: () => void; readonly exchange?: Exchange } = {},
): Promise<Answer> {
  await run.limits.admit(to, owner, run.signal);
  options.onSend?.();
  try {
    const answer = await (options.exchange ?? run.exchange)({ ...ask, signal: run.signal }, to);
    count(run, answer.queries, to, owner);
    return answer;
  } catch (error) {
    if (run.signal.aborted) throw error;
    if (error instanceof ExchangeError) {
      count(run, error.queries, to, owner);
      throw error;
    }
    throw new ExchangeError("broken", error instanceof Error ? error.message : String(error), noQueries, error);
  }
}

const noQueries = { udp: 0, tcp: 0, doh: 0 };

export function warn(run: Run, warning: Warning): void {
  run.warnings.set(`${warning.code} ${warning.server ?? ""} ${warning.text}`, warning);
}

export function elapsedMs(run: Run): number {
  return run.clock.now() - run.terms.startedAt;
}

function count(run: Run, queries: Answer["queries"], to: Endpoint, owner: DomainName): void {
  run.spent.udp += queries.udp;
  run.spent.tcp += queries.tcp;
  run.spent.doh += queries.doh;
  run.limits.charge(to, owner, queries.udp + queries.tcp + queries.doh - 1);
}
