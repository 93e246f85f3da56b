import { ConfigError, type ConfigIssue } from "../../core/errors.ts";
import type { Provider } from "../../core/provider.ts";
import { type IssuerConfig, readIssuerConfig } from "../solve/config.ts";
import type { EndpointRules } from "../solve/endpoints.ts";

/** What the webhook itself would say to this config, without calling anything. */
export function configFaults(
  provider: Provider,
  config: unknown,
  endpoints: EndpointRules,
): { readonly config: IssuerConfig | undefined; readonly issues: readonly ConfigIssue[] } {
  try {
    return { config: readIssuerConfig(provider, config, endpoints), issues: [] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { config: undefined, issues: error.issues };
  }
}
