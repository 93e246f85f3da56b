import { deactivateAccount } from "../acme/account-end.ts";
import { openAccountAccess } from "./account-access.ts";
import type { Command } from "./command.ts";

/** `dns01 account deactivate --yes`: ends the account for good. */
export const command: Command = {
  async run(input) {
    const message =
      "is missing: a deactivated account cannot be opened again, and certificates of it can be revoked with --by-key only";
    const faults = input.flags.on("yes") ? [] : [{ path: "--yes", message }];
    const { access } = await openAccountAccess(input, "account deactivate", faults);
    const { account, keptAt } = await deactivateAccount(access);
    const json = { ca: account.ca, url: account.url, status: "deactivated", keptAt };
    return { json, text: `${account.url ?? account.ca}: deactivated; its key is kept at ${keptAt}\n` };
  },
};
