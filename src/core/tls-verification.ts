import { ConfigError } from "./errors.ts";

const variable = "NODE_TLS_REJECT_UNAUTHORIZED";

/**
 * Throws ConfigError if the environment makes Node accept every TLS certificate. That holds for the whole process, the SDKs of
 * providers included. `caRoot` is the flag or option that trusts a private CA.
 */
export function requireVerification(env: Readonly<Record<string, string | undefined>>, caRoot: string): void {
  if (env[variable] !== "0") return;
  throw new ConfigError([{ path: variable, message: '"0" switches off the verification of TLS certificates' }], {
    hint: `Unset ${variable}. Trust a private CA with ${caRoot} (API of the ACME CA) or NODE_EXTRA_CA_CERTS=FILE (all servers).`,
  });
}
