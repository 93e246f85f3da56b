import type { Clock } from "../core/clock.ts";
import type { AccessDecision, KubernetesApi } from "../kubernetes/api.ts";
import { apiVersion } from "./discovery.ts";
import type { Identity } from "./identity.ts";
import { Refusal } from "./refusal.ts";

const CACHE_MS = 10_000;
const CACHE_SIZE = 1_000;
const REVIEW_TIMEOUT_MS = 10_000;

export interface AccessOptions {
  /** Users that may have challenges solved. */
  readonly allowedCallers: readonly string[];
  /** Ask the API server besides; undefined where that is switched off. */
  readonly reviewer: Pick<KubernetesApi, "reviewAccess"> | undefined;
  readonly clock: Clock;
}

export interface Access {
  /** Whether somebody may read discovery and types. Throws Refusal. */
  read(identity: Identity): void;
  /** Whether somebody may do anything else at all. Throws Refusal. */
  call(identity: Identity): void;
  /** Asks the API server whether somebody may create this resource, where that is switched on. Throws Refusal. */
  review(identity: Identity, resource: { readonly group: string; readonly resource: string }): Promise<void>;
}

export function createAccess({ allowedCallers, reviewer, clock }: AccessOptions): Access {
  const cache = new Map<string, { readonly until: number; readonly decision: Promise<AccessDecision> }>();

  const ask = (identity: Identity, group: string, resource: string): Promise<AccessDecision> => {
    const review = { ...identity, resource: { verb: "create", group, version: apiVersion, resource } };
    const key = JSON.stringify(review);
    const known = cache.get(key);
    if (known !== undefined && clock.now() < known.until) return known.decision;
    const decision = reviewer?.reviewAccess(review, AbortSignal.timeout(REVIEW_TIMEOUT_MS));
    if (decision === undefined) return Promise.resolve({ allowed: true });
    const entry = { until: clock.now() + CACHE_MS, decision };
    cache.delete(key);
    cache.set(key, entry);
    for (const oldest of cache.keys()) {
      if (cache.size <= CACHE_SIZE) break;
      cache.delete(oldest);
    }
    // No answer is no decision: asked again next time.
    decision.catch(() => cache.get(key) === entry && cache.delete(key));
    return decision;
  };

  return {
    read({ user, groups }) {
      if (user !== "system:anonymous" && !groups.includes("system:unauthenticated")) return;
      throw new Refusal(403, `User "${user}" may not read this: log in first`);
    },
    call({ user }) {
      if (allowedCallers.includes(user)) return;
      throw new Refusal(
        403,
        `User "${user}" may not have challenges solved: only callers named by --allowed-caller may`,
      );
    },
    async review(identity, { group, resource }) {
      if (reviewer === undefined) return;
      const what = `User "${identity.user}" may not create resource "${resource}" in API group "${group}"`;
      const decision = await ask(identity, group, resource).catch(() => undefined);
      if (decision === undefined) throw new Refusal(403, `${what}: the API server could not be asked for its review`);
      if (!decision.allowed) throw new Refusal(403, `${what}: the API server's review says no`);
    },
  };
}
