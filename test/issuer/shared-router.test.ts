import { describe, expect, test } from "vitest";
import { shareRouter } from "../../src/issuer/shared-router.ts";
import { type VirtualClock, virtualClock } from "../core/virtual-clock.ts";
import { item, never, service } from "./slow-service.ts";

/** Orders of one router, over a service that keeps a protocol of its writes. */
function world(clock: VirtualClock = virtualClock()) {
  const { solver, writes, held } = service(clock);
  const shared = shareRouter(
    { solverFor: async () => solver, solverOf: async () => solver },
    { clock, presentWindowMs: 200, cleanUpWindowMs: 400 },
  );
  const timed = async (work: () => Promise<unknown>): Promise<number> => {
    const from = clock.now();
    await work();
    return clock.now() - from;
  };
  /** Comes with its value after `comeMs`, takes it out `stayMs` after that. */
  const order = async (name: string, comeMs: number, stayMs: number) => {
    const { solvers, close } = shared.open([name]);
    try {
      await clock.sleep(comeMs);
      const view = await solvers.solverFor(item(name).owner);
      const presentMs = await timed(() => view.present([item(name, "x")], never));
      await clock.sleep(stayMs);
      const cleanUpMs = await timed(() => view.cleanUp([item(name, "x")], never));
      return { presentMs, cleanUpMs };
    } finally {
      close();
    }
  };
  return { clock, writes, held, order, shared };
}

/** Longer than a write of the service takes. */
const aWrite = 211;

describe("orders of one zone that are under way together", () => {
  test.each([1, 10, 40])("share two writes on a machine that is %i times slower", async (slower) => {
    const { clock, writes, held, order } = world();
    const orders = Array.from({ length: 16 }, (_, n) =>
      order(`a${n}.zone`, slower * (40 + 4 * n), slower * (60 + ((7 * n) % 16) * 3)),
    );
    await clock.drive(Promise.all(orders));
    expect(writes.map(({ act, keys }) => [act, keys.length])).toEqual([
      ["present", 16],
      ["cleanUp", 16],
    ]);
    expect(held.size).toBe(0);
  });

  test("one that is alone waits for nobody, neither do those of different zones", async () => {
    const { clock, order } = world();
    const alone = await clock.drive(order("a.one", 3000, 3000));
    expect(Math.max(alone.presentMs, alone.cleanUpMs)).toBeLessThan(aWrite);
    const apart = await clock.drive(Promise.all([order("a.one", 100, 100), order("a.two", 4000, 4000)]));
    for (const { presentMs, cleanUpMs } of apart) expect(Math.max(presentMs, cleanUpMs)).toBeLessThan(aWrite);
  });

  test("one that is stuck at the CA holds the others up twice as long as they needed, and no more than five seconds", async () => {
    for (const [comeMs, waitMs] of [
      [10, 200],
      [1000, 2000],
      [60_000, 5000],
    ] as const) {
      const { clock, order } = world();
      const [, quick] = await clock.drive(Promise.all([order("a.zone", 600_000, 10), order("b.zone", comeMs, 10)]));
      expect(quick?.presentMs).toBeGreaterThanOrEqual(waitMs);
      expect(quick?.presentMs).toBeLessThan(waitMs + aWrite);
      // Its values are not there yet: nobody waits for it to take them out.
      expect(quick?.cleanUpMs).toBeLessThan(aWrite);
    }
  });

  test("one that fails before it has written is not waited for any more", async () => {
    const { clock, order, shared } = world();
    const failing = shared.open(["b.zone"]);
    const failed = clock.sleep(1100).then(failing.close);
    const [one] = await clock.drive(Promise.all([order("a.zone", 1000, 10), failed]));
    expect(one.presentMs).toBeLessThan(100 + aWrite);
  });

  test("taking out waits for what was put in with it, or before, not for what came later", async () => {
    const { clock, writes, order } = world();
    const first = [order("a.zone", 500, 2000), order("b.zone", 510, 2300)];
    const later = clock.sleep(1500).then(() => [order("c.zone", 300, 60_000), order("d.zone", 310, 60_000)]);
    await clock.drive(Promise.all([...first, later.then((two) => Promise.all(two))]));
    expect(writes.map(({ act, keys }) => `${act} ${keys.map((key) => key[0]).join("")}`)).toEqual([
      "present ab",
      "present cd",
      "cleanUp ab",
      "cleanUp cd",
    ]);
  });

  test("what an earlier run has left is taken out by somebody nobody waits for", async () => {
    const { clock, held, order, shared } = world();
    held.add("old.zone x");
    const leftovers = await shared.leftovers.solverOf("fake", item("old.zone").owner);
    await clock.drive(leftovers?.cleanUp([item("old.zone", "x")], never) ?? Promise.reject(new Error("no solver")));
    expect(held.size).toBe(0);
    const { presentMs } = await clock.drive(order("a.zone", 1000, 10));
    expect(presentMs).toBeLessThan(aWrite);
  });
});
