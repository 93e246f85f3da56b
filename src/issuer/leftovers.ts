import type { Clock } from "../core/clock.ts";
import { ConfigError, LockedError, TransientError } from "../core/errors.ts";
import type { Observer } from "../core/events.ts";
import type { DomainName } from "../core/name.ts";
import { cleanUpForGood } from "../core/settle.ts";
import { ExchangeError } from "../dns/exchange.ts";
import { txtValue } from "../dns/txt.ts";
import type { Placement } from "../dns/types.ts";
import { type CertificateStore, type Journal, type JournalEntry, writtenMsAgo } from "./ports.ts";
import type { DnsDeps, SolverRouter } from "./request.ts";
import { groupBy } from "./values.ts";

/** A value put there on request is taken for one in use for so long: somebody else's CA may be about to look. */
const RECENT_MS = 3_600_000;
/** What every dns-01 value looks like: SHA-256 in base64url. */
const digest = /^[A-Za-z0-9_-]{43}$/;

/**
 * - "left": of a run of ours that is over; nobody needs it.
 * - "presented": put there by `dns01 present` and not taken out since.
 * - "unknown": nobody here wrote it, or it was forgotten; it only looks like a challenge's value.
 * - "in-use": of a run that is under way, or put there a short while ago.
 */
export type LeftoverKind = "left" | "presented" | "unknown" | "in-use";

export interface Leftover {
  readonly kind: LeftoverKind;
  readonly owner: DomainName;
  readonly value: string;
  /** What the journal knows of it. */
  readonly entry?: JournalEntry;
  /** Where it was seen in DNS. */
  readonly placement?: Placement;
}

export interface LeftoverDeps {
  readonly certificates: CertificateStore;
  readonly journal: Journal;
  readonly now: () => Date;
  readonly signal: AbortSignal;
}

export interface RemovalDeps extends LeftoverDeps {
  readonly solvers: SolverRouter;
  readonly clock: Clock;
  readonly observer: Observer;
}

/** What the journal remembers, and whatever looks like a challenge's value at the owners of `names`. Changes nothing. */
export async function findLeftovers(
  names: readonly DomainName[],
  deps: LeftoverDeps & { readonly dns: Pick<DnsDeps, "place" | "exchange"> },
): Promise<readonly Leftover[]> {
  // DNS before the journal: what a run of ours has in DNS stands in the journal until it is out again.
  const placements = await Promise.all(names.map((name) => deps.dns.place(name, deps.signal)));
  const owners = new Map(placements.map((placement) => [placement.owner, placement]));
  const standing = await Promise.all([...owners.values()].map((placement) => standingAt(placement, deps)));
  const entries = await deps.journal.list();
  const known = await knownOf(entries, deps);
  const isKnown = new Set(entries.map((entry) => `${entry.owner} ${entry.value}`));
  const unknown = standing.flat().filter(({ owner, value }) => !isKnown.has(`${owner} ${value}`));
  return [...known, ...unknown];
}

/** What became of one of them. */
export interface Removal {
  readonly leftover: Leftover;
  readonly removed: boolean;
  readonly error?: unknown;
}

/** Takes these out, and out of the journal; never one whose run has begun to work again. Throws the signal's reason only. */
export async function removeLeftovers(leftovers: readonly Leftover[], deps: RemovalDeps): Promise<readonly Removal[]> {
  const removals: Removal[] = [];
  const ofRuns = leftovers.filter((one) => one.kind === "left");
  for (const [certificate, left] of groupBy(ofRuns, (one) => one.entry?.certificate ?? "")) {
    removals.push(...(await underLock(certificate, left, deps)));
  }
  const others = leftovers.filter((one) => one.kind === "presented" || one.kind === "unknown");
  return [...removals, ...(await takeOut(others, deps))];
}

async function underLock(
  certificate: string,
  left: readonly Leftover[],
  deps: RemovalDeps,
): Promise<readonly Removal[]> {
  try {
    const release = await deps.certificates.lock(certificate, { signal: deps.signal, timeoutMs: 0 });
    try {
      // Read again: its owner may have begun and finished in between.
      const ids = new Set((await deps.journal.list()).map(({ id }) => id));
      const still = left.filter(({ entry }) => entry !== undefined && ids.has(entry.id));
      const gone = left.filter((one) => !still.includes(one));
      return [...gone.map((leftover) => ({ leftover, removed: true })), ...(await takeOut(still, deps))];
    } finally {
      await release();
    }
  } catch (error) {
    if (!(error instanceof LockedError)) throw error;
    return left.map((leftover) => ({ leftover, removed: false, error }));
  }
}

async function takeOut(leftovers: readonly Leftover[], deps: RemovalDeps): Promise<readonly Removal[]> {
  const groups = [...groupBy(leftovers, ({ entry, owner }) => `${entry?.provider ?? ""} ${owner}`).values()];
  const done = await Promise.all(groups.map((group) => takeOutAt(group, deps)));
  deps.signal.throwIfAborted();
  return done.flat();
}

/** All of one owner, by one provider. */
async function takeOutAt(
  group: readonly Leftover[],
  { solvers, journal, clock, now, observer, signal }: RemovalDeps,
): Promise<readonly Removal[]> {
  const [first] = group;
  if (first === undefined) return [];
  const { owner, entry, placement } = first;
  try {
    const solver = entry === undefined ? await solvers.solverFor(owner) : await solvers.solverOf(entry.provider, owner);
    if (solver === undefined) throw notConfigured(owner, entry?.provider ?? "");
    const zoneCut = placement?.delegation.zone ?? (entry?.zone as DomainName | undefined);
    const values = group.map(({ value }) => value);
    const entries = group.flatMap((one) => one.entry ?? []);
    const item = { owner, values, zoneCut, writtenMsAgo: writtenMsAgo(entries, now()) };
    await cleanUpForGood(solver, [item], { clock, observer, signal });
    await journal.remove(entries.map(({ id }) => id));
    return group.map((leftover) => ({ leftover, removed: true }));
  } catch (error) {
    return group.map((leftover) => ({ leftover, removed: false, error }));
  }
}

function notConfigured(owner: DomainName, provider: string): ConfigError {
  const message = `the values at ${owner} were written by provider "${provider}", which this run is not configured for`;
  return new ConfigError([{ path: "--provider", message }], {
    fqdn: owner,
    hint: `Give -p ${provider} with its credentials.`,
  });
}

async function knownOf(entries: readonly JournalEntry[], deps: LeftoverDeps): Promise<readonly Leftover[]> {
  const busy = new Map<string, boolean>();
  for (const { certificate } of entries) {
    if (certificate !== "" && !busy.has(certificate)) busy.set(certificate, await isBusy(certificate, deps));
  }
  return entries.map((entry) => {
    const age = deps.now().getTime() - Date.parse(entry.createdAt);
    const byHand: LeftoverKind = age < RECENT_MS ? "in-use" : "presented";
    const ofRun: LeftoverKind = busy.get(entry.certificate) === true ? "in-use" : "left";
    const { owner, value } = entry;
    return { kind: entry.certificate === "" ? byHand : ofRun, owner: owner as DomainName, value, entry };
  });
}

async function isBusy(certificate: string, { certificates, signal }: LeftoverDeps): Promise<boolean> {
  try {
    const release = await certificates.lock(certificate, { signal, timeoutMs: 0 });
    await release();
    return false;
  } catch (error) {
    if (!(error instanceof LockedError)) throw error;
    return true;
  }
}

/** Whatever any of the nameservers has: one that lags shows what another has lost already. */
async function standingAt(
  placement: Placement,
  { dns, signal }: LeftoverDeps & { readonly dns: Pick<DnsDeps, "exchange"> },
): Promise<readonly Leftover[]> {
  const { owner, delegation } = placement;
  const answers = await Promise.all(
    delegation.servers.map((server) =>
      dns.exchange({ name: owner, type: "TXT", signal }, server).catch((error: unknown) => {
        if (!(error instanceof ExchangeError)) throw error;
        return undefined;
      }),
    ),
  );
  const usable = answers.flatMap((answer) => {
    const rcode = answer?.message.rcode;
    return answer !== undefined && (rcode === "NOERROR" || rcode === "NXDOMAIN") ? [answer.message] : [];
  });
  if (usable.length === 0) {
    throw new TransientError(`no nameserver of ${delegation.zone} says what stands at ${owner}`, {
      fqdn: owner,
      hint: "Check with `dns01 check` which of them answer from here.",
    });
  }
  const values = usable.flatMap(({ answers: records }) =>
    records.flatMap((record) => (record.name === owner ? (txtValue(record) ?? []) : [])),
  );
  return [...new Set(values)]
    .filter((value) => digest.test(value))
    .map((value) => ({ kind: "unknown", owner, value, placement }));
}
