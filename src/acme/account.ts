import { AcmeError, ConfigError } from "../core/errors.ts";
import { changeContact, hasOtherContact } from "./account-contact.ts";
import { settleKeyChange } from "./account-key.ts";
import { eabHelp } from "./directories.ts";
import { checkEab } from "./eab.ts";
import { type AccountAccess, connectKept, type KeptAccount } from "./kept-account.ts";
import { generateKey } from "./keys.ts";
import { isProblem } from "./problem.ts";
import type { Account, AcmeClient, NewAccount } from "./types.ts";

export interface AccountRequest extends AccountAccess {
  /** "mailto:…" addresses. */
  readonly contact: readonly string[];
  readonly eab?: { readonly kid: string; readonly hmacKey: string } | undefined;
}

export interface OpenAccount {
  /** The caller closes it. Registers again by itself when the CA turns out not to know the account any more. */
  readonly client: AcmeClient;
  readonly account: Account;
}

/**
 * The account at this CA: the stored one without any request, else registered, once, however many processes begin.
 * The key is stored before the CA hears of it, so that a crash in between leaves an account that is found again.
 * Throws ConfigError when the CA wants an external account binding and none, or a broken one, was given.
 */
export async function ensureAccount(request: AccountRequest): Promise<OpenAccount> {
  const { accounts, directoryUrl, signal } = request;
  if (request.eab !== undefined) checkEab(request.eab);
  const stored = await accounts.load(directoryUrl);
  if (stored?.url !== undefined && stored.nextKey === undefined && !hasOtherContact(stored, request.contact)) {
    const client = await connectKept(request, stored);
    return { client: registeringAgain(client, request, stored), account: accountOf(stored, stored.url) };
  }
  const release = await accounts.lock(directoryUrl, {
    signal,
    ...(request.onWait === undefined ? {} : { onWait: request.onWait }),
  });
  try {
    const loaded = await accounts.load(directoryUrl);
    const known = loaded === undefined ? undefined : await settleKeyChange(request, loaded);
    const kept = known ?? { ca: directoryUrl, privkey: await generateKey("ec256"), contact: [] };
    const client = await connectKept(request, kept);
    try {
      if (known === undefined) await accounts.save(kept);
      // A process that held the lock before may have finished the job.
      if (kept.url !== undefined) return await withContact(client, request, kept, kept.url);
      // A stored key without an account is what a crash leaves: the account may exist, and its EAB be used up.
      const existing = known === undefined ? undefined : await find(client, request, kept, signal);
      const account = existing ?? (await register(client, request));
      await keep(request, kept, account);
      return { client: registeringAgain(client, request, kept), account };
    } catch (error) {
      client.close();
      throw error;
    }
  } finally {
    await release();
  }
}

/** The known account, with the contacts that are wanted now. */
async function withContact(
  client: AcmeClient,
  request: AccountRequest,
  before: KeptAccount,
  url: string,
): Promise<OpenAccount> {
  const isOther = hasOtherContact(before, request.contact);
  const kept = isOther ? await changeContact(client, before, request.contact, request.signal) : before;
  if (kept !== before) await request.accounts.save(kept);
  return { client: registeringAgain(client, request, kept), account: accountOf(kept, url) };
}

/** The first order shows whether the CA still knows the account: checking before would cost every run a round trip. */
function registeringAgain(client: AcmeClient, request: AccountRequest, kept: KeptAccount): AcmeClient {
  const newOrder: AcmeClient["newOrder"] = async (order, signal) => {
    try {
      return await client.newOrder(order, signal);
    } catch (error) {
      if (!isProblem(error, "accountDoesNotExist")) throw error;
      const account =
        (await find(client, request, kept, signal)) ??
        (await register(client, { ...request, contact: contactOf(request, kept), signal }));
      await keep(request, kept, account);
      return client.newOrder(order, signal);
    }
  };
  return Object.assign(Object.create(client) as AcmeClient, { newOrder });
}

/**
 * The account the key has already. A CA that takes no request for an account without a binding (HARICA) is asked by the
 * registration itself, which gives the same answer to a key it knows.
 */
async function find(
  client: AcmeClient,
  request: AccountRequest,
  kept: KeptAccount,
  signal: AbortSignal,
): Promise<Account | undefined> {
  try {
    return await client.findAccount(signal, contactOf(request, kept));
  } catch (error) {
    if (request.eab !== undefined && isProblem(error, "externalAccountRequired")) return undefined;
    throw error;
  }
}

async function register(client: AcmeClient, request: AccountRequest): Promise<Account> {
  const { eab, contact, signal } = request;
  const { meta } = await client.directory(signal);
  if (meta?.externalAccountRequired === true && eab === undefined) throw eabMissing(request.directoryUrl);
  const account: NewAccount = { contact, termsOfServiceAgreed: true, ...(eab === undefined ? {} : { eab }) };
  const registered = await client.newAccount(account, signal).catch((error: unknown) => {
    throw eab === undefined ? error : refusedWithEab(error, contact);
  });
  if (registered.status === "valid") return registered;
  const detail = `the account ${registered.url} is ${registered.status}`;
  throw new AcmeError(
    `newAccount: ${detail}`,
    { type: "urn:ietf:params:acme:error:unauthorized", detail },
    {
      operation: "newAccount",
      hint: "An account that was deactivated stays so: `dns01 account deactivate --yes` puts it aside here, and the next run registers a new one.",
    },
  );
}

/** A CA that does not take the binding says so in words of its own, and of the account in general. */
function refusedWithEab(error: unknown, contact: readonly string[]): unknown {
  if (!isProblem(error, "unauthorized", "malformed", "externalAccountRequired")) return error;
  // ZeroSSL says so of an account without a contact, too.
  const first = contact.length > 0 ? "" : "Some CAs register no account without an e-mail address: give --email. ";
  const usual =
    "The CA may not take the external account binding: check --eab-kid and --eab-hmac-key (or `eab` in dns01.yaml) against the CA's web site. Most are good for one registration, and for some days only.";
  const hint = `${first}${usual}`;
  return new AcmeError(error.message, error.problem, {
    operation: "newAccount",
    hint,
    details: error.details,
    cause: error,
  });
}

async function keep(request: AccountRequest, kept: KeptAccount, account: Account): Promise<void> {
  const { eab } = request;
  await request.accounts.save({
    ...kept,
    url: account.url,
    contact: contactOf(request, kept),
    ...(eab === undefined ? {} : { eabKid: eab.kid }),
  });
}

/** Who names no contact leaves the one there is. */
function contactOf(request: AccountRequest, kept: KeptAccount): readonly string[] {
  return request.contact.length > 0 ? request.contact : kept.contact;
}

function accountOf(kept: KeptAccount, url: string): Account {
  return { url, status: "valid", contact: kept.contact };
}

function eabMissing(directoryUrl: string): ConfigError {
  const message = `is missing: ${directoryUrl} registers only accounts that are bound to one at its web site`;
  return new ConfigError(
    [
      { path: "--eab-kid (DNS01_EAB_KID)", message },
      { path: "--eab-hmac-key (DNS01_EAB_HMAC_KEY)", message },
    ],
    {
      operation: "newAccount",
      hint: eabHelp(directoryUrl),
    },
  );
}
