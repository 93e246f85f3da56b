import { AcmeError } from "../core/errors.ts";
import { type AccountAccess, connectKept, type KeptAccount, withStored } from "./kept-account.ts";
import { generateKey } from "./keys.ts";

/**
 * Exchanges the account's key for a new one (RFC 8555 §7.3.5). The new key is stored before the CA hears of it and takes
 * the old one's place once the CA knows it, so that the account is never without a key that opens it: whatever ends
 * the process in between, the next use of the account finds out which of the two counts.
 */
export async function rolloverAccount(access: AccountAccess): Promise<KeptAccount> {
  return await withStored(access, async (stored) => {
    const begun = await settleKeyChange(access, stored);
    // An earlier change was carried out, and only its end was not seen: that is the new key.
    if (begun.privkey !== stored.privkey) return begun;
    const nextKey = begun.nextKey ?? (await generateKey("ec256"));
    const client = await connectKept(access, begun);
    try {
      const url = begun.url ?? (await client.findAccount(access.signal, begun.contact))?.url;
      const changing = { ...begun, ...(url === undefined ? {} : { url }), nextKey };
      await access.accounts.save(changing);
      return await change(access, changing, () => client.changeKey(nextKey, access.signal));
    } finally {
      client.close();
    }
  });
}

/**
 * Ends a key change that was interrupted: asks the CA for the account of the new key, and keeps that one if there is.
 * Else the stored account as it is: the new key stays beside, for a request may still be under way. Under the lock only.
 */
export async function settleKeyChange(access: AccountAccess, kept: KeptAccount): Promise<KeptAccount> {
  const { nextKey, ...rest } = kept;
  if (nextKey === undefined) return kept;
  const promote = async (account: KeptAccount) => {
    await access.accounts.save(account);
    return account;
  };
  if (nextKey === kept.privkey) return await promote(rest);
  const { url: _, ...unnamed } = rest;
  const client = await connectKept(access, { ...unnamed, privkey: nextKey });
  try {
    const found = await client.findAccount(access.signal, kept.contact);
    return found === undefined ? kept : await promote({ ...rest, privkey: nextKey, url: found.url });
  } finally {
    client.close();
  }
}

async function change(
  access: AccountAccess,
  changing: KeptAccount & { readonly nextKey: string },
  send: () => Promise<void>,
): Promise<KeptAccount> {
  const { nextKey, ...rest } = changing;
  try {
    await send();
  } catch (error) {
    if (!(error instanceof AcmeError)) throw error;
    // An earlier attempt of the same request may have been carried out: only the CA's word lets the new key go.
    const settled = await settleKeyChange(access, changing);
    if (settled.privkey === nextKey) return settled;
    await access.accounts.save(rest);
    throw error;
  }
  const changed = { ...rest, privkey: nextKey };
  await access.accounts.save(changed);
  return changed;
}
