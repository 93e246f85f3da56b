import { describe, expect, test } from "vitest";
import { liveThrough, type Years } from "./years-world.ts";

/** DNS01_SOAK=1 lives through the whole of it, DNS01_SEED=… through one failing life again. */
const isSoak = process.env["DNS01_SOAK"] === "1";
const seed = Number(process.env["DNS01_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const day = 86_400_000;

function expectSound(years: Years): void {
  expect(years.faults).toEqual([]);
  expect(years.expired).toEqual([]);
  expect(years.hammered).toEqual([]);
  expect(years).toMatchObject({ rushed: 0, refused: 0, doubled: 0 });
  expect(years.failures).toBeGreaterThan(0);
  expect(years.peak).toBeLessThanOrEqual(2 * years.mean);
  // Asked once a day at the latest; what a wrong clock or an outage has put off comes back spread out.
  expect(years.slowestRevocationMs).toBeGreaterThan(0);
  expect(years.slowestRevocationMs).toBeLessThan(1.5 * day);
}

describe(`years of a program that keeps certificates (DNS01_SEED=${seed})`, () => {
  test("outages, revocations, wrong clocks, sleep and restarts: nothing expires, nobody is asked too often", async () => {
    const years = await liveThrough({ seed, certificates: 1000, days: 200, blockHours: 6 });
    expectSound(years);
    expect(years.renewals).toBeGreaterThan(10_000);
  });

  test.runIf(isSoak)("10,000 certificates over two years", { timeout: 900_000 }, async () => {
    const before = process.cpuUsage();
    const years = await liveThrough({ seed, certificates: 10_000, days: 730, blockHours: 1 });
    const { user, system } = process.cpuUsage(before);
    const cpu = (user + system) / 1e6;
    const load = `peak ${years.peak} an hour, mean ${years.mean.toFixed(1)}`;
    console.info(`years: ${years.renewals} renewals, ${load}; ${cpu.toFixed(0)} s of CPU`);
    expectSound(years);
    expect(cpu).toBeLessThan(60);
  });
});
