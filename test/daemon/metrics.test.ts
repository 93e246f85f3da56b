import { expect, test } from "vitest";
import { TransientError } from "../../src/core/errors.ts";
import { createDaemonMetrics } from "../../src/daemon/metrics.ts";

const ca = "https://ca.test/directory";
const error = new TransientError("no");
const failure = { kind: "local", code: "TRANSIENT", message: "no" } as const;

async function statesOf(metrics: ReturnType<typeof createDaemonMetrics>) {
  const text = await metrics.text();
  const states = [...text.matchAll(/^dns01_certificates_by_state\{state="([^"]+)"\} (\d+)$/gm)];
  const failing = Number(/^dns01_certificates_failing (\d+)$/m.exec(text)?.[1]);
  const counted = states.filter(([, , n]) => n !== "0").map(([, state, n]) => [state, Number(n)]);
  return { gauge: failing, ...Object.fromEntries(counted) };
}

test("certificates are counted by state, and a failed deployment counts as failing until it succeeds", async () => {
  let now = 1_000;
  const counts = () => ({ keys: 0, waiting: 0, working: 0 });
  const metrics = createDaemonMetrics({ version: "1", now: () => now, counts });
  const names = ["valid", "due", "ends", "failing", "new", "never", "hook", "revoked"];
  metrics.keep(new Set(names), true);
  expect(await statesOf(metrics)).toEqual({ "not issued": names.length, gauge: 0 });
  const held = (name: string, notAfter: number, more = {}) =>
    metrics.onEvent({ type: "held", name, notAfter, isFailing: false, isRetired: false, ...more });
  for (const name of ["valid", "due", "hook"]) held(name, 10_000);
  held("ends", 2_000);
  held("failing", 10_000, { isFailing: true });
  held("revoked", 10_000, { isRetired: true, isFailing: true });
  metrics.onEvent({ type: "ordering", name: "due", ca, reason: "" });
  metrics.onEvent({ type: "failed", name: "never", ca, failure, error, retryAt: 0 });
  metrics.onEvent({ type: "deploy-failed", name: "hook", error, retryAt: 0 });
  expect(await statesOf(metrics)).toEqual({
    ...{ valid: 2, due: 1, failing: 2, "not issued": 1, "not deployed": 1, revoked: 1 },
    gauge: 3,
  });
  now = 3_000;
  expect(await statesOf(metrics)).toMatchObject({ valid: 1, expired: 1 });
  metrics.onEvent({ type: "deployed", name: "hook" });
  metrics.onEvent({ type: "renewed", name: "due", ca, first: false });
  expect(await statesOf(metrics)).toMatchObject({ valid: 3, gauge: 2 });
  metrics.onEvent({ type: "planned", name: "failing", at: 9_000, rule: "lifetime", reason: "", notAfter: 10_000 });
  expect(await statesOf(metrics)).toMatchObject({ valid: 4, gauge: 1 });
  metrics.onEvent({ type: "deploy-failed", name: "hook", error, retryAt: 0 });
  metrics.onEvent({ type: "unreadable", name: "valid", error, retryAt: 0 });
  expect(await statesOf(metrics)).toMatchObject({ valid: 2, failing: 2, "not deployed": 1, gauge: 3 });
  held("valid", 10_000);
  // The file may not want it deployed any more.
  metrics.keep(new Set(["hook"]), true);
  expect(await statesOf(metrics)).toEqual({ valid: 1, gauge: 0 });
});
