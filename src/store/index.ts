import { join, resolve } from "node:path";
import { type Clock, systemClock } from "../core/clock.ts";
import type { Dns01Error } from "../core/errors.ts";
import { type Observer, silent } from "../core/events.ts";
import type {
  AccountStore,
  BudgetStore,
  CertificateStore,
  Journal,
  LockOptions,
  Release,
  RenewalStore,
} from "../issuer/ports.ts";
import { openAccounts } from "./accounts.ts";
import { openBudget } from "./budget.ts";
import { openCertificates } from "./certificates.ts";
import { openDisk } from "./disk.ts";
import { type Hints, openHints } from "./hints.ts";
import { openJournal } from "./journal.ts";
import { openLocks } from "./lock.ts";
import { writableByOthers } from "./private-file.ts";
import { ownIdentity } from "./process-identity.ts";
import { openRenewals } from "./renewals.ts";
import { sweep } from "./sweep.ts";

export interface StoreOptions {
  readonly observer?: Observer;
  /** Paces the wait for a lock. */
  readonly clock?: Clock;
  /** Wall clock, for the names of versions and journal pages. */
  readonly now?: () => Date;
  /** What this process does, shown to those who wait for its locks: "issue". */
  readonly purpose?: string;
  /** How many earlier versions of a certificate are kept. */
  readonly keepVersions?: number;
  readonly heartbeatMs?: number;
  readonly staleMs?: number;
}

export interface Store {
  /** The absolute path. */
  readonly dir: string;
  readonly certificates: CertificateStore;
  readonly accounts: AccountStore;
  readonly journal: Journal;
  readonly hints: Hints;
  readonly budget: BudgetStore;
  readonly renewals: RenewalStore;
  /** Returns why a certificate could not be written to the folder now, if so. */
  fault(): Promise<Dns01Error | undefined>;
  /** One process at a time per folder that works for all its certificates: `dns01 run`. */
  lockRun(options: LockOptions): Promise<Release>;
  /** Gives back the locks that are still held. */
  close(): Promise<void>;
}

/**
 * The state folder (docs/state.md). Nothing is created before something is written, so that a read-only copy can be
 * looked at; what a crashed process left half-written is removed. Any number of processes may have it open.
 */
export async function openStore(dir: string, options: StoreOptions = {}): Promise<Store> {
  const { observer = silent, clock = systemClock, now = () => new Date(), purpose = "dns01" } = options;
  const { keepVersions = 5, heartbeatMs = 5000, staleMs = 15_000 } = options;
  const root = resolve(dir);
  const identity = await ownIdentity();
  await sweep(root, ["accounts", "budget", "certificates", "hints", "journal", "locks"], identity);
  const warning = await writableByOthers(root);
  if (warning !== undefined) observer({ type: "warning", code: "W_FILE_MODE", text: warning });
  const disk = openDisk(root, identity, observer);
  const locks = openLocks(disk, { observer, clock, purpose, settings: { heartbeatMs, staleMs } });
  return {
    dir: root,
    certificates: openCertificates(disk, locks, { observer, now, keepVersions }),
    accounts: openAccounts(disk, locks, { now }),
    journal: openJournal(disk, { observer, now }),
    hints: openHints(disk),
    budget: openBudget(disk, observer),
    renewals: openRenewals(disk, observer),
    fault: () => disk.fault(join(root, "certificates")),
    lockRun: (lockOptions) => locks.acquire("run", `the state folder ${root}`, lockOptions),
    close: () => locks.close(),
  };
}
