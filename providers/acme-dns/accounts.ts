import { type DomainName, headerFault, parseName, z } from "../../src/index.ts";

/** What /register answered once. */
export interface Account {
  readonly username: string;
  readonly password: string;
  readonly subdomain: string;
  /** The name that serves the values, target of the challenge name's CNAME; unknown where a user left it out. */
  readonly fulldomain: DomainName | undefined;
  /** The domain it was registered for, where it is stored by domain. */
  readonly domain: DomainName | undefined;
}

const text = z.string().min(1);
const stored = z.object({ username: text, password: text, subdomain: text, fulldomain: text });

/**
 * Accounts by domain, as lego's storage and cert-manager's accountSecretRef have them:
 * `{"example.com": {"fulldomain": …, "subdomain": …, "username": …, "password": …}}`. Throws an Error that names the
 * first fault and shows no value.
 */
export function parseAccounts(json: string): readonly Account[] {
  const all = z.record(z.string(), z.record(z.string(), z.unknown())).safeParse(parseJson(json));
  if (!all.success) throw new Error("is no JSON object of accounts by domain");
  const entries = Object.entries(all.data);
  if (entries.length === 0) throw new Error("holds no account");
  return entries.map(([key, members]) => {
    // Go writes "FullDomain" and reads any case; so do older storages.
    const account = stored.safeParse(
      Object.fromEntries(Object.entries(members).map(([name, value]) => [name.toLowerCase(), value])),
    );
    if (!account.success) throw new Error(`has no ${account.error.issues[0]?.path.join(".")} for ${key}`);
    const { fulldomain, ...login } = account.data;
    for (const name of ["username", "password"] as const) {
      const fault = headerFault(login[name]);
      if (fault !== undefined) throw new Error(`has a ${name} for ${key} that ${fault}`);
    }
    const domain = parseName(key.replace(/^\*\./, ""), "domain");
    return { ...login, fulldomain: parseName(fulldomain, "fulldomain"), domain };
  });
}

/** Whether `name` is where the account's values are served. */
export function servesAt({ fulldomain, subdomain }: Account, name: DomainName): boolean {
  return fulldomain === undefined ? name.startsWith(`${subdomain.toLowerCase()}.`) : fulldomain === name;
}

/** Whether `apex` is the server's own zone, in which the account's name stands. */
export function standsIn({ fulldomain, subdomain }: Account, apex: DomainName): boolean {
  return fulldomain === `${subdomain.toLowerCase()}.${apex}`;
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
