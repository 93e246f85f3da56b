import type { Clock } from "../core/clock.ts";
import type { DomainName } from "../core/name.ts";
import type { Verdict } from "../dns/types.ts";
import type { IssueDeps } from "./request.ts";

/**
 * When CAs looked at which names. Their resolvers keep the answer for a while, so a value that came later is not seen
 * until they have forgotten it (propagation.md §5.5, boulder#3405). Two orders meet this at one name when one is for
 * example.com and the other for *.example.com, or when both lead to one alias target.
 */
export interface CaMemory {
  /** A CA looks at these names now, and finds values of this TTL. */
  note(directoryUrl: string, owners: readonly DomainName[], ttlSeconds: number): void;
  /** How long the CA may still keep an answer from before `visibleAt`, when every nameserver had the new values. */
  restMs(directoryUrl: string, owners: readonly DomainName[], visibleAt: number): number;
}

/** Let's Encrypt keeps no TXT longer, whatever its TTL. */
const longestMs = 60_000;
/** The perspectives of a CA look one after the other. */
const lookingMs = 5_000;

export function createCaMemory(clock: Clock): CaMemory {
  const looks = new Map<string, readonly { readonly at: number; readonly until: number }[]>();

  const keyOf = (directoryUrl: string, owner: DomainName) => `${directoryUrl}\n${owner}`;
  const freshAt = (key: string, now: number) => (looks.get(key) ?? []).filter(({ until }) => until > now);

  return {
    note(directoryUrl, owners, ttlSeconds) {
      const at = clock.now();
      for (const key of looks.keys()) if (freshAt(key, at).length === 0) looks.delete(key);
      if (ttlSeconds <= 0) return;
      const until = at + Math.min(longestMs, ttlSeconds * 1_000) + lookingMs;
      for (const owner of owners) {
        const key = keyOf(directoryUrl, owner);
        looks.set(key, [...freshAt(key, at), { at, until }]);
      }
    },
    restMs(directoryUrl, owners, visibleAt) {
      const now = clock.now();
      const until = owners
        .flatMap((owner) => freshAt(keyOf(directoryUrl, owner), now))
        .filter(({ at }) => at <= visibleAt)
        .map((look) => look.until);
      return Math.max(0, ...until.map((end) => end - now));
    },
  };
}

/** Another order of this process has had the CA look at one of these names before it could see our values there. */
export async function waitForCaches(
  directoryUrl: string,
  owners: readonly DomainName[],
  visibleAt: number,
  { dns, clock, observer, signal }: Pick<IssueDeps, "dns" | "clock" | "observer" | "signal">,
): Promise<void> {
  const waitMs = dns.caMemory?.restMs(directoryUrl, owners, visibleAt) ?? 0;
  if (waitMs <= 0) return;
  const reason = "the CA has looked here for another order, and may keep what it saw";
  observer({ type: "propagation.wait", owner: owners.join(", "), waitMs, reason });
  await clock.sleep(waitMs, signal);
}

/** How long what the nameservers serve may be kept, in seconds; as long as any CA does where they did not say. */
export function ttlOf({ servers }: Verdict): number {
  const known = servers.flatMap(({ ttlSeconds }) => ttlSeconds ?? []);
  return known.length === 0 ? longestMs / 1_000 : Math.max(...known);
}
