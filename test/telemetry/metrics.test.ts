import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createMetrics } from "../../src/telemetry/metrics.ts";

const page = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8");

/** Name, type and labels of the page's table. */
const told = [...page.matchAll(/^\| `(dns01_\w+)` \| (\w+) \|([^|]*)\|/gm)].map(([, name, type, labels = ""]) => ({
  name,
  type,
  labels: [...labels.matchAll(/`(\w+)`/g)].map((m) => m[1] ?? "").sort(),
}));

test("docs/metrics.md has each metric with its type and labels, and none that does not exist", async () => {
  const metrics = createMetrics({ version: "1" });
  metrics.challenge({ action: "Present", provider: "p", code: "OK", durationMs: 1 });
  metrics.request("challenge", 201);
  metrics.refused("Forbidden");
  metrics.inFlight(1);
  metrics.servingCertificate(1_000);
  metrics.servingCertificateReload("ok");
  metrics.frontProxy(undefined);
  metrics.apiService("acme.dns01.io", false);
  metrics.propagation("p", 1_500);
  metrics.leftover("p");
  metrics.breakerOpened("p");
  metrics.background("p", "begun");
  metrics.observer({ type: "call", provider: "p", operation: "list", durationMs: 1, code: "OK" });
  metrics.observer({
    type: "retry",
    what: "example.org",
    attempt: 1,
    waitMs: 1,
    code: "TRANSIENT",
    message: "example.org",
  });
  metrics.observer({ type: "rate.wait", provider: "p", waitMs: 20 });
  metrics.observer({ type: "warning", code: "W_X", text: "example.org" });
  const text = await metrics.text();
  const seen = [...text.matchAll(/^# TYPE (dns01_\w+) (\w+)$/gm)].map(([, name = "", type]) => {
    const sample = new RegExp(`^${name}(?:_bucket)?(?:\\{([^}]*)\\})? `, "m").exec(text)?.[1] ?? "";
    const labels = [...sample.matchAll(/(\w+)="/g)].map((m) => m[1] ?? "").filter((label) => label !== "le");
    return { name, type, labels: labels.sort() };
  });
  const byName = (a: { name?: string | undefined }, b: { name?: string | undefined }) =>
    (a.name ?? "").localeCompare(b.name ?? "");
  expect(seen.sort(byName)).toEqual(told.sort(byName));
  expect(seen.length).toBeGreaterThan(15);
  expect(text).not.toContain("example.org");
});

test("counts in the units that the names promise", async () => {
  const metrics = createMetrics({ version: "1" });
  metrics.challenge({ action: "CleanUp", provider: "p", code: "AUTH", durationMs: 1_500 });
  metrics.observer({ type: "rate.wait", provider: "p", waitMs: 250 });
  metrics.servingCertificate(5_000);
  metrics.frontProxy(7_000);
  const text = await metrics.text();
  expect(text).toContain('dns01_webhook_challenges_total{action="CleanUp",provider="p",code="AUTH"} 1');
  expect(text).toContain('dns01_webhook_challenge_duration_seconds_sum{action="CleanUp",provider="p"} 1.5');
  expect(text).toContain('dns01_rate_limit_wait_seconds_total{provider="p"} 0.25');
  expect(text).toContain("dns01_webhook_serving_certificate_expiry_timestamp_seconds 5\n");
  expect(text).toContain("dns01_webhook_front_proxy_ca_expiry_timestamp_seconds 7\n");
  expect(text).toContain("dns01_webhook_front_proxy_ready 1\n");
});
