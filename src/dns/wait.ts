import { type Clock, systemClock } from "../core/clock.ts";
import { type Observer, silent } from "../core/events.ts";
import type { DomainName } from "../core/name.ts";
import type { BlindZones } from "./blind-zones.ts";
import type { Exchange } from "./exchange.ts";
import type { PropagationHint } from "./hint.ts";
import { createLimits, type Limits } from "./limits.ts";
import { budgetOf, slowdown } from "./polling.ts";
import type { Quorum } from "./quorum.ts";
import type { Resolver, View } from "./recursive.ts";
import { type Run, warn } from "./run.ts";
import { newOwnerState, type OwnerState } from "./schedule.ts";
import type { Delegation, Discovery, WaitItem } from "./types.ts";

export type PropagationMode = "authoritative" | "recursive" | "both" | "none";

export interface WaitRequest {
  /** Items of one owner are taken together. */
  readonly items: readonly WaitItem[];
  readonly discovery: Discovery;
  readonly exchange: Exchange;
  readonly mode: PropagationMode;
  /** Asked in the modes "recursive" and "both", and instead of nameservers that cannot be reached (`whenBlind`). */
  readonly resolvers?: readonly Resolver[] | undefined;
  /** Needed for resolvers given as URL. */
  readonly dohExchange?: ((url: URL) => Exchange) | undefined;
  /** Default "reachable" (propagation.md §5.6). */
  readonly quorum?: Quorum | undefined;
  /** Sweeps without a disagreement; by default one, or more where one address is several machines (§5.5). */
  readonly confirmations?: number | undefined;
  /** Spent after the last confirmation; in mode "none" the whole wait. Default 0. */
  readonly settleMs?: number | undefined;
  /** From the call, discovery included. */
  readonly deadlineMs: number;
  readonly hint?: PropagationHint | undefined;
  readonly signal: AbortSignal;
  readonly clock?: Clock | undefined;
  readonly observer?: Observer | undefined;
  /** What the provider usually takes: no cache is asked sooner when nameservers are not (§3). */
  readonly expectedDelayMs?: number | undefined;
  /** When no nameserver can be reached: ask the resolvers instead (default, where there are some), or fail. */
  readonly whenBlind?: "resolvers" | "fail" | undefined;
  /** Shared by the waits of a process, so that together they stay polite. */
  readonly limits?: Limits | undefined;
  /** Shared by the waits of a process, so that only the first one waits for nameservers that cannot be reached. */
  readonly blindZones?: BlindZones | undefined;
}

/** A request being carried out. */
export interface Wait {
  readonly request: WaitRequest;
  readonly run: Run;
  readonly owners: readonly { readonly state: OwnerState; readonly delegation: Delegation | undefined }[];
  views: readonly View[];
  /** Everything that was to be seen has been seen. */
  confirmed: boolean;
}

export function ownersOf(items: readonly WaitItem[]): Wait["owners"] {
  const byOwner = new Map<DomainName, { values: string[]; delegation: Delegation | undefined }>();
  for (const item of items) {
    const known = byOwner.get(item.owner);
    if (known === undefined)
      byOwner.set(item.owner, { values: [...new Set(item.values)], delegation: item.delegation });
    else {
      known.values = [...new Set([...known.values, ...item.values])];
      known.delegation ??= item.delegation;
    }
  }
  return [...byOwner].map(([owner, { values, delegation }], i) => ({
    state: newOwnerState(owner, values, i),
    delegation,
  }));
}

export function newRun(request: WaitRequest, owners: Wait["owners"], signal: AbortSignal): Run {
  const clock = request.clock ?? systemClock;
  const startedAt = clock.now();
  const spent = { udp: 0, tcp: 0, doh: 0 };
  const run: Run = {
    clock,
    exchange: request.exchange,
    discovery: request.discovery,
    observer: request.observer ?? silent,
    limits: request.limits ?? createLimits(clock),
    blindZones: request.blindZones,
    signal,
    deadlineMs: request.deadlineMs,
    spent,
    warnings: new Map(),
    forgotten: new Map(),
    terms: {
      quorum: request.quorum ?? "reachable",
      confirmations: request.confirmations,
      hint: request.hint,
      startedAt,
      deadlineAt: startedAt + request.deadlineMs,
      random: () => clock.random(),
      slowdown: () => {
        const used = spent.udp + spent.tcp + spent.doh;
        const budget = budgetOf(owners.reduce((n, o) => n + o.state.targets.length, 0));
        if (used >= budget) {
          warn(run, {
            code: "W_BUDGET",
            text: `more than ${budget} questions were needed; the servers are asked less often`,
          });
        }
        return slowdown(used, budget);
      },
    },
  };
  return run;
}
