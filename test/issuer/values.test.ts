import { expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { RejectedError } from "../../src/core/errors.ts";
import { silent } from "../../src/core/events.ts";
import { type DomainName, parseName } from "../../src/core/name.ts";
import { combineFailures, type Solver } from "../../src/core/solver.ts";
import type { Journal, JournalEntry } from "../../src/issuer/ports.ts";
import { createValueLedger, removeAll } from "../../src/issuer/values.ts";

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
    "1 TXT value could not be taken out at _acme-challenge.example.test: the service did not do it in the time there was. The journal remembers them; the next run tries again.",
  );
  expect(removed).toEqual([]);
});

/** A journal in memory, and a solver whose zones end as `end` says. */
function refusing(end: (zones: readonly string[]) => unknown) {
  const entries = new Map<string, JournalEntry>();
  const journal: Journal = {
    add: async (given) =>
      given.map((entry) => {
        const noted = { ...entry, id: String(entries.size), createdAt: "2026-01-01T00:00:00Z" };
        entries.set(noted.id, noted);
        return noted;
      }),
    remove: async (ids) => {
      for (const id of ids) entries.delete(id);
    },
    list: async () => [...entries.values()],
  };
  const out: string[] = [];
  const zoneOf = (owner: DomainName) => parseName(owner.replace("_acme-challenge.", ""));
  const solver = {
    provider: "fake",
    locate: async (owner) => ({ apex: zoneOf(owner), id: owner }),
    present: async (items) => Promise.reject(end(items.map(({ owner }) => zoneOf(owner)))),
    cleanUp: async (items) => {
      out.push(...items.map(({ owner }) => owner));
      return [];
    },
  } as Solver;
  const solvers = { solverFor: async () => solver, solverOf: async () => solver };
  const ledger = createValueLedger({ solvers, journal, clock: systemClock, observer: silent }, "example");
  const wanted = ["one.test", "two.test"].map((zone) => ({
    owner: parseName(`_acme-challenge.${zone}`),
    zoneCut: parseName(zone),
    values: ["v"],
  }));
  return { ledger, entries, out, present: () => ledger.present(wanted, new AbortController().signal) };
}

test("a write that was refused as a whole leaves nothing in the journal, and nothing to be taken out", async () => {
  const refused = new RejectedError("no", { nothingWritten: true });
  const { ledger, entries, out, present } = refusing(() => refused);
  await expect(present()).rejects.toBe(refused);
  expect(entries.size).toBe(0);
  expect(await ledger.cleanUp(1000)).toEqual([]);
  expect(out).toEqual([]);
});

test("of several zones those are taken out that may have been written", async () => {
  const never = new AbortController().signal;
  const refused = new RejectedError("no", { nothingWritten: true });
  const { ledger, entries, out, present } = refusing(() =>
    combineFailures([{ name: "one.test", error: refused }], ["two.test"], never),
  );
  await expect(present()).rejects.toMatchObject({ code: "REJECTED" });
  expect([...entries.values()].map(({ zone }) => zone)).toEqual(["two.test"]);
  expect(await ledger.cleanUp(1000)).toEqual([]);
  expect(out).toEqual(["_acme-challenge.two.test"]);
  expect(entries.size).toBe(0);
});

test("after a refusal that is in doubt everything is taken out", async () => {
  const { ledger, entries, out, present } = refusing(() => new RejectedError("no"));
  await expect(present()).rejects.toMatchObject({ code: "REJECTED" });
  expect(entries.size).toBe(2);
  await ledger.cleanUp(1000);
  expect(out).toHaveLength(2);
});
