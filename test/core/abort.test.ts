import { getEventListeners } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { fanOut } from "../../src/acme/fan-out.ts";
import { limitSignal, linkSignal, raceAbort } from "../../src/core/abort.ts";
import { systemClock } from "../../src/core/clock.ts";
import { AbortedError } from "../../src/core/errors.ts";
import { onAbort } from "../../src/core/on-abort.ts";

const never = new Promise<never>(() => {});

test("work that ignores the signal is no longer waited for", async () => {
  const stop = new AbortController();
  const race = raceAbort(never, stop.signal);
  stop.abort(new AbortedError("enough"));
  await expect(race).rejects.toThrow("enough");
  await expect(raceAbort(never, stop.signal)).rejects.toThrow("enough");
});

test("many waiters put one listener on a signal, and none when they are gone", async () => {
  const { signal } = new AbortController();
  const waits = Array.from({ length: 30 }, () => raceAbort(Promise.resolve(1), signal));
  const releases = Array.from({ length: 30 }, () => onAbort(signal, () => {}));
  const links = Array.from({ length: 30 }, () => linkSignal(signal));
  expect(getEventListeners(signal, "abort")).toHaveLength(1);
  await Promise.all(waits);
  for (const release of releases) release();
  for (const link of links) link.release();
  await systemClock.sleep(0, signal);
  expect(getEventListeners(signal, "abort")).toHaveLength(0);
});

test("all listeners hear the signal once, also the same function given twice", () => {
  const stop = new AbortController();
  let heard = 0;
  const listener = () => {
    heard++;
  };
  onAbort(stop.signal, listener);
  onAbort(stop.signal, listener);
  onAbort(stop.signal, listener)();
  stop.abort();
  expect(heard).toBe(2);
});

test("a linked signal follows its parent with the same reason, and can be fired alone", () => {
  const parent = new AbortController();
  const child = linkSignal(parent.signal);
  const other = linkSignal(parent.signal);
  child.abort(new Error("own"));
  expect(parent.signal.aborted).toBe(false);
  parent.abort(new Error("parent"));
  expect(child.signal.reason).toEqual(new Error("own"));
  expect(other.signal.reason).toEqual(new Error("parent"));
});

test("a sleep that was interrupted leaves no timer behind", async () => {
  const stop = new AbortController();
  const before = process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  const sleep = systemClock.sleep(60_000, stop.signal);
  stop.abort(new AbortedError("enough"));
  await expect(sleep).rejects.toThrow("enough");
  expect(process.getActiveResourcesInfo().filter((kind) => kind === "Timeout")).toHaveLength(before);
});

test("a limit outlives a garbage collection, also behind a signal that follows it", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const parent = new AbortController();
  // Nobody keeps what limitSignal returned, as in a function that passes its signal on.
  const follow = () => fanOut(limitSignal(parent.signal, 100).signal);
  const sleep = systemClock.sleep(5000, follow());
  await systemClock.sleep(20);
  collect();
  await expect(sleep).rejects.toMatchObject({ name: "TimeoutError" });
  expect(parent.signal.aborted).toBe(false);
});

test("a limit ends with its parent, and lets go of it when the work is over", async () => {
  const parent = new AbortController();
  const ended = limitSignal(parent.signal, 20);
  ended.release();
  await systemClock.sleep(40);
  expect(ended.signal.aborted).toBe(false);
  expect(getEventListeners(parent.signal, "abort")).toHaveLength(0);
  const { signal } = limitSignal(parent.signal, 5000);
  parent.abort(new AbortedError("stop"));
  expect(signal.reason).toBe(parent.signal.reason);
});
