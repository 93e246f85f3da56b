import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { AbortedError, ConflictError, Dns01Error, TransientError } from "../../src/core/errors.ts";
import type { Dns01Event } from "../../src/core/events.ts";
import { parseName } from "../../src/core/name.ts";
import type { Written } from "../../src/core/settle.ts";
import type { Solved, Solver, SolverItem } from "../../src/core/solver.ts";
import { settleDuring } from "../../src/issuer/settle-during.ts";
import { virtualClock } from "../core/virtual-clock.ts";

const owner = parseName("_acme-challenge.example.com");
const zone = { apex: parseName("example.com"), id: "1" };
const items: readonly SolverItem[] = [{ owner, values: ["value"], zoneCut: zone.apex }];
const unsettled: readonly Solved[] = [{ owner, zone, changed: true, settleMs: 1000 }];
const stands: readonly Solved[] = [{ owner, zone, changed: false }];

type Look = () => Promise<readonly Solved[]>;

/** What was written and did not settle; each look answers as its turn says. */
function setUp(...looks: readonly Look[]) {
  const clock = virtualClock();
  const stop = new AbortController();
  const log: string[] = [];
  const events: Dns01Event[] = [];
  let turn = 0;
  const look = async (_items: readonly SolverItem[], signal: AbortSignal) => {
    log.push("look begins");
    const solved = await (looks[turn++] ?? (async () => stands))();
    signal.throwIfAborted();
    log.push("look ends");
    return solved;
  };
  const solver: Solver = { provider: "fake", locate: async () => zone, present: look, cleanUp: look };
  const written: Written = { solver, act: "present", items, solved: unsettled };
  const during = <T>(wait: () => Promise<T>, isSeen: (result: T) => boolean = () => true) =>
    settleDuring([written], wait, isSeen, {
      clock,
      observer: (event) => void events.push(event),
      signal: stop.signal,
    });
  return { clock, stop, log, events, during, after: (ms: number) => async () => void (await clock.sleep(ms)) };
}

test("values that every server has shown are not looked at any more", async () => {
  const { clock, during, after, log } = setUp();
  const from = clock.now();
  await clock.drive(during(after(100)));
  expect(log).toEqual([]);
  expect(clock.now() - from).toBe(100);
});

test("the look is made beside the wait and costs no time of its own", async () => {
  const { clock, during, after, log } = setUp();
  const from = clock.now();
  await clock.drive(during(after(5000)));
  expect(log).toEqual(["look begins", "look ends"]);
  expect(clock.now() - from).toBe(5000);
});

test("where nobody has asked the servers the look is awaited", async () => {
  const { clock, during, log } = setUp();
  const from = clock.now();
  await clock.drive(
    during(
      async () => {},
      () => false,
    ),
  );
  expect(log).toEqual(["look begins", "look ends"]);
  expect(clock.now() - from).toBeGreaterThanOrEqual(1000);
});

test("a look that has begun when the servers have shown the values is awaited, and nothing is repeated if all is well", async () => {
  const world = setUp(async () => {
    await world.clock.sleep(3000);
    return stands;
  });
  let waits = 0;
  const work = world.during(async () => {
    waits++;
    await world.clock.sleep(2500);
  });
  await world.clock.drive(work);
  expect(world.log).toEqual(["look begins", "look ends"]);
  expect(waits).toBe(1);
});

test("after a repair the values have to stand the time and to be seen once more", async () => {
  const world = setUp(async () => {
    await world.clock.sleep(3000);
    return unsettled;
  });
  const work = world.during(async () => {
    world.log.push("wait");
    await world.clock.sleep(2500);
    world.log.push("seen");
  });
  await world.clock.drive(work);
  expect(world.log).toEqual(["wait", "look begins", "seen", "look ends", "look begins", "look ends", "wait", "seen"]);
  expect(world.events).toMatchObject([{ type: "warning", code: "W_OVERWRITTEN" }]);
});

test("a look that fails is no reason to fail when the servers show the values once more", async () => {
  const world = setUp(async () => {
    await world.clock.sleep(3000);
    throw new TransientError("the service is down");
  });
  let waits = 0;
  await world.clock.drive(
    world.during(async () => {
      waits++;
      await world.clock.sleep(2500);
    }),
  );
  expect(waits).toBe(2);
});

test("a look that fails where nobody has asked the servers is a failure", async () => {
  const { clock, during } = setUp(async () => {
    throw new TransientError("the service is down");
  });
  const work = during(
    async () => {},
    () => false,
  );
  await expect(clock.drive(work)).rejects.toThrow("the service is down");
});

test("a wait that fails says so, unless somebody who overwrites for ever is the reason", async () => {
  const failed = async () => {
    await world.clock.sleep(5000);
    throw new Dns01Error("NOT_PROPAGATED", "not seen", false);
  };
  let world = setUp();
  await expect(world.clock.drive(world.during(failed))).rejects.toThrow("not seen");
  world = setUp(async () => {
    throw new ConflictError("overwritten 30 times");
  });
  await expect(world.clock.drive(world.during(failed))).rejects.toThrow("overwritten 30 times");
});

test("whoever gives up ends the pause at once, and a look that has begun is awaited: a clean-up may follow", async () => {
  const world = setUp(async () => {
    await world.clock.sleep(3000);
    return unsettled;
  });
  const { clock, stop, log } = world;
  const abortAt = async (ms: number) => {
    await clock.sleep(ms);
    stop.abort(new AbortedError("enough"));
    await new Promise((_, reject) => reject(new AbortedError("enough")));
  };
  await expect(clock.drive(world.during(() => abortAt(2500)))).rejects.toThrow("enough");
  expect(log).toEqual(["look begins", "look ends"]);

  const early = setUp();
  const work = early.during(async () => {
    await early.clock.sleep(100);
    early.stop.abort(new AbortedError("enough"));
    throw new AbortedError("enough");
  });
  await expect(early.clock.drive(work)).rejects.toThrow("enough");
  await setImmediate();
  expect(early.log).toEqual([]);
  expect(early.clock.pending).toBe(0);
});

test("what is settled is not looked at, and the wait runs once", async () => {
  const { clock, log } = setUp();
  const solver = {} as Solver;
  const written: Written = { solver, act: "present", items, solved: [{ owner, zone, changed: true }] };
  const work = settleDuring(
    [written],
    async () => "seen",
    () => false,
    { clock, observer: () => {}, signal: new AbortController().signal },
  );
  expect(await clock.drive(work)).toBe("seen");
  expect(log).toEqual([]);
});
