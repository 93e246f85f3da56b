import { ConfigError } from "../core/errors.ts";
import type { AcmeClient, AcmeClientOptions } from "./types.ts";

/** What is kept of an account; the port AccountStore of the issuer has the same shape. */
export interface KeptAccount {
  readonly ca: string;
  /** PKCS #8 PEM. */
  readonly privkey: string;
  /** A key change that has begun: the CA may know the account by this one already. */
  readonly nextKey?: string;
  /** Absent until the CA confirmed the registration. */
  readonly url?: string;
  readonly contact: readonly string[];
  readonly eabKid?: string;
}

export interface AccountKeeper {
  lock(
    ca: string,
    options: { readonly signal: AbortSignal; readonly onWait?: (holder: string) => void },
  ): Promise<() => Promise<void>>;
  load(ca: string): Promise<KeptAccount | undefined>;
  save(account: KeptAccount): Promise<void>;
}

/** Where an account is kept, and how its CA is reached. */
export interface AccountAccess<K extends AccountKeeper = AccountKeeper> {
  readonly directoryUrl: string;
  readonly caRoot?: string | undefined;
  readonly accounts: K;
  readonly connect: (options: AcmeClientOptions) => Promise<AcmeClient>;
  readonly onWait?: (holder: string) => void;
  readonly signal: AbortSignal;
}

/** A client that signs with the stored key. The caller closes it. */
export function connectKept(access: AccountAccess, kept: KeptAccount): Promise<AcmeClient> {
  const { directoryUrl, caRoot } = access;
  return access.connect({ directoryUrl, accountKey: kept.privkey, accountUrl: kept.url, caRoot });
}

/** The stored account, held while `work` runs. Throws ConfigError when there is none. */
export async function withStored<K extends AccountKeeper, T>(
  access: AccountAccess<K>,
  work: (kept: KeptAccount) => Promise<T>,
): Promise<T> {
  const { accounts, directoryUrl, signal, onWait } = access;
  // Looked at first: nothing is written for a CA that has no account.
  if ((await accounts.load(directoryUrl)) === undefined) throw noAccount(directoryUrl);
  const release = await accounts.lock(directoryUrl, { signal, ...(onWait === undefined ? {} : { onWait }) });
  try {
    const kept = await accounts.load(directoryUrl);
    if (kept === undefined) throw noAccount(directoryUrl);
    return await work(kept);
  } finally {
    await release();
  }
}

function noAccount(directoryUrl: string): ConfigError {
  return new ConfigError([{ path: "--ca", message: `no account at ${directoryUrl} is stored` }], {
    hint: "The first `dns01 issue` there registers one. Check --ca and --state.",
  });
}
