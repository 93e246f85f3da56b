import { expect, test } from "vitest";
import type { Dns01Event } from "../../src/core/events.ts";
import { createLog } from "../../src/telemetry/log.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { reportSolving } from "../../src/webhook/report.ts";
import { name } from "./solve/world.ts";

test("at level debug every line shortens the challenge's value, but for the command that removes a leftover", () => {
  const value = "LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmtoM";
  const lines: string[] = [];
  const log = createLog({
    level: "debug",
    format: "json",
    write: (text) => void lines.push(text),
    now: () => new Date(0),
  });
  const observer = (event: Dns01Event) => log(event);
  const observe = reportSolving({ observer, metrics: createMetrics({ version: "0" }), debug: true });
  const owner = name("_acme-challenge.example.com");
  const zone = name("example.com");
  const server = { name: name("ns1.example.com"), address: "192.0.2.1", zone, owner };
  const verdict = { ...server, class: "stale", excused: false, missing: [value], seen: [] } as const;
  const engine = (event: Dns01Event) => observe({ type: "engine", correlationId: "call-1", event });
  engine({ type: "txt.added", provider: "p", zone, fqdn: owner, value });
  engine({
    type: "propagation.poll",
    owner,
    servers: [{ ...server, state: "stale", values: [], missing: [value] }],
    elapsedMs: 1,
  });
  const propagation = { type: "propagation", correlationId: "call-1", provider: "p", owner, lagMs: undefined } as const;
  observe({ ...propagation, status: "timeout", servers: [verdict], explanation: "not yet" });
  expect(lines).toHaveLength(3);
  for (const line of lines) {
    expect(line).toContain("LHDhK3oG…");
    expect(line).not.toContain(value);
    expect(JSON.parse(line)).toMatchObject({ correlationId: "call-1" });
  }
  const facts = {
    correlationId: "call-1",
    action: "CleanUp",
    provider: "p",
    namespace: "a",
    dnsName: "example.com",
  } as const;
  const cure = `dns01 cleanup ${owner} ${value} --provider p`;
  observe({ type: "leftover", value, at: "", reason: "gone", cure, ...facts, owner, zoneHint: zone });
  expect(JSON.parse(lines[3] ?? "")).toMatchObject({ value: "LHDhK3oG…", cure });
});
