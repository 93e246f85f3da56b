import { type DomainName, isWithin, labelsOf, selfAndParents } from "../core/name.ts";
import { AskError, DiscoveryError } from "./discovery-error.ts";
import { CycleError, type Task } from "./discovery-tasks.ts";
import type { Nameserver } from "./types.ts";
import type { HostAddress, Outcome } from "./walk-outcome.ts";

/** A zone whose servers can be asked. */
export interface ZoneNode {
  readonly zone: DomainName;
  /** Its nameservers by the parent, or by the resolver; by itself where the parent's view is hidden (`origin` "apex"). */
  readonly names: readonly DomainName[];
  readonly glue: readonly HostAddress[];
  /** Addresses to ask; not all there are. */
  readonly servers: readonly Nameserver[];
  readonly ttlSeconds: number;
  readonly origin: "hints" | "referral" | "apex" | "resolver" | "fixed";
}

/** An answer that counts, and who gave it. */
export interface Heard {
  readonly outcome: Exclude<Outcome, { kind: "failed" }>;
  /** The server that answered. */
  readonly server: Nameserver | undefined;
}

/** How long a delegation may be used: its TTL, at least 30 s (one issuance sees one delegation), at most 5 min. */
export function keepMs(ttlSeconds: number): number {
  return Math.min(300, Math.max(30, ttlSeconds)) * 1000;
}

/** What is asked on the way down: the ancestors of the identifier, then the whole name. */
export function stepsTo(name: DomainName): readonly DomainName[] {
  const depth = labelsOf(name).length;
  return selfAndParents(name)
    .filter((n) => n === name || labelsOf(n).length <= depth - 2)
    .toReversed();
}

export function isBelow(name: DomainName, zone: DomainName): boolean {
  return name !== zone && isWithin(name, zone);
}

/** Whether what a server says about a random name below `zone` fits a zone of that name. */
export function vouches(outcome: Outcome, zone: DomainName): boolean {
  if (outcome.kind === "found") return false;
  return outcome.kind !== "nothing" || outcome.soa === undefined || outcome.soa === zone;
}

/** Addresses of the first of the nameservers that has any. */
export async function firstAddresses(
  task: Task,
  zone: DomainName,
  names: readonly DomainName[],
  addresses: (task: Task, host: DomainName) => Promise<readonly Nameserver[]>,
): Promise<readonly Nameserver[]> {
  const reasons: string[] = [];
  let temporary = false;
  let cyclic = false;
  for (const host of names) {
    try {
      const found = await addresses(task, host);
      if (found.length > 0) return found;
      reasons.push(`${host} has no address`);
    } catch (error) {
      task.signal.throwIfAborted();
      cyclic ||= error instanceof CycleError || isCyclic(error);
      temporary ||= error instanceof AskError || (error instanceof DiscoveryError && error.retryable);
      reasons.push(`${host}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new DiscoveryError(
    temporary ? "temporary" : "no-delegation",
    `${zone} is delegated to ${names.join(", ")}, but no address of these is to be found: ${reasons.join("; ")}`,
    [],
    {
      zone,
      details: { cyclic },
      hint: "A nameserver inside its own zone needs glue at the parent; ask whoever runs the domain's delegation.",
    },
  );
}

export function uniqueServers(servers: readonly Nameserver[]): readonly Nameserver[] {
  return servers.filter((s, i) => servers.findIndex((o) => o.address === s.address && o.port === s.port) === i);
}

/**
 * Whether nameserver names that depend on each other are the cause. Two look-ups at once can see a cycle where each
 * alone would find a way round it: worth a second try.
 */
export function isCyclic(error: unknown): boolean {
  return error instanceof DiscoveryError && error.details?.["cyclic"] === true;
}

/** For `catch`: a failure is worth `value`, unless it is that of the caller giving up. */
export function unlessStopped<T>(task: Task, value: T): (error: unknown) => T {
  return () => {
    task.signal.throwIfAborted();
    return value;
  };
}
