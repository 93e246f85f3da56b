import type { Registry } from "../../providers.ts";
import type { EndpointRules } from "../solve/endpoints.ts";
import type { ValidateRules } from "./issuer.ts";

export interface RuleSettings {
  readonly groups: readonly string[];
  readonly endpoints: EndpointRules;
  readonly gate: boolean;
  /** Names served as far as it is known; undefined: what `dns01 webhook` serves by default. */
  readonly served?: readonly string[] | undefined;
}

/** What Issuers are held against, from the providers there are. */
export async function rulesOf(registry: Registry, settings: RuleSettings): Promise<ValidateRules> {
  const { groups, endpoints, gate, served } = settings;
  const solvers: string[] = [];
  const withheld = new Map<string, string>();
  for (const { id, aliases = [], traits } of await registry.all()) {
    for (const name of [id, ...aliases]) {
      if (traits.localOnly === true) withheld.set(name, "acts on the machine of dns01 and is never served to Issuers");
      else if (served?.includes(name) ?? id !== "memory") solvers.push(name);
      else if (served === undefined) withheld.set(name, "is for tests and not served by default");
      else withheld.set(name, `is not served there; served are ${served.join(", ")} (--providers)`);
    }
  }
  // Plugins that only the cluster has.
  const more = served?.filter((name) => !solvers.includes(name) && !withheld.has(name)) ?? [];
  return {
    groups,
    solvers: [...solvers, ...more].sort(),
    withheld,
    endpoints,
    gate,
    provider: async (name) => (more.includes(name) ? undefined : await registry.load(name)),
  };
}
