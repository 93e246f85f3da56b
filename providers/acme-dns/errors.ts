import { type DomainName, RejectedError, ZoneNotFoundError } from "../../src/index.ts";
import type { Account } from "./accounts.ts";

/** The alias leads to somebody else's account, or to one that was not given. */
export function noAccount(fqdn: DomainName): RejectedError {
  const hint = "Give the account whose fulldomain this is, or correct the CNAME that leads here.";
  return new RejectedError(`none of the given accounts is for ${fqdn}`, { fqdn, hint });
}

export function tooMany(fqdn: DomainName, count: number, kept: number): RejectedError {
  const message = `an account keeps the ${kept} newest values, and ${count} are needed at once at ${fqdn}`;
  const hint = "Have fewer challenge names lead to this account: register one for each domain.";
  return new RejectedError(message, { fqdn, hint });
}

/** The commonest mistake: the CNAME that the whole idea rests on is not there (yet). */
export function noAlias(fqdn: DomainName, accounts: readonly Account[]): ZoneNotFoundError {
  const domain = fqdn.replace("_acme-challenge.", "");
  const single = accounts.length === 1 && accounts[0]?.domain === undefined ? accounts[0] : undefined;
  const account = accounts.find((candidate) => candidate.domain === domain) ?? single;
  const target =
    account === undefined ? undefined : (account.fulldomain ?? `${account.subdomain}.<the server's domain>`);
  const hint =
    target === undefined
      ? `No account is given for ${domain}: register one at the server, add it, and create the CNAME. dns01 registers none.`
      : `Create the record: ${fqdn}. CNAME ${target}.`;
  return new ZoneNotFoundError(`${fqdn} has to be an alias of an account's name, and is none`, [fqdn], { fqdn, hint });
}
