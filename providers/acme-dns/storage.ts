import { readFile } from "node:fs/promises";
import { ConfigError, type ConnectDeps, parseName, type z } from "../../src/index.ts";
import { type Account, parseAccounts } from "./accounts.ts";
import type { config } from "./config.ts";

/** The accounts that were given, in whatever way. Throws ConfigError for a storage that is of no use. */
export async function accountsOf(given: z.output<typeof config>, deps: ConnectDeps): Promise<readonly Account[]> {
  const { storagePath, accounts, username, password, subdomain, fulldomain } = given;
  if (accounts !== undefined) return parseAccounts(accounts);
  if (username !== undefined && password !== undefined && subdomain !== undefined) {
    const name = fulldomain === undefined ? undefined : parseName(fulldomain);
    return [{ username, password, subdomain, fulldomain: name, domain: undefined }];
  }
  const fault = (message: string) =>
    new ConfigError([{ path: "storagePath", message }], { provider: "acme-dns", hint: "It is never written here." });
  // An Issuer in a cluster must not choose which files of the server are read.
  if (storagePath === undefined || !deps.allowAmbientCredentials)
    throw fault("files of this machine may not be used here");
  try {
    return parseAccounts(await readFile(storagePath, { encoding: "utf8", signal: deps.signal }));
  } catch (error) {
    deps.signal.throwIfAborted();
    throw fault(`cannot take accounts from ${storagePath}: ${error instanceof Error ? error.message : error}`);
  }
}
