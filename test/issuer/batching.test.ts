import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { abortReason } from "../../src/core/clock.ts";
import { RejectedError, TransientError, ZoneNotFoundError } from "../../src/core/errors.ts";
import { createSharedSolver } from "../../src/issuer/batching.ts";
import { createRandom } from "../../src/testing/random.ts";
import { virtualClock } from "../core/virtual-clock.ts";
import { item, never, service } from "./slow-service.ts";

describe("many certificates at once", () => {
  it("in one zone: one write for all that come in one tick, one to take them out, an answer for each", async () => {
    const clock = virtualClock();
    const { solver, held, writes } = service(clock);
    const shared = createSharedSolver(solver, { clock });
    const views = [1, 2, 3, 4].map(() => shared.open());
    const solved = await clock.drive(
      Promise.all(views.map((v, i) => v.present([item(`a${i}.zone`, "x", "y")], never))),
    );
    expect(solved.map((s) => s.map((one) => one.owner))).toEqual([["a0.zone"], ["a1.zone"], ["a2.zone"], ["a3.zone"]]);
    expect(held.size).toBe(8);
    await clock.drive(Promise.all(views.map((v, i) => v.cleanUp([item(`a${i}.zone`, "x", "y")], never))));
    expect(held.size).toBe(0);
    expect(writes.map((w) => [w.act, w.keys.length])).toEqual([
      ["present", 8],
      ["cleanUp", 8],
    ]);
  });

  it("waits for others no longer than the window, and not at all when everybody is there", async () => {
    const clock = virtualClock();
    const { solver } = service(clock);
    const shared = createSharedSolver(solver, { clock, presentWindowMs: 100 });
    const [one, other] = [shared.open(), shared.open()];
    const timed = async (work: Promise<unknown>) => {
      const from = clock.now();
      await clock.drive(work);
      return clock.now() - from;
    };
    expect(await timed(one.present([item("a.zone", "x")], never))).toBeGreaterThan(100);
    other.close();
    const alone = clock.now();
    await clock.drive(one.present([item("b.zone", "x")], never));
    // The service itself takes 10 ms at least; a window would make it 110.
    expect(clock.now() - alone).toBeLessThan(210);
    expect(clock.pending).toBe(0);
  });

  it("what comes while a write is under way goes into the next one", async () => {
    const clock = virtualClock();
    const { solver, writes } = service(clock);
    const shared = createSharedSolver(solver, { clock, presentWindowMs: 0 });
    const views = Array.from({ length: 21 }, () => shared.open());
    const later = (view: (typeof views)[number], i: number) =>
      clock.sleep(i === 0 ? 0 : 1 + i / 4).then(() => view.present([item(`a${i}.zone`, "x")], never));
    await clock.drive(Promise.all(views.map(later)));
    expect(writes.map((w) => w.keys.length)).toEqual([1, 20]);
  });

  it("zones do not wait for each other, and no write is larger than allowed", async () => {
    const clock = virtualClock();
    const { solver, writes, overlaps } = service(clock);
    const shared = createSharedSolver(solver, { clock, maxValues: 4 });
    const views = Array.from({ length: 10 }, () => shared.open());
    await clock.drive(Promise.all(views.map((v, i) => v.present([item(`a${i}.zone${i % 2}`, "x", "y")], never))));
    expect(overlaps).toEqual([]);
    expect(writes.filter((w) => w.zone === "zone0").map((w) => w.keys.length)).toEqual([4, 4, 2]);
  });

  it("what the service rejects fails the caller it came from and nobody else", async () => {
    const clock = virtualClock();
    const { solver, held } = service(clock, { poison: "bad" });
    const shared = createSharedSolver(solver, { clock });
    const calls = ["x", "bad", "y"].map((value, i) => shared.open().present([item(`a${i}.zone`, value)], never));
    const settled = await clock.drive(Promise.allSettled(calls));
    expect(settled.map((s) => s.status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect([...held].sort()).toEqual(["a0.zone x", "a2.zone y"]);
  });

  it("a service that is down fails all of them with one call", async () => {
    const clock = virtualClock();
    const { solver, writes } = service(clock, { down: () => true });
    const shared = createSharedSolver(solver, { clock });
    const calls = [1, 2, 3].map((i) => shared.open().present([item(`a${i}.zone`, "x")], never));
    const settled = await clock.drive(Promise.allSettled(calls));
    expect(settled.map((s) => s.status)).toEqual(["rejected", "rejected", "rejected"]);
    expect(writes).toHaveLength(1);
  });

  it("a caller that gives up leaves at once; its value is written for the others' sake, and taken out after", async () => {
    const clock = virtualClock();
    const { solver, held, writes } = service(clock);
    const shared = createSharedSolver(solver, { clock, presentWindowMs: 0 });
    const [one, other] = [shared.open(), shared.open()];
    const stop = new AbortController();
    const given = one.present([item("a.zone", "x")], stop.signal);
    const kept = other.present([item("b.zone", "y")], never);
    const stopped = clock.sleep(5).then(() => stop.abort(new Error("enough")));
    await expect(clock.drive(given)).rejects.toThrow("enough");
    expect(held.size).toBe(0);
    const out = one.cleanUp([item("a.zone", "x")], never);
    await clock.drive(Promise.all([stopped, kept, out]));
    expect([...held]).toEqual(["b.zone y"]);
    expect(writes.map((w) => w.act)).toEqual(["present", "cleanUp"]);
  });

  it("a write that nobody waits for any more is ended", async () => {
    const clock = virtualClock();
    const { solver, held } = service(clock);
    const shared = createSharedSolver(solver, { clock, presentWindowMs: 0 });
    const stop = new AbortController();
    const calls = [1, 2].map((i) => shared.open().present([item(`a${i}.zone`, "x")], stop.signal));
    const stopped = clock.sleep(5).then(() => stop.abort(new Error("enough")));
    await clock.drive(Promise.allSettled([...calls, stopped]));
    expect(held.size).toBe(0);
  });

  it("a value two callers hold goes when the last one lets go, or is closed", async () => {
    const clock = virtualClock();
    const { solver, held } = service(clock);
    const shared = createSharedSolver(solver, { clock });
    const [one, other, third] = [shared.open(), shared.open(), shared.open()];
    const same = [item("a.zone", "x")];
    await clock.drive(Promise.all([one.present(same, never), other.present(same, never), third.present(same, never)]));
    await clock.drive(one.cleanUp(same, never));
    expect(held.size).toBe(1);
    third.close();
    const [solved] = await clock.drive(other.cleanUp(same, never));
    expect(solved).toMatchObject({ owner: "a.zone", changed: true });
    expect(held.size).toBe(0);
  });

  it("what is taken out after it was put in, is out", async () => {
    const clock = virtualClock();
    const { solver, held } = service(clock);
    const view = createSharedSolver(solver, { clock }).open();
    const [x, y] = [[item("a.zone", "x")], [item("a.zone", "y")]];
    await clock.drive(Promise.all([view.cleanUp(y, never), view.present(x, never), view.cleanUp(x, never)]));
    expect([...held]).toEqual([]);
  });

  it("a value of an earlier run that nobody holds is taken out", async () => {
    const clock = virtualClock();
    const { solver, held } = service(clock);
    held.add("a.zone old");
    await clock.drive(
      createSharedSolver(solver, { clock })
        .open()
        .cleanUp([item("a.zone", "old")], never),
    );
    expect(held.size).toBe(0);
  });

  it("a name without a zone fails before anything is written; what has a zone is taken out all the same", async () => {
    const clock = virtualClock();
    const { solver, held, writes } = service(clock);
    const view = createSharedSolver(solver, { clock }).open();
    const items = [item("a.zone", "x"), item("a.missing", "y")];
    await expect(clock.drive(view.present(items, never))).rejects.toThrow(ZoneNotFoundError);
    expect(writes).toEqual([]);
    held.add("a.zone x");
    await expect(clock.drive(view.cleanUp(items, never))).rejects.toThrow("no zone for a.missing");
    expect(held.size).toBe(0);
  });

  it("a refusal is no proof that nothing was written where the value went out with others before", async () => {
    const sure = () => new RejectedError("no", { nothingWritten: true });
    const outcome = async (first: () => Error) => {
      const clock = virtualClock();
      const { solver } = service(clock);
      const errors = [first(), sure(), sure()];
      const refusing = { ...solver, present: () => Promise.reject(errors.shift()) };
      const shared = createSharedSolver(refusing, { clock });
      const views = [shared.open(), shared.open()];
      const work = views.map((view, i) => view.present([item(`a${i}.zone`, "x")], never).catch((e: unknown) => e));
      return (await clock.drive(Promise.all(work))).map((e) => (e as RejectedError).nothingWritten);
    };
    expect(await outcome(() => new RejectedError("some"))).toEqual([false, false]);
    expect(await outcome(sure)).toEqual([true, true]);
  });

  it("one answer speaks for all zones of a caller", async () => {
    const clock = virtualClock();
    const { solver } = service(clock, { poison: "bad" });
    const view = createSharedSolver(solver, { clock }).open();
    const error: unknown = await clock
      .drive(view.present([item("a.one", "x"), item("a.two", "bad")], never))
      .catch((e: unknown) => e);
    expect(error).toMatchObject({ code: "REJECTED", message: "poison (done: one)" });
  });
});

describe("whatever the order and the weather", () => {
  const seed = Number(process.env["DNS01_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  it(`no caller's value is missing while it relies on it, and nothing is left (seed ${seed})`, {
    timeout: 60_000,
  }, async () => {
    const lives = fc.array(
      fc.record({
        zone: fc.nat(2),
        value: fc.constantFrom("p", "q", "r", "bad"),
        start: fc.nat(600),
        stay: fc.nat(600),
        giveUp: fc.option(fc.nat(400)),
      }),
      { minLength: 1, maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(lives, fc.nat(), async (callers, chance) => {
        const clock = virtualClock(chance);
        const weather = createRandom(chance + 1);
        let calm = false;
        const { solver, held, writes, overlaps } = service(clock, {
          poison: "bad",
          down: () => !calm && weather() < 0.1,
        });
        const shared = createSharedSolver(solver, { clock, maxValues: 5 });
        const life = async ({ zone, value, start, stay, giveUp }: (typeof callers)[number], i: number) => {
          await clock.sleep(start);
          const view = shared.open();
          const items = [item(`a.zone${zone}`, value), item(`b${i}.zone${zone}`, value)];
          const stop = new AbortController();
          if (giveUp !== null) void clock.sleep(giveUp).then(() => stop.abort(new Error("gave up")));
          try {
            await view.present(items, stop.signal);
            expect(value).not.toBe("bad");
            const keys = items.flatMap((one) => one.values.map((v) => `${one.owner} ${v}`));
            for (const key of keys) expect(held).toContain(key);
            await clock.sleep(stay);
            for (const key of keys) expect(held, "while it is relied on").toContain(key);
          } catch (error) {
            if (stop.signal.aborted) expect(error).toBe(abortReason(stop.signal));
            else if (error instanceof RejectedError) expect(value).toBe("bad");
            else expect(error).toBeInstanceOf(TransientError);
          }
          // As the journal has it: until it is out.
          for (;;) {
            const out = await view.cleanUp(items, never).then(
              () => true,
              () => false,
            );
            if (out) break;
            await clock.sleep(50);
          }
          view.close();
        };
        await clock.drive(Promise.all(callers.map(life)));
        calm = true;
        expect([...held]).toEqual([]);
        expect(overlaps, "one write at a time in a zone").toEqual([]);
        expect(writes.every((w) => w.keys.length <= 5)).toBe(true);
      }),
      { seed, numRuns: process.env["DNS01_SOAK"] === "1" ? 2000 : 150 },
    );
  });
});
