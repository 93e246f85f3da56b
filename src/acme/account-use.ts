import { settleKeyChange } from "./account-key.ts";
import { type AccountAccess, connectKept, withStored } from "./kept-account.ts";
import type { AcmeClient } from "./types.ts";

/** A client of the stored account, looked up at the CA where its address is not known. The caller closes it. */
export async function ensureStored(access: AccountAccess): Promise<AcmeClient> {
  const stored = await access.accounts.load(access.directoryUrl);
  if (stored?.url !== undefined && stored.nextKey === undefined) return await connectKept(access, stored);
  return await withStored(access, async (kept) => {
    const client = await connectKept(access, await settleKeyChange(access, kept));
    await client.findAccount(access.signal, kept.contact);
    return client;
  });
}
