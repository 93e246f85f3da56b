import { describe, expect, test } from "vitest";
import { forEachInOrder } from "../../src/core/conduct.ts";
import { toyRecordProvider, toyRRsetProvider } from "./toy-adapters.ts";
import { startToyService } from "./toy-service.ts";
import { runCheck } from "./trial/lab.ts";
import { checks, perSet, tryAdapter } from "./trial.ts";
import { toyTrial, trialMutants } from "./trial-mutants.ts";

const soak = process.env["DNS01_SOAK"] === "1";

tryAdapter({ ...toyTrial, provider: toyRecordProvider() });
tryAdapter({ ...toyTrial, provider: toyRRsetProvider(), shape: "rrset", economy: perSet });
if (soak) {
  const reason = "its PUT compares nothing";
  const provider = toyRRsetProvider({}, false);
  tryAdapter({ provider, shape: "rrset", start: startToyService, unconditional: reason, economy: perSet });
}

describe("the trial", () => {
  test("has a wrong adapter for each of its checks", () => {
    expect(trialMutants.map(({ check }) => check).sort()).toEqual(checks.map(({ id }) => id).sort());
  });

  // The slow checks are tried on every wrong adapter in a soak only.
  const slow = /^(interleavings|faults\.|secrecy|messages\.equal)/;
  test.each(trialMutants)(
    "fails $check for an adapter that $fault, and nothing else",
    { timeout: soak ? 120_000 : 20_000 },
    async ({ check: wanted, fault, also = [], trial }) => {
      const tried = checks.filter(({ id }) => soak || id === wanted || also.includes(id) || !slow.test(id));
      const failed: string[] = [];
      const said: string[] = [];
      await forEachInOrder(tried, 4, async (check) => {
        await runCheck(check, trial(), { seed: 7, rounds: 20 }).catch((error: unknown) => {
          failed.push(check.id);
          said.push(`${check.id}: ${error instanceof Error ? error.message : String(error)}`);
        });
      });
      const why = [fault, ...said].join("\n");
      expect(failed, why).toContain(wanted);
      expect(
        failed.filter((id) => id !== wanted && !also.includes(id)),
        why,
      ).toEqual([]);
    },
  );
});
