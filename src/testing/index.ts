import { addingCases } from "./adding.ts";
import { concurrencyCases } from "./concurrency.ts";
import { errorCases } from "./errors.ts";
import { faultCases } from "./faults.ts";
import { nameCases } from "./names.ts";
import { pagingCases } from "./paging.ts";
import { refusalCases } from "./refusals.ts";
import { removingCases } from "./removing.ts";
import { restartCases } from "./restarts.ts";
import { secrecyCases } from "./secrecy.ts";
import { siblingCases } from "./siblings.ts";
import { runCase } from "./stage.ts";
import type { Case, Subject } from "./subject.ts";
import { zoneCases } from "./zones.ts";

export { type ConnectOptions, connectBackend } from "./connect.ts";
export {
  type FakeAnswer,
  type FakeOptions,
  type FakeRecord,
  type FakeRequest,
  type FakeZone,
  startFake,
} from "./fake.ts";
export { type Fake, withFake } from "./fake-subject.ts";
export { runCase } from "./stage.ts";
export type { Case, HungRequest, InjectedFault, Service, ServiceFault, Subject } from "./subject.ts";
export { decodeTxt, encodeTxt } from "./txt.ts";

/** `test` of node:test, vitest, jest or mocha. */
export interface Runner {
  (name: string, run: (...context: readonly unknown[]) => Promise<void>): unknown;
  readonly skip?: (name: string, run: () => Promise<void>) => unknown;
}

export interface SuiteOptions {
  /** Where the random cases begin; printed in their failures. Default: another one each time. */
  readonly seed?: number;
  /** Operations of the random cases. Default 1,000. */
  readonly operations?: number;
}

/** Every rule a provider has to keep, in order of subject. */
export const cases: readonly Case[] = [
  ...zoneCases,
  ...addingCases,
  ...removingCases,
  ...siblingCases,
  ...restartCases,
  ...concurrencyCases,
  ...nameCases,
  ...pagingCases,
  ...faultCases,
  ...errorCases,
  ...refusalCases,
  ...secrecyCases,
];

/**
 * Registers the conformance suite for one provider.
 *
 * @example
 * import { test } from "node:test";
 * testProvider(test, { provider, start: startFake });
 */
export function testProvider(test: Runner, subject: Subject, options: SuiteOptions = {}): void {
  const { seed = Math.floor(Math.random() * 2 ** 32), operations = 1000 } = options;
  const unknown = Object.keys(subject.skip ?? {}).filter((id) => !cases.some((c) => c.id === id));
  if (unknown.length > 0) throw new Error(`skip names rules that do not exist: ${unknown.join(", ")}`);
  for (const testCase of cases) {
    const replay = testCase.random ? ` (seed ${seed})` : "";
    const name = `${subject.provider.id}: ${testCase.id} ${testCase.title}${replay}`;
    const reason = subject.skip?.[testCase.id];
    if (reason === undefined) {
      // Not a parameter: jest would take it for a callback.
      test(name, async (...context) => {
        let untried: string | undefined;
        await runCase(testCase, subject, { seed, operations, onUntried: (why) => (untried = why) });
        if (untried !== undefined) skipNow(context[0], name, untried);
      });
    } else {
      (test.skip ?? test)(`${name} (skipped: ${reason})`, async () => {});
    }
  }
}

/** By the context that node:test and vitest give a test; other runners have none, and the reason is printed there. */
function skipNow(context: unknown, name: string, reason: string): void {
  const { skip } = (context ?? {}) as { readonly skip?: unknown };
  if (typeof skip === "function") skip.call(context, reason);
  else console.log(`${name} (skipped: ${reason})`);
}
