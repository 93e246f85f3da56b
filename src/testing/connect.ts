import { resolveConfig } from "../core/fields.ts";
import type { Provider, TxtBackend } from "../core/provider.ts";
import { createHttp } from "../http.ts";

export interface ConnectOptions {
  /** Whether credentials of the machine may be used. Default false. */
  readonly allowAmbientCredentials?: boolean;
  /** Default: what the provider warns of is dropped. */
  readonly warn?: (text: string) => void;
}

/**
 * Connects a provider as the program does: `config` as in a configuration file, parsed by the provider's schema, JSON
 * over fetch. Without the guard, which the suite puts around it itself. Throws ConfigError for a wrong configuration.
 *
 * @example
 * connect: (signal) => connectBackend(provider, { token: "t0ken", endpoint: fake.url }, signal)
 */
export async function connectBackend(
  provider: Provider,
  config: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
  options: ConnectOptions = {},
): Promise<TxtBackend> {
  const { allowAmbientCredentials = false, warn = () => {} } = options;
  const resolved = await resolveConfig(provider, { config });
  return provider.connect(resolved.config, { http: createHttp(), signal, allowAmbientCredentials, warn });
}
