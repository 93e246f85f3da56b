import { createLock } from "../core/lock.ts";
import { type CaLimits, HOUR, type Level, limitsOf, MINUTE, readyAt, take } from "./budget-limits.ts";
import { type CaRecord, type CertificateRecord, type DomainRecord, openRecords, type Row } from "./budget-records.ts";
import type { Failure } from "./failure-kind.ts";
import type { BudgetStore } from "./ports.ts";

/** One certificate about to be ordered at one CA. */
export interface Attempt {
  /** The certificate's name in the state directory. */
  readonly certificate: string;
  readonly directoryUrl: string;
  /** As ordered: A-labels, wildcards with their star. */
  readonly names: readonly string[];
  /** "same-set": the CA has issued for exactly these names before. "ari": `replaces` is sent, inside the window. */
  readonly kind: "new" | "same-set" | "ari";
}

/** Whether to try now; else from when on, in milliseconds of the wall clock, and why not before. */
export type Permit =
  | { readonly allowed: true }
  | {
      readonly allowed: false;
      readonly until: number;
      readonly reason: string;
      /** It is this CA's doing: another one may be asked meanwhile. */
      readonly elsewhere: boolean;
    };

/**
 * Keeps us below what a CA would refuse, and apart from it when it fails: every start of the program sees what earlier
 * ones used up. All that is kept can be lost without harm but for the limits themselves.
 */
export interface Budget {
  check(attempt: Attempt): Promise<Permit>;
  /** The order is about to be placed. */
  begin(attempt: Attempt): Promise<void>;
  succeeded(attempt: Attempt): Promise<void>;
  /** Answers when the certificate may be tried again at this CA. */
  failed(attempt: Attempt, failure: Failure): Promise<number>;
  /** Somebody has changed the configuration: what failed on the way to the CA may be mended. */
  forgive(certificate: string): Promise<void>;
}

export interface BudgetOptions {
  readonly store: BudgetStore;
  /** Wall clock. */
  readonly now: () => number;
  /** A clock that never jumps: an hour between failures is an hour for the CA, too. */
  readonly steady: () => number;
  readonly random: () => number;
  /** "example.co.uk" of "www.example.co.uk". */
  readonly registeredDomain: (name: string) => string;
  readonly limits?: (directoryUrl: string) => CaLimits;
}

/** After the first failure, the second, the third; a day after every further one (Let's Encrypt's integration guide). */
const backOffMs = [MINUTE, 10 * MINUTE, 100 * MINUTE, 24 * HOUR] as const;

/** While a CA cannot be reached nobody tries it but one certificate after each of these. */
const outageMs = [MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR] as const;

export function createBudget(options: BudgetOptions): Budget {
  const { now, random, limits = limitsOf } = options;
  const records = openRecords(options.store, now);
  const lock = createLock();
  const patient = new AbortController().signal;
  /** When names failed last, by the steady clock; for this process. */
  const recent = new Map<string, number>();
  const domainsOf = ({ names }: Attempt) =>
    [...new Set(names.map((name) => options.registeredDomain(baseOf(name))))].sort();

  /** Later by up to a tenth, so that what failed together is not tried together. Never earlier. */
  const after = (steps: readonly number[], count: number): number => {
    const step = steps[Math.min(count, steps.length) - 1] ?? 0;
    return now() + Math.round(step * (1 + random() * 0.1));
  };

  async function check(attempt: Attempt): Promise<Permit> {
    const at = now();
    const { directoryUrl } = attempt;
    const limit = limits(directoryUrl);
    const bars: Bar[] = [];
    const certificate = await records.certificate(attempt.certificate);
    for (const row of [certificate.cas[directoryUrl], certificate.local])
      if (row !== undefined) bars.push(barOfRow(row));
    const ca = await records.ca(directoryUrl);
    for (const pause of [ca.limited, ca.outage]) if (pause !== undefined) bars.push({ ...pause, elsewhere: true });
    if (limit.orders !== undefined && attempt.kind === "new")
      bars.push(barOf(ca.orders, limit.orders, 1, at, `${limit.orders.size} orders of this account`));
    for (const domain of domainsOf(attempt)) {
      const record = await records.domain(directoryUrl, domain);
      bars.push(...domainBars(attempt, domain, record, limit, at));
    }
    const barring = bars.filter((bar) => bar.until > at);
    const [last] = barring.sort((a, b) => b.until - a.until);
    return last === undefined
      ? { allowed: true }
      : { allowed: false, ...last, elsewhere: barring.every((bar) => bar.elsewhere) };
  }

  function domainBars(attempt: Attempt, domain: string, record: DomainRecord, limit: CaLimits, at: number): Bar[] {
    const bars: Bar[] = [];
    if (record.limited !== undefined) bars.push({ ...record.limited, elsewhere: true });
    if (limit.domainCertificates !== undefined && attempt.kind === "new") {
      const what = `${limit.domainCertificates.size} certificates of ${domain}`;
      bars.push(barOf(record.certificates, limit.domainCertificates, 1, at, what));
    }
    if (limit.setCertificates !== undefined && attempt.kind !== "ari") {
      const what = `${limit.setCertificates.size} certificates of this set of names`;
      bars.push(barOf(record.sets[setOf(attempt)], limit.setCertificates, 1, at, what));
    }
    for (const name of new Set(attempt.names.map(baseOf))) {
      const past = record.names[name];
      const steadyAt = recent.get(`${attempt.directoryUrl} ${name}`) ?? Number.NEGATIVE_INFINITY;
      const failedAt = Math.max(past?.failedAt ?? Number.NEGATIVE_INFINITY, at + steadyAt - options.steady());
      const reason = `validation of ${name} failed less than an hour ago`;
      bars.push({ until: failedAt + HOUR, reason, elsewhere: false });
      if (past === undefined) continue;
      // The last failure is left alone: it may be needed by another program, and the CA's count is the one that counts.
      bars.push(barOf(past.failures, limit.failures, 2, at, `failures of ${name}`));
      if (limit.consecutive !== undefined)
        bars.push(barOf(past.consecutive, limit.consecutive, 2, at, `failures in a row of ${name}`));
    }
    return bars;
  }

  const changeCa = (attempt: Attempt, change: (record: CaRecord) => CaRecord) =>
    lock.hold([`ca ${attempt.directoryUrl}`], patient, () => records.changeCa(attempt.directoryUrl, change));
  const changeDomain = (attempt: Attempt, domain: string, change: (record: DomainRecord) => DomainRecord) =>
    lock.hold([`domain ${domain}`], patient, () => records.changeDomain(attempt.directoryUrl, domain, change));
  const changeCertificate = (name: string, change: (record: CertificateRecord) => CertificateRecord) =>
    lock.hold([`certificate ${name}`], patient, () => records.changeCertificate(name, change));

  /** One more failure in a row, of the certificate's own (`local`) or at one CA. */
  async function backOff(attempt: Attempt, failure: Failure): Promise<number> {
    let retryAt = 0;
    await changeCertificate(attempt.certificate, (record) => {
      const before = failure.kind === "local" ? record.local : record.cas[attempt.directoryUrl];
      const failures = (before?.failures ?? 0) + 1;
      retryAt = Math.max(after(backOffMs, failures), now() + (failure.retryAfterMs ?? 0));
      const entry = { failures, retryAt, code: failure.code };
      return failure.kind === "local"
        ? { ...record, local: entry }
        : { ...record, cas: { ...record.cas, [attempt.directoryUrl]: entry } };
    });
    return retryAt;
  }

  async function countInvalid(attempt: Attempt, names: readonly string[]): Promise<number> {
    const at = now();
    const limit = limits(attempt.directoryUrl);
    for (const domain of domainsOf(attempt)) {
      const failing = names.filter((name) => options.registeredDomain(name) === domain);
      if (failing.length === 0) continue;
      await changeDomain(attempt, domain, (record) => {
        const counted = failing.map((name) => {
          const past = record.names[name];
          const consecutive =
            limit.consecutive === undefined ? {} : { consecutive: take(past?.consecutive, limit.consecutive, at) };
          return [name, { failedAt: at, failures: take(past?.failures, limit.failures, at), ...consecutive }] as const;
        });
        return { ...record, names: { ...record.names, ...Object.fromEntries(counted) } };
      });
    }
    for (const name of names) {
      // Bounded: the oldest is forgotten first, and the store knows it still.
      if (recent.size >= 20_000) recent.delete(recent.keys().next().value ?? "");
      recent.delete(`${attempt.directoryUrl} ${name}`);
      recent.set(`${attempt.directoryUrl} ${name}`, options.steady());
    }
    return at + HOUR;
  }

  async function pause(attempt: Attempt, failure: Failure & { readonly kind: "limited" }): Promise<number> {
    const until = now() + (failure.retryAfterMs ?? HOUR);
    const limited = { until, reason: failure.message };
    if (failure.of === "account") {
      await changeCa(attempt, (record) => ({ ...record, limited }));
      return until;
    }
    for (const domain of domainsOf(attempt)) await changeDomain(attempt, domain, (record) => ({ ...record, limited }));
    return until;
  }

  /** The first failure may be this certificate's bad luck; the second one in a row is the CA's. */
  async function noteOutage(attempt: Attempt, failure: Failure): Promise<number> {
    let until = now();
    await changeCa(attempt, (record) => {
      const outages = (record.outages ?? 0) + 1;
      if (outages < 2) return { ...record, outages };
      until = Math.max(after(outageMs, outages - 1), now() + (failure.retryAfterMs ?? 0));
      return { ...record, outages, outage: { until, reason: failure.message } };
    });
    return Math.max(until, now() + MINUTE);
  }

  return {
    check,

    forgive: (name) => changeCertificate(name, ({ cas }) => ({ cas })),

    async begin(attempt) {
      const limit = limits(attempt.directoryUrl).orders;
      if (limit === undefined || attempt.kind === "ari") return;
      await changeCa(attempt, (record) => ({ ...record, orders: take(record.orders, limit, now()) }));
    },

    async succeeded(attempt) {
      const at = now();
      const limit = limits(attempt.directoryUrl);
      await changeCertificate(attempt.certificate, () => ({ cas: {} }));
      await changeCa(attempt, ({ outages: _, outage: __, ...record }) => record);
      for (const domain of domainsOf(attempt)) {
        const proven = new Set(attempt.names.map(baseOf));
        await changeDomain(attempt, domain, (record) => ({
          // What was valid once more is not failing any more; the CA forgets the row of failures, too.
          names: Object.fromEntries(Object.entries(record.names).filter(([name]) => !proven.has(name))),
          ...(record.limited === undefined || record.limited.until <= at ? {} : { limited: record.limited }),
          certificates: spent(record.certificates, attempt.kind === "new" ? limit.domainCertificates : undefined, at),
          sets: withSet(record.sets, attempt, limit, at),
        }));
      }
    },

    async failed(attempt, failure) {
      switch (failure.kind) {
        case "unavailable":
          return await noteOutage(attempt, failure);
        case "limited":
          return Math.max(await backOff(attempt, failure), await pause(attempt, failure));
        case "invalid": {
          const hourly = await countInvalid(
            attempt,
            failure.names.length > 0 ? failure.names : attempt.names.map(baseOf),
          );
          return Math.max(hourly, await backOff(attempt, failure));
        }
        case "refused":
        case "local":
          return await backOff(attempt, failure);
      }
    },
  };
}

interface Bar {
  readonly until: number;
  readonly reason: string;
  readonly elsewhere: boolean;
}

function barOfRow({ retryAt, failures, code }: Row): Bar {
  const times = failures === 1 ? "once" : `${failures} times in a row`;
  return { until: retryAt, reason: `it failed ${times} (${code})`, elsewhere: code === "RATE_LIMITED" };
}

function barOf(
  level: Level | undefined,
  limit: { size: number; perMs: number },
  wanted: number,
  now: number,
  what: string,
): Bar {
  return { until: readyAt(level, limit, wanted, now), reason: `the CA's limit: ${what}`, elsewhere: true };
}

function spent(
  level: Level | undefined,
  limit: { size: number; perMs: number } | undefined,
  now: number,
): Level | undefined {
  return limit === undefined ? level : take(level, limit, now);
}

function withSet(
  sets: Readonly<Record<string, Level>>,
  attempt: Attempt,
  limit: CaLimits,
  now: number,
): Readonly<Record<string, Level>> {
  const { setCertificates } = limit;
  if (setCertificates === undefined || attempt.kind === "ari") return sets;
  const young = Object.entries(sets).filter(([, level]) => now - level.at < setCertificates.perMs);
  const key = setOf(attempt);
  return { ...Object.fromEntries(young), [key]: take(sets[key], setCertificates, now) };
}

/** The set as one text; sorted, since the CA does not look at the order. */
function setOf({ names }: Attempt): string {
  return [...names].sort().join(",");
}

function baseOf(name: string): string {
  return name.startsWith("*.") ? name.slice(2) : name;
}
