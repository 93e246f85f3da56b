import { setMaxListeners } from "node:events";
import { expect, test } from "vitest";
import { createRateLimit } from "../../src/core/rate.ts";
import { virtualClock } from "./virtual-clock.ts";

/** `clients` who each want one request taken, by a service that takes `perSecond` and asks for a second of silence else. */
async function rush(clients: number, perSecond: number, own?: { readonly requests: number; readonly perMs: number }) {
  const clock = virtualClock();
  const limit = createRateLimit(clock, own);
  const { signal } = new AbortController();
  setMaxListeners(0, signal);
  let window = -1;
  let inWindow = 0;
  let refused = 0;
  const client = async () => {
    for (;;) {
      await limit.take(signal);
      const sentAt = clock.now();
      await clock.sleep(20, signal);
      const second = Math.floor(sentAt / 1000);
      if (second !== window) {
        window = second;
        inWindow = 0;
      }
      inWindow += 1;
      if (inWindow <= perSecond) return;
      refused += 1;
      limit.pause(1000, "too many");
      await clock.sleep(1000 + clock.random() * 150, signal);
    }
  };
  await clock.drive(Promise.all(Array.from({ length: clients }, client)));
  return { refused, seconds: clock.now() / 1000 };
}

test("after a silence those who waited do not come as one and are not refused again", async () => {
  const { refused, seconds } = await rush(400, 20);
  // The first wave is refused, as nobody can know; 20 seconds are the least that the service allows.
  expect(refused).toBeLessThan(400 + 50);
  expect(seconds).toBeLessThan(60);
});

test("refusals do not use up the limit that dns01 keeps itself", async () => {
  const { seconds } = await rush(200, 20, { requests: 600, perMs: 300_000 });
  expect(seconds).toBeLessThan(60);
});

test("a slow service is found as well, and one that never refuses is never waited for", async () => {
  const slow = await rush(60, 2);
  expect(slow.refused).toBeLessThan(60 + 60);
  expect(slow.seconds).toBeLessThan(120);
  expect(await rush(400, 1000)).toEqual({ refused: 0, seconds: 0.02 });
});
