import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createNoncePool } from "../../src/acme/nonces.ts";
import { failureOf, fastClock, never } from "./support.ts";

describe("the nonce pool", () => {
  it("lets the second caller wait for the first one's nonce, and gives the newest first", async () => {
    const pool = createNoncePool(fastClock());
    let n = 0;
    const fetch = async () => `fetched-${n++}`;
    expect(await pool.take(fetch, never)).toBe("fetched-0");
    const second = pool.take(fetch, never);
    expect(await pool.take(fetch, never)).toBe("fetched-1");
    pool.settle("a");
    expect(await second).toBe("a");
    pool.settle("b");
    pool.settle("c");
    expect([await pool.take(fetch, never), await pool.take(fetch, never)]).toEqual(["c", "b"]);
    expect(n).toBe(2);
  });

  it("wakes somebody when a request ends without a nonce", async () => {
    const pool = createNoncePool(fastClock());
    await pool.take(async () => "first", never);
    const waiting = pool.take(async () => "second", never);
    pool.settle(undefined);
    expect(await waiting).toBe("second");
  });

  it("lets a waiter go when its signal fires, and serves the next one", async () => {
    const pool = createNoncePool(fastClock());
    await pool.take(async () => "first", never);
    const stop = new AbortController();
    const gone = pool.take(async () => "x", stop.signal);
    const refused = failureOf(gone);
    stop.abort();
    const next = pool.take(async () => "y", never);
    pool.settle("back");
    expect(await refused).toBe(stop.signal.reason);
    expect(["back", "y"]).toContain(await next);
  });

  it("serves everybody, never more than eight at once, whatever fails", async () => {
    const outcome = fc.constantFrom("nonce", "none", "fetch fails");
    await fc.assert(
      fc.asyncProperty(
        fc.array(outcome, { minLength: 1, maxLength: 60 }),
        fc.scheduler(),
        async (outcomes, scheduler) => {
          const pool = createNoncePool(fastClock());
          const used = new Set<string>();
          let inUse = 0;
          let most = 0;
          let n = 0;
          const run = async (what: string) => {
            let failed = false;
            const nonce = await pool
              .take(async () => {
                await scheduler.schedule(Promise.resolve());
                if (what === "fetch fails") throw new Error("no nonce");
                return `f${n++}`;
              }, never)
              .catch(() => {
                failed = true;
                return "";
              });
            if (failed) return;
            expect(used.has(nonce)).toBe(false);
            used.add(nonce);
            inUse += 1;
            most = Math.max(most, inUse);
            await scheduler.schedule(Promise.resolve());
            inUse -= 1;
            pool.settle(what === "nonce" ? `r${n++}` : undefined);
          };
          const all = Promise.all(outcomes.map(run));
          await scheduler.waitFor(all);
          expect(most).toBeLessThanOrEqual(8);
        },
      ),
      { numRuns: 100 },
    );
  });
});
