import type { AcmeError } from "../core/errors.ts";
import { settleKeyChange } from "./account-key.ts";
import { type AccountAccess, type AccountKeeper, connectKept, type KeptAccount, withStored } from "./kept-account.ts";
import { isProblem } from "./problem.ts";
import type { AcmeClient } from "./types.ts";

interface AccountArchive extends AccountKeeper {
  /** Puts the account out of use; its files stay. Answers where they are now. */
  retire(ca: string): Promise<string>;
}

/** Deactivates the account at the CA for good (RFC 8555 §7.3.6), then puts its files aside. Safe to repeat. */
export async function deactivateAccount(
  access: AccountAccess<AccountArchive>,
): Promise<{ readonly account: KeptAccount; readonly keptAt: string }> {
  return await withStored(access, async (stored) => {
    const kept = await settleKeyChange(access, stored);
    const client = await connectKept(access, kept);
    try {
      const account = kept.url === undefined ? await found(client, kept, access.signal) : kept;
      await end(client, access.signal);
      return { account, keptAt: await access.accounts.retire(access.directoryUrl) };
    } finally {
      client.close();
    }
  });
}

async function found(client: AcmeClient, kept: KeptAccount, signal: AbortSignal): Promise<KeptAccount> {
  const account = await client.findAccount(signal, kept.contact);
  return account === undefined ? kept : { ...kept, url: account.url };
}

async function end(client: AcmeClient, signal: AbortSignal): Promise<void> {
  try {
    await client.updateAccount({ status: "deactivated" }, signal);
  } catch (error) {
    if (isProblem(error, "accountDoesNotExist")) return;
    // A run that was interrupted has deactivated it already, and such an account may ask for nothing any more.
    if (!isProblem(error, "unauthorized") || !(await isEnded(client, error, signal))) throw error;
  }
}

async function isEnded(client: AcmeClient, refusal: AcmeError, signal: AbortSignal): Promise<boolean> {
  if (/deactivated/i.test(refusal.problem.detail ?? "")) return true;
  const account = await client.findAccount(signal).catch(() => undefined);
  return account?.status === "deactivated";
}
