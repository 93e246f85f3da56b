import type { DomainName } from "../core/name.ts";
import { DiscoveryError } from "../dns/discovery-error.ts";
import type { Delegation, Warning } from "../dns/types.ts";
import type { DnsDeps } from "./request.ts";

/** Where a value belongs, as far as DNS could be asked. */
export interface PlacedAnyway {
  readonly owner: DomainName;
  /** Undefined where DNS did not say: the provider is then asked for the zone, label by label. */
  readonly delegation: Delegation | undefined;
  readonly warnings: readonly Warning[];
  /** Why DNS did not say. */
  readonly failure: DiscoveryError | undefined;
}

/**
 * As `dns.place`, but a DNS that does not know where the name belongs is no failure: then it is the name itself, or the
 * last of its aliases that was heard of, with a warning that there may be more of them. The provider knows its zones also
 * where nobody answers, and where nothing points to them: not yet, no longer, or not from here. Aliases that lead nowhere
 * are thrown.
 */
export async function placeAnyway(
  fqdn: DomainName,
  dns: Pick<DnsDeps, "place">,
  signal: AbortSignal,
): Promise<PlacedAnyway> {
  try {
    const { owner, delegation, warnings } = await dns.place(fqdn, signal);
    return { owner, delegation, warnings, failure: undefined };
  } catch (error) {
    if (!(error instanceof DiscoveryError) || error.fault === "alias") throw error;
    const owner = error.aliases.at(-1) ?? fqdn;
    const text = `whether ${owner} is an alias is unknown (${error.message}); it is taken for none`;
    return { owner, delegation: undefined, warnings: [{ code: "W_ALIAS_UNCHECKED", text }], failure: error };
  }
}
