import { connectKept } from "../acme/kept-account.ts";
import { keyFacts } from "../acme/keys.ts";
import { AcmeError, RateLimitedError, TransientError } from "../core/errors.ts";
import type { StoredAccount } from "../issuer/ports.ts";
import { type OpenedAccess, openAccountAccess } from "./account-access.ts";
import type { Command } from "./command.ts";

/** `dns01 account show`: what is stored of the account, and what the CA says of it. */
export const command: Command = {
  async run(input) {
    const opened = await openAccountAccess(input, "account show");
    const stored = await opened.access.accounts.load(opened.access.directoryUrl);
    if (stored === undefined) throw new Error("the account has gone");
    const { status, url, contact, warning } = await askCa(opened, stored);
    if (warning !== undefined) input.observer({ type: "warning", code: "W_ACCOUNT", text: warning });
    const { keyType, thumbprint } = keyFacts(stored.privkey);
    const { ca, eabKid } = stored;
    const json = {
      ca,
      ...(url === undefined ? {} : { url }),
      status,
      contact,
      keyType,
      thumbprint,
      ...(eabKid === undefined ? {} : { eabKid }),
      keyChangePending: stored.nextKey !== undefined,
    };
    const lines = [
      `account     ${url ?? "(not registered yet)"}`,
      `ca          ${ca}`,
      `status      ${status}`,
      `contact     ${contact.map((c) => c.replace(/^mailto:/, "")).join(" ") || "(none)"}`,
      `key         ${keyType ?? "of another kind"}, thumbprint ${thumbprint}`,
      ...(eabKid === undefined ? [] : [`eab         bound by key id ${eabKid}`]),
      ...(stored.nextKey === undefined ? [] : ["key change  begun and not ended; the next use of the account ends it"]),
      "",
    ];
    return { json, text: lines.join("\n") };
  },
};

interface Said {
  /** As the CA says; "unknown" where it could not be asked, "missing" where it knows no such account. */
  readonly status: string;
  readonly url: string | undefined;
  readonly contact: readonly string[];
  readonly warning?: string;
}

async function askCa({ access }: OpenedAccess, stored: StoredAccount): Promise<Said> {
  const { url, contact, nextKey } = stored;
  const client = await connectKept(access, stored);
  try {
    const found = (await client.findAccount(access.signal, contact)) ?? (await askByNextKey(access, stored));
    if (found !== undefined) return { ...found, contact: found.contact.length > 0 ? found.contact : contact };
    const warning = `the CA knows no account of this key${nextKey === undefined ? "" : ", nor of the next one"}; the next run registers it again`;
    return { status: "missing", url, contact, warning };
  } catch (error) {
    if (error instanceof AcmeError && /deactivated/i.test(error.problem.detail ?? "")) {
      return { status: "deactivated", url, contact };
    }
    if (!(error instanceof TransientError || error instanceof RateLimitedError)) throw error;
    return { status: "unknown", url, contact, warning: `the CA could not be asked: ${error.message}` };
  } finally {
    client.close();
  }
}

async function askByNextKey(access: OpenedAccess["access"], { nextKey, url: _, ...rest }: StoredAccount) {
  if (nextKey === undefined) return undefined;
  const client = await connectKept(access, { ...rest, privkey: nextKey });
  try {
    return await client.findAccount(access.signal, rest.contact);
  } finally {
    client.close();
  }
}
