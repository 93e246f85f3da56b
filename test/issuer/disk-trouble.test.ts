import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/core/errors.ts";
import { createBudget } from "../../src/issuer/budget.ts";
import type { UpkeepEvent } from "../../src/issuer/kept.ts";
import type { BudgetStore } from "../../src/issuer/ports.ts";
import { createWatch, type WatchDeps } from "../../src/issuer/watch.ts";
import { diskError } from "../../src/store/disk-errors.ts";
import { createVirtualClock } from "../fakes/virtual-clock.ts";

const epoch = Date.UTC(2027, 0, 1);
const ca = "https://ca.test/directory";
const fullAt = (path: string) => diskError("write", path, Object.assign(new Error("full"), { code: "ENOSPC" }));

/** One certificate that is declared and cannot be ordered, on a disk that may be full. */
function watchOn(
  disk: { isFull: boolean },
  more: { failsWith?: () => Error; diskFault?: WatchDeps["diskFault"] } = {},
) {
  const clock = createVirtualClock();
  const now = () => epoch + clock.now();
  const values = new Map<string, unknown>();
  const store: BudgetStore = {
    load: async (folder, key) => values.get(`${folder} ${key}`),
    async save(folder, key, value) {
      if (disk.isFull) throw fullAt(`/state/budget/${key}`);
      values.set(`${folder} ${key}`, value);
    },
    remove: async (folder, key) => void values.delete(`${folder} ${key}`),
  };
  const events: UpkeepEvent[] = [];
  const faults: { readonly error: unknown; readonly retryAt: number }[] = [];
  const orders: number[] = [];
  const controller = new AbortController();
  const watch = createWatch({
    clock,
    now: () => new Date(now()),
    signal: controller.signal,
    certificates: { load: async () => undefined },
    budget: createBudget({ store, now, steady: clock.now, random: () => 0, registeredDomain: (name) => name }),
    parallel: 1,
    ordersPerSecond: 10,
    observerFor: () => () => {},
    onEvent: (event: UpkeepEvent) => void events.push(event),
    onFault: (_name: string, error: unknown, retryAt: number) => void faults.push({ error, retryAt }),
    ...(more.diskFault === undefined ? {} : { diskFault: more.diskFault }),
  } as unknown as WatchDeps);
  watch.set([
    {
      name: "c",
      names: ["example.test"],
      cas: [ca],
      prepare: async () => {
        orders.push(now());
        throw (more.failsWith ?? (() => new ConfigError([{ path: "solvers", message: "wrong" }])))();
      },
    },
  ]);
  const running = watch.run();
  const stop = async () => {
    controller.abort();
    await clock.run(running);
  };
  return { clock, events, faults, orders, now, stop };
}

const minutes = (times: readonly number[]) => times.map((at) => (at - epoch) / 60_000);

describe("a daemon on a full disk", () => {
  test("tries again within a minute when the record of a failure cannot be written, and says when", async () => {
    const { clock, events, faults, orders, stop } = watchOn({ isFull: true });
    await clock.advance(200_000);
    await stop();
    expect(minutes(orders)).toEqual([0, 1, 2, 3]);
    expect(faults).toEqual([]);
    expect(events).toContainEqual({
      type: "put-off",
      name: "c",
      until: epoch + 60_000,
      reason: expect.stringMatching(/^\/state\/budget\/c: cannot write: the disk is full \(ENOSPC\)$/),
    });
  });

  test("orders nothing at the CA, for it could not be stored, and goes on once it can", async () => {
    const disk = { isFull: true };
    const diskFault: WatchDeps["diskFault"] = async () => (disk.isFull ? (fullAt("/state") as ConfigError) : undefined);
    const { clock, events, orders, stop } = watchOn(disk, { diskFault });
    await clock.advance(300_000);
    expect(orders).toEqual([]);
    expect(events.map(({ type }) => type)).not.toContain("ordering");
    expect(events).toContainEqual(expect.objectContaining({ type: "put-off", until: epoch + 60_000 }));
    disk.isFull = false;
    await clock.advance(60_000);
    await stop();
    expect(orders.length).toBe(1);
  });

  test("an order that fails because of the disk is repeated each minute, and does not count as a failure", async () => {
    const { clock, events, orders, stop } = watchOn({ isFull: false }, { failsWith: () => fullAt("/state/x") });
    await clock.advance(200_000);
    await stop();
    expect(minutes(orders)).toEqual([0, 1, 2, 3]);
    expect(events).toContainEqual(
      expect.objectContaining({
        type: "failed",
        retryAt: epoch + 60_000,
        failure: expect.objectContaining({ kind: "disk" }),
      }),
    );
  });
});
