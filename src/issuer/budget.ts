import { type Attempt, baseOf, countOf } from "./budget-attempt.ts";
import { type Bar, caBars, certificateBars, domainBars } from "./budget-bars.ts";
import { createFailures } from "./budget-failures.ts";
import { type CaLimits, type Level, limitsOf, take } from "./budget-limits.ts";
import { type CertificateRecord, type DomainRecord, noCertificate, openRecords } from "./budget-records.ts";
import type { Failure } from "./failure-kind.ts";
import type { BudgetStore } from "./ports.ts";

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

const allowed: Permit = { allowed: true };

export function createBudget(options: BudgetOptions): Budget {
  const { now, steady, registeredDomain, limits = limitsOf } = options;
  const records = openRecords(options.store, now);
  const failures = createFailures({ ...options, limits, records });

  async function check(attempt: Attempt): Promise<Permit> {
    const at = now();
    const { certificate, directoryUrl, kind, isByHand = false } = attempt;
    const limit = limits(directoryUrl);
    let last: Bar | undefined;
    let elsewhere = true;
    const weigh = (bars: Iterable<Bar>) => {
      for (const bar of bars) {
        if (bar.until <= at) continue;
        if (last === undefined || bar.until > last.until) last = bar;
        elsewhere &&= bar.elsewhere;
      }
    };
    weigh(caBars(await records.ca(directoryUrl), limit, attempt, at));
    const { domains, set } = countOf(attempt, registeredDomain);
    const drift = at - steady();
    const failedAt = (name: string) => failures.lastOf(directoryUrl, name) + drift;
    for (const [domain, names] of domains) {
      const record = await records.domain(directoryUrl, domain);
      weigh(domainBars({ domain, kind, names, set, failedAt, isByHand }, record, limit, at));
    }
    // Last: of two bars that end together, what the CA said tells more.
    weigh(certificateBars(await records.certificate(certificate), directoryUrl, isByHand));
    return last === undefined ? allowed : { allowed: false, until: last.until, reason: last.reason, elsewhere };
  }

  return {
    check,

    forgive: (name) => records.changeCertificate(name, ({ cas }) => ({ cas })),

    async begin({ directoryUrl, kind }) {
      const limit = limits(directoryUrl).orders;
      if (limit === undefined || kind === "ari") return;
      await records.changeCa(directoryUrl, (record) => ({ ...record, orders: take(record.orders, limit, now()) }));
    },

    async succeeded(attempt) {
      const at = now();
      const { directoryUrl } = attempt;
      const limit = limits(directoryUrl);
      const { domains, set } = countOf(attempt, registeredDomain);
      await records.changeCertificate(attempt.certificate, (record) =>
        attempt.isTrial === true ? withoutRow(record, directoryUrl) : noCertificate,
      );
      await records.changeCa(directoryUrl, ({ outages: _, outage: __, ...record }) => record);
      for (const domain of domains.keys()) {
        await records.changeDomain(directoryUrl, domain, (record) => afterSuccess(record, attempt, set, limit, at));
      }
    },

    failed: failures.failed,
  };
}

/** What was valid once more is not failing any more; the CA forgets the row of failures, too. */
function afterSuccess(record: DomainRecord, attempt: Attempt, set: string, limits: CaLimits, now: number) {
  const { limited, names, certificates } = record;
  const { domainCertificates, setCertificates } = limits;
  const proven = new Set(attempt.names.map(baseOf));
  const isIssued = attempt.isTrial !== true;
  const isSpent = isIssued && domainCertificates !== undefined && attempt.kind === "new";
  const isCounted = isIssued && setCertificates !== undefined && attempt.kind !== "ari";
  return {
    names: Object.fromEntries(Object.entries(names).filter(([name]) => !proven.has(name))),
    sets: isCounted ? withSet(record.sets, set, setCertificates, now) : record.sets,
    ...(limited === undefined || limited.until <= now ? {} : { limited }),
    certificates: isSpent ? take(certificates, domainCertificates, now) : certificates,
  };
}

/** A trial that succeeds at one CA says nothing of what another one refused. */
function withoutRow({ cas, ...record }: CertificateRecord, directoryUrl: string): CertificateRecord {
  const { [directoryUrl]: _, ...others } = cas;
  return { ...record, cas: others };
}

function withSet(
  sets: Readonly<Record<string, Level>>,
  set: string,
  limit: NonNullable<CaLimits["setCertificates"]>,
  now: number,
): Readonly<Record<string, Level>> {
  const young = Object.entries(sets).filter(([, level]) => now - level.at < limit.perMs);
  return { ...Object.fromEntries(young), [set]: take(sets[set], limit, now) };
}
