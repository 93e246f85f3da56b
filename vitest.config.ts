import { defineConfig } from "vitest/config";

/** `unit` needs nothing but Node; `real` starts Debian's servers and runs the built command line. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
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
