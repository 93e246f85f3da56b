import type { CertificateMeta, PendingOrder, StoredAccount } from "../../src/issuer/ports.ts";
import type { Store } from "../../src/store/index.ts";

export interface Scenario {
  readonly account: StoredAccount;
  readonly pending: PendingOrder;
  readonly pem: { readonly cert: string; readonly chain: string; readonly privkey: string };
  readonly meta: CertificateMeta;
}

export const values = ["one", "two", "three"];

/** What an issuance asks of the store, in its order. `say` is told before and after each. */
export async function scenario(store: Store, given: Scenario, say: (line: string) => void): Promise<void> {
  const { certificates, accounts, journal } = store;
  const { signal } = new AbortController();
  const release = await certificates.lock("example.test", { signal, timeoutMs: 0 });
  const done = async (what: string, work: Promise<unknown>) => {
    say(`begun ${what}`);
    await work;
    say(`done ${what}`);
  };
  const { url: _, ...unregistered } = given.account;
  await done("key", accounts.save(unregistered));
  await done("account", accounts.save(given.account));
  await done("pending", certificates.savePending("example.test", given.pending));
  say("begun journal");
  const entries = await journal.add(
    values.map((value) => ({ certificate: "example.test", provider: "p", zone: "test", owner: "o.test", value })),
  );
  say("done journal");
  await done("save", certificates.save("example.test", given.pem, given.meta));
  await done("clear", certificates.clearPending("example.test"));
  const ids = entries.map((entry) => entry.id);
  await done("strike", journal.remove(ids.slice(0, 1)));
  await done("strike rest", journal.remove(ids.slice(1)));
  await release();
}
