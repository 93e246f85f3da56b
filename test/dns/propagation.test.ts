import { describe, expect, test } from "vitest";
import { parseName } from "../../src/core/name.ts";
import { DiscoveryError } from "../../src/dns/discovery-error.ts";
import { propagationError, waitForTxt } from "../../src/dns/propagation.ts";
import { delegationTo, says } from "../fakes/virtual-servers.ts";
import { codesOf, from, lab, mute, never, owner, serverOf, until, zone } from "./propagation-lab.ts";

const a = "192.0.2.1";
const b = "192.0.2.2";
const c = "192.0.2.3";

describe("the wait", () => {
  test("ends with the first round when everybody has the value", async () => {
    const { run, asked, clock } = lab({ [a]: from(0), [b]: from(0) });
    const verdict = await run();
    expect(verdict).toMatchObject({ status: "propagated", warnings: [], queries: { udp: 2, tcp: 0, doh: 0 } });
    expect(asked).toHaveLength(2);
    expect(clock.sleepers).toBe(0);
    expect(verdict.explanation).toBe(`All 2 nameserver addresses serve ${owner} after 0.0 s.`);
  });

  test("asks one witness while it disagrees, and everybody else once it agrees", async () => {
    const { run, asked } = lab({ [a]: from(3_000), [b]: from(1_000), [c]: from(0) });
    const verdict = await run();
    expect(verdict.status).toBe("propagated");
    const times = (address: string) => asked.filter((q) => q.address === address).map((q) => q.at);
    expect(times(c)).toEqual([0]);
    // Round 0, and the sweep that follows the witness' agreement at most.
    const [witness, other] = times(a).length > times(b).length ? [a, b] : [b, a];
    expect(times(witness).length).toBeGreaterThan(3);
    expect(times(other).length).toBeLessThanOrEqual(12);
    expect(asked.every((q) => q.ask.type === "TXT" && q.ask.recursionDesired !== true)).toBe(true);
  });

  test("asks all the others in the moment the witness agrees", async () => {
    const everywhere = { [a]: from(1_000), [b]: from(1_000), [c]: from(1_000), "192.0.2.4": from(1_000) };
    const { run, clock } = lab(everywhere);
    expect((await run()).status).toBe("propagated");
    expect(clock.now()).toBeLessThan(1_000 + 275 + 2 * 20);
  });

  test("asks the witness no more often than the gap law says", async () => {
    const { run, asked } = lab({ [a]: from(15_000) });
    await run();
    const gaps = asked.slice(1).map((q, i) => q.at - (asked[i]?.at ?? 0));
    // The first look after round 0 comes early, for secondaries that NOTIFY tells within milliseconds.
    expect(gaps[0]).toBeGreaterThanOrEqual(54);
    expect(Math.min(...gaps.slice(1, -1))).toBeGreaterThanOrEqual(225);
    expect(asked.length).toBeGreaterThan(40);
    expect(asked.length).toBeLessThan(62);
  });

  test("waits for every value of an owner, given in one item or in two", async () => {
    const server = until(2_000, from(0, ["v1"]), from(0, ["v1", "v2"]));
    for (const items of [
      [{ owner: parseName(owner), values: ["v1", "v2"] }],
      [
        { owner: parseName(owner), values: ["v1"] },
        { owner: parseName(owner), values: ["v2"] },
      ],
    ]) {
      const { run, clock } = lab({ [a]: server }, { items });
      const verdict = await run();
      expect(verdict.status).toBe("propagated");
      expect(clock.now()).toBeGreaterThanOrEqual(2_000);
      expect(verdict.servers).toHaveLength(1);
    }
  });

  test("tells the observer only what has changed", async () => {
    const { run, events } = lab({ [a]: from(5_000), [b]: from(0) });
    await run();
    const polls = events.filter((e) => e.type === "propagation.poll");
    expect(polls.length).toBeGreaterThanOrEqual(3);
    expect(polls.length).toBeLessThanOrEqual(4);
    const last = polls.at(-1);
    expect(last?.servers.map((s) => s.state)).toEqual(["match", "match"]);
    expect(last?.servers[0]).toMatchObject({ values: ["v1"], missing: [], zone });
    expect(last?.servers[0]?.agreedAfterMs).toBeGreaterThanOrEqual(5_000);
  });

  test("takes the delegation that is given and finds the one that is not", async () => {
    let lookups = 0;
    const discovery = {
      delegationOf: async () => {
        lookups++;
        return delegationTo(zone, [a]);
      },
      forget: () => {},
    };
    const items = [{ owner: parseName(owner), values: ["v1"], delegation: delegationTo(zone, [b]) }];
    const given = lab({ [a]: from(0), [b]: from(0) }, { items, discovery });
    expect((await given.run()).servers.map((s) => s.address)).toEqual([b]);
    expect(lookups).toBe(0);
    const found = lab({ [a]: from(0) }, { discovery });
    expect((await found.run()).servers.map((s) => s.address)).toEqual([a]);
    expect(lookups).toBe(1);
  });

  test("settles after the last confirmation, within the deadline", async () => {
    const { run, clock } = lab({ [a]: from(0) }, { settleMs: 3_000 });
    expect((await run()).status).toBe("propagated");
    expect(clock.now()).toBe(3_020);
    const short = lab({ [a]: from(0) }, { settleMs: 30_000, deadlineMs: 2_000 });
    expect((await short.run()).status).toBe("propagated");
    expect(short.clock.now()).toBe(2_000);
  });

  test("in mode none asks nobody and waits only for a settle time", async () => {
    const { run, asked, clock } = lab({ [a]: from(0) }, { mode: "none", settleMs: 1_500 });
    expect((await run()).status).toBe("skipped");
    expect(asked).toHaveLength(0);
    expect(clock.now()).toBe(1_500);
  });

  test("without items is over at once", async () => {
    expect((await lab({}, { items: [] }).run()).status).toBe("propagated");
  });
});

describe("200 owners at once", () => {
  const items = Array.from({ length: 200 }, (_, i) => {
    const name = `_acme-challenge.h${i}.${zone}`;
    return { owner: parseName(name), values: [`v${i}`] };
  });
  const server = (at: number) => (ask: { readonly name: string }, now: number) =>
    now >= at ? says.txt(ask.name, [`v${/h(\d+)/.exec(ask.name)?.[1]}`]) : says.nxdomain(zone);

  test("are confirmed within the limits of each address", async () => {
    const { run, asked } = lab({ [a]: server(1_000), [b]: server(4_000) }, { items });
    const verdict = await run();
    expect(verdict.status).toBe("propagated");
    expect(verdict.servers).toHaveLength(400);
    for (const address of [a, b]) {
      const times = asked.filter((q) => q.address === address).map((q) => q.at);
      for (const at of times) {
        // A bucket of 100 that refills with 50 a second.
        expect(times.filter((t) => t >= at && t < at + 1_000).length).toBeLessThanOrEqual(150);
        expect(times.filter((t) => t >= at && t < at + 4_000).length).toBeLessThanOrEqual(300);
      }
    }
  });

  test("are one failure when one of them is", async () => {
    const broken = (ask: { readonly name: string }, now: number) =>
      ask.name.includes(".h77.") ? says.nxdomain(zone) : server(0)(ask, now);
    const { run, clock } = lab({ [a]: broken }, { items, deadlineMs: 20_000 });
    const verdict = await run();
    expect(verdict.status).toBe("timeout");
    expect(clock.now()).toBe(20_000);
    expect(verdict.explanation).toContain("_acme-challenge.h77.example.test");
  });
});

describe("limits", () => {
  test("hold one owner to five questions a second at an address", async () => {
    const flappy = (_: unknown, now: number) =>
      Math.floor(now / 100) % 2 === 0 ? says.txt(owner, ["v1"]) : says.nxdomain(zone);
    const { run, asked } = lab({ [a]: flappy, [b]: flappy }, { deadlineMs: 20_000, confirmations: 50 });
    await run();
    for (const address of [a, b]) {
      const times = asked.filter((q) => q.address === address).map((q) => q.at);
      for (const at of times) expect(times.filter((t) => t > at - 1_000 && t <= at).length).toBeLessThanOrEqual(6);
    }
  });

  test("slow down beyond the budget and say so", async () => {
    const { run, asked } = lab({ [a]: from(never) }, { deadlineMs: 3_600_000 });
    const verdict = await run();
    expect(verdict.status).toBe("timeout");
    expect(asked.length).toBeLessThan(1_000);
    expect(codesOf(verdict)).toContain("W_BUDGET");
  });
});

describe("abort", () => {
  const states = {
    "before the call": 0,
    "while nameservers are looked up": 100,
    "while the first questions are under way": 205,
    "while the witness is waited for": 1_234,
    "while a silent server is waited for": 2_000,
  };
  for (const [when, at] of Object.entries(states)) {
    test(`${when} ends the wait at once and sends nothing more`, async () => {
      const discovery = {
        delegationOf: async (_: unknown, signal: AbortSignal) => {
          await world.clock.sleep(200, signal);
          return delegationTo(zone, [a, b]);
        },
        forget: () => {},
      };
      const world = lab({ [a]: from(never), [b]: mute }, { discovery });
      if (at === 0) world.abort.abort();
      const waiting = waitForTxt(world.request);
      await world.clock.advance(at);
      world.abort.abort();
      const verdict = await world.clock.run(waiting);
      expect(verdict.status).toBe("aborted");
      expect(world.clock.now()).toBe(at);
      const sent = world.asked.length;
      await world.clock.advance(30_000);
      expect(world.asked.length).toBe(sent);
      expect(world.clock.sleepers).toBe(0);
      expect(propagationError(verdict).code).toBe("ABORTED");
    });
  }

  test("while confirming and while settling", async () => {
    for (const [at, options] of [
      [300, { confirmations: 2 }],
      [2_000, { settleMs: 5_000 }],
    ] as const) {
      const world = lab({ [a]: from(0) }, options);
      const waiting = waitForTxt(world.request);
      await world.clock.advance(at);
      world.abort.abort();
      expect((await world.clock.run(waiting)).status).toBe("aborted");
      expect(world.clock.now()).toBe(at);
      expect(world.clock.sleepers).toBe(0);
    }
  });
});

describe("the deadline", () => {
  test("includes discovery", async () => {
    const discovery = {
      delegationOf: async (_: unknown, signal: AbortSignal) => {
        await world.clock.sleep(60_000, signal);
        return delegationTo(zone, [a]);
      },
      forget: () => {},
    };
    const world = lab({ [a]: from(0) }, { discovery, deadlineMs: 5_000 });
    expect((await world.run()).status).toBe("timeout");
    expect(world.clock.now()).toBe(5_000);
    expect(world.clock.sleepers).toBe(0);
  });

  test.each([
    ["in the first round", 10, {}],
    ["while polling", 7_000, {}],
    ["before the confirmation", 400, { confirmations: 2 }],
  ])("holds %s", async (_, deadlineMs, options) => {
    const server = Object.keys(options).length > 0 ? from(0) : from(never);
    const { run, clock } = lab({ [a]: server }, { deadlineMs, ...options });
    expect((await run()).status).toBe("timeout");
    expect(clock.now()).toBe(deadlineMs);
    expect(clock.sleepers).toBe(0);
  });

  test("is preceded by a last look at everybody, with serials", async () => {
    // The witness never agrees; the others did long ago, and only the last look can tell.
    const { run } = lab({ [a]: from(never), [b]: from(6_000), [c]: from(6_000) }, { deadlineMs: 19_000 });
    const verdict = await run();
    expect(verdict.status).toBe("timeout");
    expect(serverOf(verdict, b)).toMatchObject({ class: "match", soaSerial: 2 });
    expect(serverOf(verdict, c)).toMatchObject({ class: "match", soaSerial: 2 });
    expect(serverOf(verdict, a)).toMatchObject({ class: "absent", soaSerial: 1, missing: ["v1"] });
    expect(verdict.explanation).toContain(`ns1.example.test (${a}) still has serial 1, one serial behind 2`);
  });
});

describe("discovery", () => {
  test("that says there is no delegation ends the wait at once", async () => {
    const discovery = {
      delegationOf: async () => {
        throw new DiscoveryError("no-delegation", "example.test does not exist", []);
      },
      forget: () => {},
    };
    const { run, clock } = lab({}, { discovery });
    const verdict = await run();
    expect(verdict).toMatchObject({
      status: "no-delegation",
      explanation: expect.stringContaining("example.test does not exist"),
    });
    expect(clock.now()).toBe(0);
    expect(propagationError(verdict)).toMatchObject({ code: "NOT_PROPAGATED", details: { verdict } });
  });

  test("that finds no address ends the wait and names the nameservers", async () => {
    const discovery = {
      delegationOf: async () => ({ ...delegationTo(zone, []), unresolved: [parseName("ns1.gone.test")] }),
      forget: () => {},
    };
    const verdict = await lab({}, { discovery }).run();
    expect(verdict.status).toBe("no-delegation");
    expect(verdict.explanation).toContain("ns1.gone.test");
  });

  test("that fails for the moment is tried again", async () => {
    const discovery = {
      delegationOf: async () => {
        if (world.clock.now() < 3_000) throw new DiscoveryError("temporary", "no server of test answers", []);
        return delegationTo(zone, [a]);
      },
      forget: () => {},
    };
    const world = lab({ [a]: from(0) }, { discovery });
    expect((await world.run()).status).toBe("propagated");
  });

  test("that reaches nobody makes the wait blind", async () => {
    const discovery = {
      delegationOf: async () => {
        throw new DiscoveryError("temporary", "no root server answers", [
          { server: "a.root-servers.net", name: parseName(zone), type: "NS", said: "no answer", kind: "silent" },
        ]);
      },
      forget: () => {},
    };
    const { run, clock } = lab({}, { discovery });
    const verdict = await run();
    expect(verdict).toMatchObject({ status: "blind", explanation: expect.stringContaining("no root server answers") });
    expect(clock.now()).toBeLessThan(20_000);
  });

  test("with a defect rejects rather than pretending to a verdict", async () => {
    const discovery = {
      delegationOf: async () => {
        throw new RangeError("a bug");
      },
      forget: () => {},
    };
    await expect(lab({}, { discovery }).run()).rejects.toThrow("a bug");
  });
});
