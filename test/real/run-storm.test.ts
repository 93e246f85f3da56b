import { expect, test } from "vitest";
import { storm } from "../daemon/storm.ts";
import { repeats } from "./lab/suite.ts";

const rate = 0.05;
const faults = {
  ...{ badNonce: rate, serverError: rate, lostResponse: rate, reset: rate, cutBody: rate, drop: rate, lostReply: rate },
};

test("many certificates of one zone due at once: all are renewed once, within the limits", {
  timeout: 900_000,
}, async () => {
  const certificates = repeats(24, 1000);
  const parallel = repeats(16, 32);
  const result = await storm({ certificates, parallel, followSteps: true });
  expect(result).toMatchObject({
    renewed: certificates,
    signed: certificates,
    versions: 2,
    leftInDns: 0,
    leftInJournal: 0,
    failures: [],
    status: 0,
  });
  expect(result.ordersAtOnce).toBeLessThanOrEqual(parallel);
  // One zone is written to by one call at a time; each certificate asks its CA one thing at a time.
  expect(result.callsAtOnce.dns).toBe(1);
  expect(result.callsAtOnce.acme).toBeGreaterThan(1);
  expect(result.callsAtOnce.acme).toBeLessThanOrEqual(parallel);
  expect(result.peakMb).toBeLessThan(300);
  // Waves of half as many as may go on at once, at least: two writes for each, on a slow machine too.
  expect(result.dnsWrites).toBeLessThan(certificates * repeats(0.34, 0.2));
});

test("the same with five of a hundred of everything failing", { timeout: 900_000 }, async () => {
  const certificates = repeats(24, 1000);
  const parallel = repeats(16, 32);
  const result = await storm({ certificates, parallel, faults });
  // A try that failed may have begun an order that nobody goes on with, but none was signed and thrown away.
  expect(result).toMatchObject({
    ...{ renewed: certificates, signed: certificates, versions: 2 },
    ...{ leftInDns: 0, leftInJournal: 0, status: 0 },
  });
  expect(result.peakMb).toBeLessThan(300);
});
