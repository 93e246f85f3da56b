import { readFile } from "node:fs/promises";
import {
  AuthError,
  ConfigError,
  type ConnectDeps,
  conductOf,
  type DomainName,
  defineProvider,
  type Edit,
  HttpError,
  parseName,
  RejectedError,
  type TxtBackend,
  ZoneNotFoundError,
  z,
} from "../src/index.ts";
import { type Account, parseAccounts, servesAt, standsIn } from "./acme-dns/accounts.ts";
import { config } from "./acme-dns/config.ts";

/** Values that an account keeps, unless its server's operator has chosen otherwise. */
const kept = 2;

export default defineProvider({
  id: "acme-dns",
  title: "acme-dns",
  docs: "https://github.com/joohoi/acme-dns#api",
  aliases: ["acmedns"],
  config,
  // The server has one TTL for all.
  traits: { ttlSeconds: { min: 1, default: 1 } },
  classify: (cause) => {
    if (!(cause instanceof HttpError)) return undefined;
    const { message, status } = cause;
    if (status === 401 || status === 403) {
      const hint = "Check username, password and subdomain of the account, and the addresses it may be used from.";
      return new AuthError(message, { cause, hint });
    }
    const { error } = z
      .object({ error: z.string() })
      .catch({ error: String(status) })
      .parse(cause.body);
    return status === 400 ? new RejectedError(message, { cause, serviceCode: error }) : undefined;
  },
  connect: async (given, deps): Promise<TxtBackend> => {
    const accounts = await accountsOf(given, deps);
    for (const { password } of accounts) deps.mask?.(password);
    const api = deps.http(given.endpoint);
    const update = async ({ username, password, subdomain }: Account, txt: string, signal: AbortSignal) => {
      const headers = { "x-api-user": username, "x-api-key": password };
      z.object({ txt: z.literal(txt) }).parse(await api("update", { body: { subdomain, txt }, headers, signal }));
    };

    return {
      conducted: true,
      async findZone(apex) {
        if (accounts.some((account) => servesAt(account, apex) || standsIn(account, apex))) return { apex, id: apex };
        if (apex.startsWith("_acme-challenge.")) throw noAlias(apex, accounts);
        return undefined;
      },
      async apply(_zone, edits, call) {
        const conduct = conductOf(call);
        for (const { account, fqdn, values } of updates(accounts, edits)) {
          let again = false;
          await conduct.attempt(fqdn, async () => {
            // The oldest value makes way, by whole seconds: sent again within one, a value could push out the other.
            if (again) await conduct.clock.sleep(1100, call.signal);
            again = true;
            for (const value of values) {
              const label = { operation: "create", write: true, name: fqdn };
              await conduct.request(label, ({ signal }) => update(account, value, signal));
            }
          });
        }
        // Nothing can be taken away: the next values push the old ones out.
        return edits.map(({ add }) => (add.length > 0 ? "changed" : "unchanged"));
      },
    };
  },
});

async function accountsOf(given: z.output<typeof config>, deps: ConnectDeps): Promise<readonly Account[]> {
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

/** What to send for each owner, checked as a whole before anything is sent. */
function updates(accounts: readonly Account[], edits: readonly Edit[]) {
  const values = new Map<DomainName, Set<string>>();
  for (const { owner, add } of edits)
    if (add.length > 0) values.set(owner.fqdn, new Set([...(values.get(owner.fqdn) ?? []), ...add]));
  return [...values].map(([fqdn, wanted]) => {
    const account = accounts.find((candidate) => servesAt(candidate, fqdn));
    if (account === undefined) throw noAccount(fqdn);
    if (wanted.size > kept) throw tooMany(fqdn, wanted.size);
    return { account, fqdn, values: [...wanted] };
  });
}

function noAccount(fqdn: DomainName): RejectedError {
  const hint = "Give the account whose fulldomain this is, or correct the CNAME that leads here.";
  return new RejectedError(`none of the given accounts is for ${fqdn}`, { fqdn, hint });
}

function tooMany(fqdn: DomainName, count: number): RejectedError {
  const message = `an account keeps the ${kept} newest values, and ${count} are needed at once at ${fqdn}`;
  const hint = "Have fewer challenge names lead to this account: register one for each domain.";
  return new RejectedError(message, { fqdn, hint });
}

/** The commonest mistake: the CNAME that the whole idea rests on is not there (yet). */
function noAlias(fqdn: DomainName, accounts: readonly Account[]): ZoneNotFoundError {
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
