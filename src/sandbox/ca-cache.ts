import type { DomainName } from "../core/name.ts";
import type { Lookup, View } from "./ca-lookup.ts";

/**
 * The CA's resolver with a memory: TXT answers are kept for their TTL, as long as the shortest of them. What is not there is
 * asked for again each time. This is why values of one name cannot be proven one after the other (boulder#3405).
 */
export function makeTxtCache(now: () => Date): (lookup: Lookup, owner: DomainName) => Promise<readonly View[]> {
  const kept = new Map<DomainName, { readonly until: number; readonly views: readonly View[] }>();
  return async (lookup, owner) => {
    const known = kept.get(owner);
    if (known !== undefined && now().getTime() < known.until) return known.views;
    kept.delete(owner);
    const views = await lookup.everywhere(owner, "TXT");
    const ttls = views.flatMap(({ message }) => message.answers.map(({ ttl }) => ttl));
    if (views.every(({ message }) => message.answers.length > 0)) {
      kept.set(owner, { until: now().getTime() + Math.min(...ttls) * 1_000, views });
    }
    return views;
  };
}
