import { rolloverAccount } from "../acme/account-key.ts";
import { keyFacts } from "../acme/keys.ts";
import { openAccountAccess } from "./account-access.ts";
import type { Command } from "./command.ts";

/** `dns01 account rollover`: a new key for the account. */
export const command: Command = {
  async run(input) {
    const { access } = await openAccountAccess(input, "account rollover");
    const account = await rolloverAccount(access);
    const json = { ca: account.ca, url: account.url, ...keyFacts(account.privkey) };
    return { json, text: `${account.url}: the account has a new key, thumbprint ${json.thumbprint}\n` };
  },
};
