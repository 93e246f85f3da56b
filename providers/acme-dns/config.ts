import { headerFault, httpUrl, parseName, secret, z } from "../../src/index.ts";
import { parseAccounts } from "./accounts.ts";

const text = (description: string, ...env: readonly string[]) =>
  z.string().trim().min(1, "is empty").meta({ description, env });

export const config = z
  .strictObject({
    endpoint: httpUrl().meta({
      description: "address of the server's API, for example https://auth.acme-dns.io",
      env: ["ACME_DNS_API_BASE", "ACMEDNS_BASE_URL"],
      aliases: ["host"],
      endpoint: true,
    }),
    storagePath: text("file with accounts by domain, as lego keeps it").meta({ local: true }).optional(),
    accounts: secret("the content of such a file: accounts by domain, as JSON", { lines: true })
      .superRefine((json, { addIssue }) => {
        const fault = faultOf(() => parseAccounts(json));
        if (json !== "" && fault !== undefined) addIssue({ code: "custom", message: fault });
      })
      .meta({ aliases: ["account"] })
      .optional(),
    username: text("user name of the one account, instead of accounts by domain", "ACMEDNS_USERNAME")
      .refine((name) => headerFault(name) === undefined, { error: ({ input }) => headerFault(String(input)) })
      .optional(),
    password: secret("password of the one account", { header: true })
      .meta({ env: ["ACMEDNS_PASSWORD"] })
      .optional(),
    subdomain: text("subdomain of the one account", "ACMEDNS_SUBDOMAIN").optional(),
    fulldomain: text("name that serves the one account's values, target of the CNAME")
      .refine((name) => faultOf(() => parseName(name)) === undefined, "is no domain name")
      .optional(),
  })
  .superRefine((given, { addIssue }) => {
    const { storagePath, accounts, username, password, subdomain, fulldomain } = given;
    const issue = (path: string, message: string) => addIssue({ code: "custom", path: [path], message });
    const single = { username, password, subdomain };
    const has = [...Object.values(single), fulldomain].some((value) => value !== undefined);
    const ways = [
      ...(storagePath === undefined ? [] : ["storagePath"]),
      ...(accounts === undefined ? [] : ["accounts"]),
      ...(has ? ["username, password and subdomain"] : []),
    ];
    if (ways.length === 0)
      issue("storagePath", "is missing: give storagePath, accounts, or username, password and subdomain");
    if (ways.length > 1)
      issue(accounts === undefined ? "storagePath" : "accounts", `give one of ${ways.join(" and ")}`);
    if (!has) return;
    for (const [name, value] of Object.entries(single))
      if (value === undefined) issue(name, "is missing: username, password and subdomain go together");
  });

function faultOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
