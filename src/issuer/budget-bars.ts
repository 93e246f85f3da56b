import type { Attempt } from "./budget-attempt.ts";
import { type CaLimits, HOUR, type Level, type Limit, readyAt } from "./budget-limits.ts";
import type { CaRecord, CertificateRecord, DomainRecord, Row } from "./budget-records.ts";

/** Something that speaks against a try before `until`, in milliseconds of the wall clock. */
export interface Bar {
  readonly until: number;
  readonly reason: string;
  /** It is this CA's doing: another one may be asked meanwhile. */
  readonly elsewhere: boolean;
}

/** The part of an attempt that counts against one registered domain. */
export interface DomainAttempt {
  readonly domain: string;
  readonly kind: "new" | "same-set" | "ari";
  /** The attempt's names in it, without stars. */
  readonly names: readonly string[];
  /** The key of the attempt's whole set of names. */
  readonly set: string;
  /** When a name failed last in this process, by the clock `now` is of; a jump of the wall clock does not touch it. */
  readonly failedAt: (name: string) => number;
  readonly isByHand: boolean;
}

/** What the certificate itself has met: at this CA, and on the way to any. */
export function* certificateBars(record: CertificateRecord, directoryUrl: string, isByHand: boolean): Iterable<Bar> {
  if (isByHand) return;
  for (const row of [record.cas[directoryUrl], record.local]) if (row !== undefined) yield barOfRow(row);
}

/** What holds for everything that is ordered at this CA. */
export function* caBars(
  record: CaRecord,
  limits: CaLimits,
  { kind, isByHand }: Pick<Attempt, "kind" | "isByHand">,
  now: number,
): Iterable<Bar> {
  const outage = isByHand === true ? undefined : record.outage;
  for (const pause of [record.limited, outage]) if (pause !== undefined) yield { ...pause, elsewhere: true };
  if (limits.orders !== undefined && kind === "new")
    yield* barOf(record.orders, limits.orders, 1, now, `${limits.orders.size} orders of this account`);
}

export function* domainBars(
  { domain, kind, names, set, failedAt, isByHand }: DomainAttempt,
  record: DomainRecord,
  limits: CaLimits,
  now: number,
): Iterable<Bar> {
  const { domainCertificates, setCertificates } = limits;
  if (record.limited !== undefined) yield { ...record.limited, elsewhere: true };
  if (domainCertificates !== undefined && kind === "new") {
    const what = `${domainCertificates.size} certificates of ${domain}`;
    yield* barOf(record.certificates, domainCertificates, 1, now, what);
  }
  if (setCertificates !== undefined && kind !== "ari") {
    const what = `${setCertificates.size} certificates of this set of names`;
    yield* barOf(record.sets[set], setCertificates, 1, now, what);
  }
  for (const name of names) {
    const past = record.names[name];
    const failed = Math.max(past?.failedAt ?? Number.NEGATIVE_INFINITY, failedAt(name));
    if (failed + HOUR > now && !isByHand) {
      yield { until: failed + HOUR, reason: `validation of ${name} failed less than an hour ago`, elsewhere: false };
    }
    if (past === undefined) continue;
    // The last failure is left alone: it may be needed by another program, and the CA's count is the one that counts.
    yield* barOf(past.failures, limits.failures, 2, now, `failures of ${name}`);
    if (limits.consecutive !== undefined)
      yield* barOf(past.consecutive, limits.consecutive, 2, now, `failures in a row of ${name}`);
  }
}

function barOfRow({ retryAt, failures, code }: Row): Bar {
  const times = failures === 1 ? "once" : `${failures} times in a row`;
  return { until: retryAt, reason: `it failed ${times} (${code})`, elsewhere: code === "RATE_LIMITED" };
}

function* barOf(level: Level | undefined, limit: Limit, wanted: number, now: number, what: string): Iterable<Bar> {
  const until = readyAt(level, limit, wanted, now);
  if (until > now) yield { until, reason: `the CA's limit: ${what}`, elsewhere: true };
}
