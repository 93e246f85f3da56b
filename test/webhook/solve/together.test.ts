import { describe, expect, test } from "vitest";
import { type MemoryStore, memoryKey, memoryProvider } from "../../../providers/memory.ts";
import { systemClock } from "../../../src/core/clock.ts";
import type { Provider, TxtBackend } from "../../../src/core/provider.ts";
import { createVirtualClock } from "../../fakes/virtual-clock.ts";
import { messageOf, name, ok, type ReplicaOptions, startReplica } from "./world.ts";

const apex = name("example.com");
const owner = name("_acme-challenge.example.com");

/** A service that answers when the test lets it. */
function slowProvider(store: MemoryStore = new Map()) {
  const memory = memoryProvider(store);
  const begun: { readonly signal: AbortSignal; readonly what: string; go(): void }[] = [];
  const arrivals: (() => void)[] = [];
  let connects = 0;
  const provider: Provider = {
    ...memory,
    connect: async (config, deps): Promise<TxtBackend> => {
      connects++;
      const backend = await memory.connect(config as Parameters<typeof memory.connect>[0], deps);
      return {
        findZone: (zone, call) => backend.findZone(zone, call),
        async apply(zone, edits, call) {
          const what = edits
            .map(({ add, remove }) => [...add.map((v) => `+${v}`), ...remove.map((v) => `-${v}`)])
            .join();
          await new Promise<void>((resolve) => {
            begun.push({ signal: call.signal, what, go: resolve });
            arrivals.shift()?.();
          });
          return backend.apply(zone, edits, call);
        },
      };
    },
  };
  return {
    provider,
    begun,
    connects: () => connects,
    values: () => [...(store.get(memoryKey(apex, owner)) ?? [])].sort(),
    /** Resolves when one more write has begun. */
    next: () => new Promise<void>((resolve) => void arrivals.push(resolve)),
  };
}

const soon: Partial<ReplicaOptions> = { clock: systemClock, callTimeoutMs: 200 };

describe("scenario 11: the provider hangs", () => {
  test("the answer comes inside the budget, the next call resumes, and the value is written once", async () => {
    const slow = slowProvider();
    const replica = await startReplica([slow.provider], { solver: "memory", ...soon, callTimeoutMs: 500 });
    const text =
      "memory: presenting the value at _acme-challenge.example.com took longer than 0.5 s while waiting for the provider. It goes on, and the next call picks up its result.";
    const first = await replica.present({});
    expect(first).toEqual({ success: false, code: "TRANSIENT", reason: "ServiceUnavailable", message: text });
    // Joins, waits, and reads the same.
    const second = replica.present({});
    slow.begun[0]?.go();
    expect(await second).toEqual(ok);
    expect(slow.begun.map(({ what }) => what)).toEqual(["+LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmtoM"]);
    expect(replica.eventsOf("challenge.joined")).toEqual([
      { type: "challenge.joined", correlationId: "call-2", with: "call-1" },
    ]);
    await replica.solving.close();
  });

  test("a result that came when nobody waited is picked up once", async () => {
    const slow = slowProvider();
    const replica = await startReplica([slow.provider], { solver: "memory", ...soon });
    const ended = () => replica.eventsOf("background").filter(({ state }) => state === "OK").length;
    expect(await replica.present({})).toMatchObject({ code: "TRANSIENT" });
    slow.begun[0]?.go();
    while (ended() === 0) await systemClock.sleep(1);
    expect(await replica.present({})).toEqual(ok);
    expect(slow.begun).toHaveLength(1);
    expect(replica.eventsOf("background").map(({ state }) => state)).toEqual(["begun", "OK"]);
    // The next one asks again: much may have happened since.
    const third = slow.next();
    const again = replica.present({});
    await third;
    slow.begun[1]?.go();
    expect(await again).toEqual(ok);
    await replica.solving.close();
  });

  test("equal calls side by side are one, others are their own", async () => {
    const slow = slowProvider();
    const replica = await startReplica([slow.provider], { solver: "memory" });
    const began = slow.next();
    const same = [1, 2, 3].map(() => replica.present({ config: {} }));
    const shuffled = replica.present({ config: { zones: "" } });
    await began;
    slow.begun[0]?.go();
    expect(await Promise.all(same)).toEqual([ok, ok, ok]);
    // Another configuration for the same value waited for its turn.
    while (slow.begun.length < 2) await systemClock.sleep(1);
    slow.begun[1]?.go();
    expect(await shuffled).toEqual(ok);
    expect(slow.begun).toHaveLength(2);
    await replica.solving.close();
  });
});

test("a clean-up that arrives while its Present still runs ends in absence", async () => {
  const slow = slowProvider();
  const replica = await startReplica([slow.provider], { solver: "memory", ...soon, callTimeoutMs: 300 });
  const began = slow.next();
  const presenting = replica.present({});
  await began;
  const waits = await replica.cleanUp({});
  expect(await presenting).toMatchObject({ code: "TRANSIENT" });
  expect(messageOf(waits)).toBe(
    "memory: cleaning up the value at _acme-challenge.example.com took longer than 0.3 s because an earlier call for the same value is not over. It goes on, and the next call picks up its result.",
  );
  slow.begun[0]?.go();
  while (slow.begun.length < 2) await systemClock.sleep(1);
  expect(slow.begun[1]?.what).toMatch(/^-/);
  const cleaned = replica.cleanUp({});
  slow.begun[1]?.go();
  expect(await cleaned).toEqual(ok);
  expect(slow.values()).toEqual([]);
  // The result of the Present is not handed to a later one: the value is gone again.
  const third = replica.present({});
  while (slow.begun.length < 3) await systemClock.sleep(1);
  slow.begun[2]?.go();
  expect(await third).toEqual(ok);
  expect(slow.values()).toHaveLength(1);
  await replica.solving.close();
});

test("a caller that goes away ends the work when nobody else waits, and only then", async () => {
  const slow = slowProvider();
  const replica = await startReplica([slow.provider], { solver: "memory" });
  const callers = [new AbortController(), new AbortController()];
  const began = slow.next();
  const answers = callers.map(({ signal }) => replica.present({}, signal));
  await began;
  callers[0]?.abort();
  expect(await answers[0]).toMatchObject({ success: false, reason: "ServiceUnavailable" });
  expect(slow.begun[0]?.signal.aborted).toBe(false);
  callers[1]?.abort();
  expect(await answers[1]).toMatchObject({ success: false });
  expect(slow.begun[0]?.signal.aborted).toBe(true);
  slow.begun[0]?.go();
  // What was under way may have been written: the clean-up reads first.
  const cleaned = replica.cleanUp({});
  while (slow.begun.length < 2) await systemClock.sleep(1);
  slow.begun[1]?.go();
  expect(await cleaned).toEqual(ok);
  expect(slow.values()).toEqual([]);
  await replica.solving.close();
});

test("close ends what runs for nobody", async () => {
  const slow = slowProvider();
  const replica = await startReplica([slow.provider], { solver: "memory", ...soon });
  expect(await replica.present({})).toMatchObject({ code: "TRANSIENT" });
  expect(slow.begun[0]?.signal.aborted).toBe(false);
  await replica.solving.close();
  expect(slow.begun[0]?.signal.aborted).toBe(true);
});

describe("connections", () => {
  test("are shared by equal configurations, never by others, and end some minutes after their last use", async () => {
    const ends: AbortSignal[] = [];
    const memory = memoryProvider();
    const counted: Provider = {
      ...memory,
      connect: (config, deps) => {
        ends.push(deps.signal);
        return memory.connect(config as Parameters<typeof memory.connect>[0], deps);
      },
    };
    const clock = createVirtualClock();
    const replica = await startReplica([counted], { solver: "memory", clock, callTimeoutMs: 25_000 });
    const ask = (config: object, key = "v") => clock.run(replica.present({ config, key }));
    expect(await ask({})).toEqual(ok);
    expect(await ask({}, "w")).toEqual(ok);
    expect(ends).toHaveLength(1);
    expect(await ask({ zones: "example.com" })).toEqual(ok);
    expect(await ask({ ttl: 30 })).toEqual(ok);
    expect(await clock.run(replica.present({ allowAmbientCredentials: true, key: "v" }))).toEqual(ok);
    expect(ends).toHaveLength(4);
    await clock.advance(4 * 60_000);
    expect(await ask({}, "x")).toEqual(ok);
    await clock.advance(2 * 60_000);
    expect(ends.map(({ aborted }) => aborted)).toEqual([false, true, true, true]);
    await clock.advance(4 * 60_000);
    expect(ends.map(({ aborted }) => aborted)).toEqual([true, true, true, true]);
    expect(await ask({}, "y")).toEqual(ok);
    expect(ends).toHaveLength(5);
    await replica.solving.close();
    expect(ends[4]?.aborted).toBe(true);
    expect(clock.sleepers).toBe(0);
  });

  test("that fail are not kept", async () => {
    let attempts = 0;
    const memory = memoryProvider();
    const flaky: Provider = {
      ...memory,
      connect: (config, deps) => {
        attempts++;
        if (attempts === 1) throw new TypeError("fetch failed");
        return memory.connect(config as Parameters<typeof memory.connect>[0], deps);
      },
    };
    const replica = await startReplica([flaky], { solver: "memory" });
    expect(messageOf(await replica.present({}))).toBe(
      "memory: cannot connect the service: fetch failed (for _acme-challenge.example.com)",
    );
    expect(await replica.present({})).toEqual(ok);
    await replica.solving.close();
  });
});
