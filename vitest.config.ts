import { defineConfig } from "vitest/config";

/**
 * On a machine that is shared, real servers are sometimes late. In CI such a test has a second try, and scripts/test.mjs
 * lists it at the end; tests of what must never happen (early answers, lost values, crashes) have `retry: 0` themselves.
 */
const retry = ["", "0", "false", undefined].includes(process.env["CI"]) ? 0 : 1;

/** `unit` needs nothing but Node; `real` starts Debian's servers and runs the built command line. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          retry,
          include: ["test/**/*.test.ts"],
          exclude: ["test/real/**"],
          // Five at once also on two cores: most of their time is spent waiting for servers that are slow on purpose.
          maxWorkers: 5,
          testTimeout: 60_000,
          hookTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: "real",
          retry,
          include: ["test/real/**/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
          // After the unit tests: real servers keep real time, which a busy machine would disturb.
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
