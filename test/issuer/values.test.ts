import { expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { silent } from "../../src/core/events.ts";
import type { DomainName } from "../../src/core/name.ts";
import type { Solver } from "../../src/core/solver.ts";
import type { Journal } from "../../src/issuer/ports.ts";
import { removeAll } from "../../src/issuer/values.ts";

test("a clean-up that runs out of time says so in our words, and the journal keeps the value", async () => {
  const removed: string[] = [];
  const waits = async (_wanted: unknown, signal: AbortSignal) => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    signal.throwIfAborted();
  };
  const solver = { provider: "slow", cleanUp: waits } as unknown as Solver;
  const journal = { remove: async (ids: readonly string[]) => void removed.push(...ids) } as unknown as Journal;
  const items = [{ id: "1", owner: "_acme-challenge.example.test" as DomainName, value: "v" }];
  const [warning] = await removeAll(solver, items, {
    journal,
    clock: systemClock,
    observer: silent,
    signal: AbortSignal.timeout(5),
  });
  expect(warning?.text).toBe(
    "1 TXT value(s) could not be taken out at _acme-challenge.example.test: the service did not do it in the time there was. The journal remembers them; the next run tries again.",
  );
  expect(removed).toEqual([]);
});
