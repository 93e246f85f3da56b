import { rootsFault } from "../acme/check-options.ts";
import { createAcmeClient } from "../acme/client.ts";
import { type Ca, findCa } from "../acme/directories.ts";
import type { AccountAccess } from "../acme/kept-account.ts";
import { attempt, readInput } from "../config/attempt.ts";
import { placeOf } from "../config/settings.ts";
import { systemClock } from "../core/clock.ts";
import { ConfigError, type ConfigIssue } from "../core/errors.ts";
import type { AccountStore } from "../issuer/ports.ts";
import { openStore, type Store } from "../store/index.ts";
import { type CommandInput, failOn } from "./command.ts";
import { defaultStateDir } from "./state.ts";

export interface OpenedAccess {
  readonly ca: Ca;
  readonly store: Store;
  readonly access: AccountAccess<AccountStore>;
}

/** The account of `--ca` in the state folder, and the way to its CA. `more` are faults of the command's own. */
export async function openAccountAccess(
  input: CommandInput,
  purpose: string,
  more: readonly ConfigIssue[] = [],
): Promise<OpenedAccess> {
  const { flags, io, observer } = input;
  const issues: ConfigIssue[] = [...input.issues, ...more];
  const ca = attempt(issues, () => findCa(flags.text("ca") ?? "letsencrypt", placeOf(flags, "ca")));
  const caRoot = await readRoot(input, issues);
  failOn(issues);
  if (ca === undefined) throw new Error("unchecked CA");
  const store = await openStore(flags.text("state") ?? defaultStateDir(io.env), { observer, purpose });
  const { directoryUrl } = ca;
  await requireAccount(store, directoryUrl, placeOf(flags, "ca"));
  return { ca, store, access: accessTo(input, store, directoryUrl, caRoot) };
}

export function accessTo(
  { io, observer, version }: CommandInput,
  store: Store,
  directoryUrl: string,
  caRoot: string | undefined,
): AccountAccess<AccountStore> {
  return {
    directoryUrl,
    caRoot,
    accounts: store.accounts,
    connect: (options) =>
      createAcmeClient(options, { observer, clock: systemClock, userAgent: `dns01/${version}`, env: io.env }),
    onWait: (holder) => observer({ type: "lock.wait", name: `account at ${directoryUrl}`, holder }),
    signal: io.signal,
  };
}

/** The PEM file of `--ca-root`. */
export async function readRoot({ flags }: CommandInput, issues: ConfigIssue[]): Promise<string | undefined> {
  const path = flags.text("ca-root");
  const at = flags.source("ca-root") ?? "--ca-root";
  const text = path === undefined ? undefined : (await readInput(path, at, issues))?.toString("latin1");
  const fault = text === undefined ? undefined : rootsFault(text);
  if (fault === undefined) return text;
  issues.push({ path: at, message: `${path} ${fault}` });
  return undefined;
}

/** Names those there are: the account may be another CA's, or in another state folder. */
async function requireAccount(store: Store, directoryUrl: string, path: string): Promise<void> {
  if ((await store.accounts.load(directoryUrl)) !== undefined) return;
  const known = await store.accounts.list();
  const others = known.length === 0 ? "none is stored" : `stored: ${known.join(", ")}`;
  throw new ConfigError([{ path, message: `there is no account at ${directoryUrl} in ${store.dir}; ${others}` }], {
    hint: "Name the CA with --ca (its id or address), or the folder with --state. The first `dns01 issue` registers an account.",
  });
}
