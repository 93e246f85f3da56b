import {
  AuthError,
  conductOf,
  type DomainName,
  defineProvider,
  type Edit,
  endpointHint,
  HttpError,
  RejectedError,
  type TxtBackend,
  z,
} from "../src/index.ts";
import { type Account, servesAt, standsIn } from "./acme-dns/accounts.ts";
import { config } from "./acme-dns/config.ts";
import { noAccount, noAlias, tooMany } from "./acme-dns/errors.ts";
import { accountsOf } from "./acme-dns/storage.ts";

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
    if (status === 404) {
      const hint = endpointHint("endpoint (ACME_DNS_API_BASE)");
      return new RejectedError(message, { cause, hint, serviceCode: "404" });
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

/** What to send for each owner, checked as a whole before anything is sent. */
function updates(accounts: readonly Account[], edits: readonly Edit[]) {
  const values = new Map<DomainName, Set<string>>();
  for (const { owner, add } of edits)
    if (add.length > 0) values.set(owner.fqdn, new Set([...(values.get(owner.fqdn) ?? []), ...add]));
  return [...values].map(([fqdn, wanted]) => {
    const account = accounts.find((candidate) => servesAt(candidate, fqdn));
    if (account === undefined) throw noAccount(fqdn);
    if (wanted.size > kept) throw tooMany(fqdn, wanted.size, kept);
    return { account, fqdn, values: [...wanted] };
  });
}
