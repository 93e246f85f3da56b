import assert from "node:assert/strict";
import { test, vi } from "vitest";
import { fieldsOf } from "../../src/core/fields.ts";
import { cases, connectBackend, type Runner, runCase, type Subject, testProvider } from "../../src/testing/index.ts";
import { createFastClock } from "../fakes/fast-clock.ts";
import { configChecks } from "./trial/config.ts";
import { economyChecks } from "./trial/economy.ts";
import { faultChecks } from "./trial/faults.ts";
import { interleavingChecks } from "./trial/interleavings.ts";
import { runCheck } from "./trial/lab.ts";
import { messageChecks } from "./trial/messages.ts";
import { expectInPage } from "./trial/page.ts";
import { secrecyChecks } from "./trial/secrecy.ts";
import type { AdapterTrial, Check } from "./trial/subject.ts";
import { zoneChecks } from "./trial/zones.ts";

export { perBatchOfSets, perRecord, perSet } from "./trial/economy.ts";
export type { AdapterFake, AdapterTrial } from "./trial/subject.ts";

/** Everything an adapter is tried for besides the conformance suite. */
export const checks: readonly Check[] = [
  ...configChecks,
  ...zoneChecks,
  ...economyChecks,
  ...interleavingChecks,
  ...faultChecks,
  ...messageChecks,
  ...secrecyChecks,
];

/** One seed that stays and one that does not; replay a failure with SEED=<number from its name>. */
const fixedSeed = 20_240_229;
const randomSeed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));
const soak = process.env["DNS01_SOAK"] === "1";

/**
 * Tries one adapter against its fake: the conformance suite, random interleavings of three programs that share nothing,
 * every kind of fault at every call, words, secrecy, number of calls, choice of the zone, and bad configuration.
 * DNS01_SOAK=1 makes 1,000 operations and 1,000 interleavings of it.
 *
 * @example
 * tryAdapter({ provider: cloudflare, shape: "record", start: startCloudflareFake });
 */
export function tryAdapter(trial: AdapterTrial): void {
  const { provider, skip = {} } = trial;
  const suiteIds = cases.map(({ id }) => id);
  const unknown = Object.keys(skip).filter((id) => !suiteIds.includes(id) && !checks.some((check) => check.id === id));
  if (unknown.length > 0) throw new Error(`skip names checks that do not exist: ${unknown.join(", ")}`);

  if (Object.keys(skip).length > 0) {
    test(`${provider.id}: its page says which rules are left out, and why`, () => expectInPage(provider.id, skip));
  }
  if (soak) vi.setConfig({ testTimeout: 600_000 });
  const subject = subjectOf(trial);
  testProvider(strictly, subject, { seed: randomSeed, operations: soak ? 1000 : 40 });
  for (const testCase of cases.filter(({ id, random }) => random && skip[id] === undefined)) {
    test(`${provider.id}: ${testCase.id} with a seed that stays`, () =>
      runCase(testCase, subject, { seed: fixedSeed, operations: soak ? 1000 : 40 }));
  }
  for (const check of checks) {
    const reason = skip[check.id];
    const seeds = check.id === "interleavings" ? [fixedSeed, randomSeed] : [fixedSeed];
    for (const seed of seeds) {
      const name = `${provider.id}: ${check.id} ${check.title}${seeds.length > 1 ? ` (seed ${seed})` : ""}`;
      if (reason !== undefined) test.skip(`${name} (skipped: ${reason})`, () => {});
      else
        test(name, { timeout: soak ? 600_000 : 60_000 }, () =>
          runCheck(check, trial, { seed, rounds: soak ? 1000 : 8 }),
        );
    }
  }
}

/** A rule that our own fake lacks something for fails: it needs a reason in `skip`, and in the provider's page. */
export const strictly: Runner = Object.assign(
  (name: string, run: (...context: readonly unknown[]) => Promise<void>) =>
    test(name, () => run({ skip: (reason: string) => assert.fail(reason) })),
  { skip: test.skip },
);

const notFound = { status: 404, headers: { "content-type": "text/html" }, body: "<html><h1>Not Found</h1></html>" };

const faultOf = {
  throttle: "throttle",
  unavailable: "error500",
  reset: "reset",
  page: "html200",
  lost: "lostResponse",
} as const;

/** The fake as a subject of the conformance suite. */
export function subjectOf(trial: AdapterTrial): Subject {
  const { provider, skip = {} } = trial;
  const suiteSkip = Object.entries(skip).filter(([id]) => cases.some((testCase) => testCase.id === id));
  return {
    provider,
    writers: trial.unconditional === undefined ? 3 : 1,
    skip: Object.fromEntries(suiteSkip),
    clock: createFastClock(100),
    timeoutMs: 600_000,
    requestTimeoutMs: 300_000,
    start: async (zones) => {
      const fake = await trial.start(zones);
      const { http, config, putOtherType, ttlSeconds, refuseCredentials, limitTo } = fake;
      const forever = Number.POSITIVE_INFINITY;
      return {
        connect: (signal) => connectBackend(provider, config, signal),
        values: async (apex, fqdn) => fake.values(apex, fqdn),
        put: async (apex, fqdn, values, ttl) => fake.put(apex, fqdn, values, ttl),
        ...(putOtherType && {
          putOtherType: async (apex, fqdn) => {
            const stands = putOtherType(apex, fqdn);
            return async () => stands();
          },
        }),
        ...(ttlSeconds && { ttlSeconds: async (apex, fqdn) => ttlSeconds(apex, fqdn) }),
        ...(refuseCredentials && { refuseCredentials: () => refuseCredentials() }),
        ...(limitTo && { limitTo: (apex) => limitTo(apex) }),
        takesAnyText: () => true,
        hangAt: (nth) => ({ ...http.inject({ kind: "hang", nth }), isOpen: () => http.hanging > 0 }),
        throttleFor: (retryAfterSeconds, nth) => http.inject({ kind: "throttleRetryAfter", retryAfterSeconds, nth }),
        notFoundPage: (nth) => http.inject({ kind: "reply", nth, reply: () => notFound }),
        loseNextAnswer: () => void http.inject({ kind: "lostResponse", when: ({ write }) => write }),
        inject: (fault, nth) => http.inject({ kind: faultOf[fault], nth }),
        disappear: () => http.close(),
        hang: () => void http.inject({ kind: "hang", times: forever }),
        secrets: fieldsOf(provider)
          .flatMap(({ name, secret }) => (secret ? [String(config[name] ?? "")] : []))
          .filter(Boolean),
        stop: () => fake.stop?.() ?? http.close(),
      };
    },
  };
}
