import type { KeptAccount } from "./kept-account.ts";
import { isProblem } from "./problem.ts";
import type { AcmeClient } from "./types.ts";

/** Whether the caller names other contacts than the CA has; naming none leaves them. */
export function hasOtherContact(kept: KeptAccount, wanted: readonly string[]): boolean {
  if (wanted.length === 0) return false;
  return wanted.length !== kept.contact.length || wanted.some((address) => !kept.contact.includes(address));
}

/**
 * Tells the CA of changed contacts (RFC 8555 §7.3.2); what is to be kept then. Under the account's lock. An account that
 * the CA does not know any more is registered with the new ones by the first order.
 */
export async function changeContact(
  client: AcmeClient,
  kept: KeptAccount,
  contact: readonly string[],
  signal: AbortSignal,
): Promise<KeptAccount> {
  try {
    await client.updateAccount({ contact }, signal);
  } catch (error) {
    if (!isProblem(error, "accountDoesNotExist")) throw error;
    return kept;
  }
  return { ...kept, contact };
}
