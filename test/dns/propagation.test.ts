import { describe, expect, test } from "vitest";
import { parseName } from "../../src/core/name.ts";
import { type WaitRequest, waitForTxt } from "../../src/dns/propagation.ts";
import { createVirtualClock } from "../fakes/virtual-clock.ts";
import { delegationTo, fixedDiscovery, type Respond, says, virtualExchange } from "../fakes/virtual-servers.ts";

const owner = "_acme-challenge.example.test";
const zone = "example.test";

/** Has no record until `at`, then the values. */
function from(at: number, values: readonly string[] = ["v1"]): Respond {
  return (ask, now) => {
    if (ask.type === "SOA") return says.soa(zone, { serial: now >= at ? 2 : 1 });
    return now >= at ? says.txt(owner, values) : says.nxdomain(zone, { serial: 1 });
  };
}

function lab(
  servers: Readonly<Record<string, Respond>>,
  options: Partial<WaitRequest> & { readonly names?: readonly string[] } = {},
) {
  const clock = createVirtualClock();
  const { exchange, asked } = virtualExchange(clock, servers);
  const delegation = delegationTo(zone, options.names ?? Object.keys(servers));
  const events: unknown[] = [];
  const abort = new AbortController();
  const { names: _, ...rest } = options;
  const request: WaitRequest = {
    items: [{ owner: parseName(owner), values: ["v1"] }],
    discovery: fixedDiscovery(delegation),
    exchange,
    mode: "authoritative",
    deadlineMs: 60_000,
    signal: abort.signal,
    clock,
    observer: (e) => events.push(e),
    ...rest,
  };
  return { clock, asked, events, abort, request, run: () => clock.run(waitForTxt(request)) };
}

describe("waiting at the authoritative servers", () => {
  test("ends with the first round when everybody has the value", async () => {
    const { run, asked, clock } = lab({ "192.0.2.1": from(0), "192.0.2.2": from(0) });
    const verdict = await run();
    expect(verdict.status).toBe("propagated");
    expect(asked).toHaveLength(2);
    expect(clock.now()).toBe(20);
    expect(clock.sleepers).toBe(0);
  });

  test("waits for the slowest and asks only one server meanwhile", async () => {
    const { run, asked, clock } = lab({ "192.0.2.1": from(3_000), "192.0.2.2": from(1_000), "192.0.2.3": from(0) });
    const verdict = await run();
    expect(verdict.status).toBe("propagated");
    expect(clock.now()).toBeGreaterThan(3_000);
    expect(asked.length).toBeLessThan(20);
  });

  test("goes on without a dead server", async () => {
    const { run, clock } = lab({ "192.0.2.1": from(0), "192.0.2.2": () => says.silence });
    const verdict = await run();
    expect(verdict.status).toBe("propagated");
    expect(clock.now()).toBeLessThanOrEqual(3_000);
    expect(verdict.servers.find((s) => s.address === "192.0.2.2")).toMatchObject({ class: "silent", excused: true });
  });
  test("ends at the deadline and names who is behind", async () => {
    const { run, clock } = lab({ "192.0.2.1": from(0), "192.0.2.2": from(1e9) });
    const verdict = await run();
    expect(verdict.status).toBe("timeout");
    expect(clock.now()).toBe(60_000);
    expect(verdict.explanation).toContain("ns2.example.test (192.0.2.2)");
  });
});
