import type { Provider } from "../../core/provider.ts";
import { ambientValues, type Environment } from "./ambient.ts";
import { completeConfig, type IssuerConfig, readIssuerConfig } from "./config.ts";
import type { ConnectionRequest } from "./connections.ts";
import type { EndpointRules } from "./endpoints.ts";
import type { Question } from "./question.ts";

/** An Issuer's configuration, read and checked. */
export interface Issuer {
  readonly config: IssuerConfig;
  /** What to connect with, once the Secrets are read. Throws ConfigError for what only their values could show. */
  connection(secrets: Readonly<Record<string, string>>): ConnectionRequest;
}

/** Reads Issuers' configurations. Throws ConfigError with every fault; nothing is called. */
export type IssuerReader = (
  provider: Provider,
  question: Pick<Question, "config" | "allowAmbientCredentials">,
) => Promise<Issuer>;

const mostKept = 500;
const longestKept = 4_096;

/**
 * What the same text says twice is read once: all Challenges of an Issuer carry the same configuration. Configurations that
 * may use the environment are read anew, since files named there may change; faults are not kept.
 */
export function createIssuerReader(rules: EndpointRules, env: Environment): IssuerReader {
  const kept = new Map<string, Issuer>();
  return async (provider, { config, allowAmbientCredentials }) => {
    if (allowAmbientCredentials) {
      const ambient = await ambientValues(provider, config, env);
      return issuerOf(provider, readIssuerConfig(provider, config, rules, ambient), true);
    }
    const key = `${provider.id} ${JSON.stringify(config) ?? ""}`;
    const known = kept.get(key);
    if (known !== undefined) return known;
    const issuer = issuerOf(provider, readIssuerConfig(provider, config, rules), false);
    if (key.length > longestKept) return issuer;
    const [oldest] = kept.keys();
    if (oldest !== undefined && kept.size >= mostKept) kept.delete(oldest);
    kept.set(key, issuer);
    return issuer;
  };
}

function issuerOf(provider: Provider, config: IssuerConfig, allowAmbientCredentials: boolean): Issuer {
  const { ttlSeconds } = config;
  const complete = (secrets: Readonly<Record<string, string>>): ConnectionRequest => ({
    provider,
    config: completeConfig(provider, config, secrets),
    ttlSeconds,
    allowAmbientCredentials,
  });
  let without: ConnectionRequest | undefined;
  return {
    config,
    connection(secrets) {
      // Values of Secrets are not kept here: they may change, and connections end when they are not used.
      if (config.references.length > 0) return complete(secrets);
      without ??= complete({});
      return without;
    },
  };
}
