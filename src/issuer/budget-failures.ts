import { type Attempt, baseOf, countOf } from "./budget-attempt.ts";
import { type CaLimits, HOUR, MINUTE, take } from "./budget-limits.ts";
import type { Records } from "./budget-records.ts";
import { diskRetryMs } from "./disk-trouble.ts";
import type { Failure } from "./failure-kind.ts";

/** Counts what went wrong, and says for how long it is left alone. */
export interface Failures {
  /** Answers when the certificate may be tried again at this CA. */
  failed(attempt: Attempt, failure: Failure): Promise<number>;
  /** When validation of the name failed last in this process, by the steady clock. */
  lastOf(directoryUrl: string, name: string): number;
}

export interface FailuresDeps {
  readonly records: Records;
  readonly now: () => number;
  readonly steady: () => number;
  readonly random: () => number;
  readonly registeredDomain: (name: string) => string;
  readonly limits: (directoryUrl: string) => CaLimits;
}

/** After the first failure, the second, the third; a day after every further one (Let's Encrypt's integration guide). */
const backOffMs = [MINUTE, 10 * MINUTE, 100 * MINUTE, 24 * HOUR] as const;

/** While a CA cannot be reached nobody tries it but one certificate after each of these. */
const outageMs = [MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR] as const;

export function createFailures(deps: FailuresDeps): Failures {
  const { records, now, random, limits, registeredDomain } = deps;
  /** When names failed last, by the steady clock; for this process. */
  const recent = new Map<string, number>();

  /** Later by up to a tenth, so that what failed together is not tried together. Never earlier. */
  const after = (steps: readonly number[], count: number): number => {
    const step = steps[Math.min(count, steps.length) - 1] ?? 0;
    return now() + Math.round(step * (1 + random() * 0.1));
  };

  /** One more failure in a row, of the certificate's own (`local`) or at one CA. */
  async function backOff({ certificate, directoryUrl }: Attempt, failure: Failure): Promise<number> {
    let retryAt = 0;
    await records.changeCertificate(certificate, (record) => {
      const before = failure.kind === "local" ? record.local : record.cas[directoryUrl];
      const failures = (before?.failures ?? 0) + 1;
      retryAt = Math.max(after(backOffMs, failures), now() + (failure.retryAfterMs ?? 0));
      const entry = { failures, retryAt, code: failure.code };
      return failure.kind === "local"
        ? { ...record, local: entry }
        : { ...record, cas: { ...record.cas, [directoryUrl]: entry } };
    });
    return retryAt;
  }

  async function countInvalid(attempt: Attempt, names: readonly string[]): Promise<number> {
    const at = now();
    const { directoryUrl } = attempt;
    const limit = limits(directoryUrl);
    for (const domain of countOf(attempt, registeredDomain).domains.keys()) {
      const failing = names.filter((name) => registeredDomain(name) === domain);
      if (failing.length === 0) continue;
      await records.changeDomain(directoryUrl, domain, (record) => {
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
      recent.delete(`${directoryUrl} ${name}`);
      recent.set(`${directoryUrl} ${name}`, deps.steady());
    }
    return at + HOUR;
  }

  async function pause(attempt: Attempt, failure: Failure & { readonly kind: "limited" }): Promise<number> {
    const { directoryUrl } = attempt;
    const until = now() + (failure.retryAfterMs ?? HOUR);
    const limited = { until, reason: failure.message };
    if (failure.of === "account") {
      await records.changeCa(directoryUrl, (record) => ({ ...record, limited }));
      return until;
    }
    for (const domain of countOf(attempt, registeredDomain).domains.keys())
      await records.changeDomain(directoryUrl, domain, (record) => ({ ...record, limited }));
    return until;
  }

  /** One that lies further ahead than any is long was written by a clock that has been set back. */
  const isUnderWay = <T extends { readonly until: number }>(outage: T | undefined): outage is T =>
    outage !== undefined && outage.until > now() && outage.until <= now() + 1.1 * HOUR;

  /** The first failure may be this certificate's bad luck; the second one in a row is the CA's. */
  async function noteOutage({ directoryUrl }: Attempt, failure: Failure): Promise<number> {
    let until = now();
    await records.changeCa(directoryUrl, (record) => {
      const asked = now() + (failure.retryAfterMs ?? 0);
      // Begun before the outage was known, or by hand: the same outage once more, not a longer one.
      if (isUnderWay(record.outage)) {
        until = Math.max(record.outage.until, asked);
        return { ...record, outage: { ...record.outage, until } };
      }
      const outages = (record.outages ?? 0) + 1;
      if (outages < 2) return { ...record, outages };
      until = Math.max(after(outageMs, outages - 1), asked);
      return { ...record, outages, outage: { until, reason: failure.message } };
    });
    return Math.max(until, now() + MINUTE);
  }

  return {
    lastOf: (directoryUrl, name) =>
      recent.size === 0
        ? Number.NEGATIVE_INFINITY
        : (recent.get(`${directoryUrl} ${name}`) ?? Number.NEGATIVE_INFINITY),

    async failed(attempt, failure) {
      switch (failure.kind) {
        case "unavailable":
          return await noteOutage(attempt, failure);
        case "limited":
          // Some ask for a day's patience with an order that takes them a minute: others are not to wait for that.
          if (failure.of === "order") return await backOff(attempt, failure);
          return Math.max(await backOff(attempt, failure), await pause(attempt, failure));
        case "invalid": {
          const names = failure.names.length > 0 ? failure.names : attempt.names.map(baseOf);
          return Math.max(await countInvalid(attempt, names), await backOff(attempt, failure));
        }
        case "disk":
          // Not counted: the record could not be written either.
          return now() + diskRetryMs;
        case "refused":
        case "local":
          return await backOff(attempt, failure);
      }
    },
  };
}
