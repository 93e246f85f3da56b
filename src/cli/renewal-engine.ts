import { createRenewalInfoClient, type RenewalInfoClient } from "../acme/ari.ts";
import { createAcmeConnector } from "../acme/connector.ts";
import { systemClock } from "../core/clock.ts";
import { openBudget } from "../issuer/budget-use.ts";
import type { WatchDeps } from "../issuer/watch.ts";
import type { Store } from "../store/index.ts";
import type { CommandInput } from "./command.ts";

type Engine = Pick<
  WatchDeps,
  | "certificates"
  | "accounts"
  | "journal"
  | "renewals"
  | "budget"
  | "connectAcme"
  | "observer"
  | "clock"
  | "now"
  | "signal"
>;

/** What stays the same whatever the configuration says. */
export async function openEngine(
  { io, observer, version }: CommandInput,
  store: Store,
): Promise<Engine & { close(): void }> {
  const now = () => new Date();
  const connector = createAcmeConnector({ observer, clock: systemClock, userAgent: `dns01/${version}` });
  return {
    certificates: store.certificates,
    accounts: store.accounts,
    journal: store.journal,
    renewals: store.renewals,
    budget: await openBudget(store.budget, { clock: systemClock, now }),
    connectAcme: connector.connect,
    close: () => connector.close(),
    observer,
    clock: systemClock,
    now,
    signal: io.signal,
  };
}

/** A client of the renewal information of each CA, for as long as what is trusted stays the same. */
export interface RenewalInfos {
  of(directoryUrl: string): RenewalInfoClient;
  forget(): void;
}

export function createRenewalInfos(
  { observer, version }: CommandInput,
  rootOf: (directoryUrl: string) => string | undefined,
): RenewalInfos {
  const clients = new Map<string, RenewalInfoClient>();
  return {
    of(directoryUrl) {
      const known = clients.get(directoryUrl);
      if (known !== undefined) return known;
      const options = { directoryUrl, caRoot: rootOf(directoryUrl), userAgent: `dns01/${version}`, observer };
      const fresh = createRenewalInfoClient(options);
      clients.set(directoryUrl, fresh);
      return fresh;
    },
    forget() {
      for (const client of clients.values()) client.close();
      clients.clear();
    },
  };
}
