import { describe, expect, test } from "vitest";
import { cases, runCase } from "../../src/testing/index.ts";
import { mutants } from "./mutants/index.ts";
import { worldSubject } from "./world.ts";

const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));

describe("the conformance suite", () => {
  test("has a mutant for each rule", () => {
    expect([...new Set(mutants.map(({ rule }) => rule))].sort()).toEqual(cases.map(({ id }) => id).sort());
  });

  // Side by side, because some of them wait until the program gives up.
  test.concurrent.each(mutants)(
    "fails $rule for a backend that $fault, and nothing else",
    async ({ rule, fault, also = [], connect }) => {
      const outcomes = await Promise.allSettled(
        cases.map((testCase) => runCase(testCase, worldSubject("mutant", connect), { seed, operations: 200 })),
      );
      const failed = cases.flatMap(({ id }, i) => (outcomes[i]?.status === "rejected" ? [id] : []));
      const allowed = new Set([rule, ...also]);
      expect(failed, `${fault} (seed ${seed})`).toContain(rule);
      expect(
        failed.filter((id) => !allowed.has(id)),
        `${fault} (seed ${seed})`,
      ).toEqual([]);
    },
  );
});
