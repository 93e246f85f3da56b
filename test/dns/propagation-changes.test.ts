import { describe, expect, test } from "vitest";
import { parseName } from "../../src/core/name.ts";
import { waitForTxt } from "../../src/dns/propagation.ts";
import type { Delegation } from "../../src/dns/types.ts";
import { delegationTo, flagged, type Respond, says } from "../fakes/virtual-servers.ts";
import { codesOf, from, lab, never, owner, serverOf, until, zone } from "./propagation-lab.ts";

const a = "192.0.2.1";
const b = "192.0.2.2";
const c = "192.0.2.3";

describe("an alias at the owner", () => {
  test("means that the value is misplaced, at once", async () => {
    const cname: Respond = (ask) => (ask.name === owner ? says.cname(owner, "a.example.org") : says.nxdomain(zone));
    const { run, clock } = lab({ [a]: from(never), [b]: until(3_000, from(never), cname), [c]: from(never) });
    const verdict = await run();
    expect(verdict.status).toBe("misplaced");
    expect(verdict.explanation).toContain("CNAME to a.example.org");
    expect(clock.now()).toBeLessThan(8_000);
  });

  test("by DNAME is misplaced without a further question", async () => {
    const { run, asked } = lab({ [a]: () => says.dname(zone, "moved.example.org") });
    expect((await run()).status).toBe("misplaced");
    expect(asked).toHaveLength(1);
  });

  test("made by a wildcard is waited for to go away", async () => {
    const wildcard: Respond = (ask) => says.cname(ask.name, "wild.example.org");
    const { run, asked } = lab({ [a]: until(4_000, wildcard, from(0)), [b]: until(6_000, wildcard, from(0)) });
    const verdict = await run();
    expect(verdict.status).toBe("propagated");
    // One probe beside the owner tells for both servers.
    expect(asked.filter((q) => q.ask.name !== owner).length).toBeLessThanOrEqual(2);
  });

  test("made by a wildcard, at the time-out, is shown as such", async () => {
    const wildcard: Respond = (ask) => says.cname(ask.name, "wild.example.org");
    const verdict = await lab({ [a]: wildcard }, { deadlineMs: 5_000 }).run();
    expect(verdict.status).toBe("timeout");
    expect(serverOf(verdict, a)).toMatchObject({ class: "absent", error: expect.stringContaining("wild.example.org") });
  });
});

describe("a delegation that is not what was thought", () => {
  const child = `_acme-challenge.${zone}`;
  function moving(before: Delegation, after: Delegation) {
    let current = before;
    return {
      forgotten: [] as string[],
      delegationOf: async () => current,
      forget(name: string) {
        this.forgotten.push(name);
        current = after;
      },
    };
  }

  test("is looked up again after a referral to a lower zone", async () => {
    const discovery = moving(delegationTo(zone, [a]), delegationTo(child, [b, c]));
    const { run } = lab(
      { [a]: () => says.referral(child, ["ns.child.test"]), [b]: from(0), [c]: from(2_000) },
      { discovery },
    );
    const verdict = await run();
    expect(verdict.status).toBe("propagated");
    expect(discovery.forgotten).toEqual([zone]);
    expect(verdict.servers.map((s) => [s.address, s.zone])).toEqual([
      [b, child],
      [c, child],
    ]);
  });

  test("is not decided by the servers of the upper zone while the lower one is looked for", async () => {
    const world = lab({ [a]: from(0), [b]: () => says.referral(child, ["ns.child.test"]), [c]: from(8_000) });
    let lower = false;
    const discovery = {
      delegationOf: async (_: unknown, signal: AbortSignal) => {
        if (!lower) return delegationTo(zone, [a, b]);
        await world.clock.sleep(5_000, signal);
        return delegationTo(child, [c]);
      },
      forget: () => {
        lower = true;
      },
    };
    const verdict = await world.clock.run(waitForTxt({ ...world.request, discovery }));
    expect(verdict.status).toBe("propagated");
    expect(verdict.servers.map((s) => s.address)).toEqual([c]);
    expect(world.clock.now()).toBeGreaterThanOrEqual(8_000);
  });

  test("is looked up again when a server does not serve the zone", async () => {
    const discovery = moving(delegationTo(zone, [a, b]), delegationTo(zone, [a, c]));
    const { run } = lab({ [a]: from(0), [b]: () => says.rcode("REFUSED"), [c]: from(5_000) }, { discovery });
    const verdict = await run();
    expect(verdict.status).toBe("propagated");
    expect(verdict.servers.map((s) => s.address)).toEqual([a, c]);
    expect(serverOf(verdict, a).agreedAfterMs).toBe(20);
  });

  test("and stays lame is not looked up for ever", async () => {
    let lookups = 0;
    const discovery = {
      delegationOf: async () => {
        lookups++;
        return delegationTo(zone, [a]);
      },
      forget: () => {},
    };
    const { run } = lab({ [a]: () => says.rcode("REFUSED") }, { discovery, deadlineMs: 300_000 });
    const verdict = await run();
    expect(verdict.status).toBe("timeout");
    expect(lookups).toBeLessThanOrEqual(4);
    expect(verdict.explanation).toContain("No nameserver that example.test is delegated to serves it (REFUSED");
  });
});

describe("several machines behind one address", () => {
  const pool = (count: number, identified: boolean, ready: (machine: number, now: number) => boolean): Respond => {
    let turn = 0;
    return (_, now) => {
      const machine = turn++ % count;
      const reaction = ready(machine, now) ? says.txt(owner, ["v1"]) : says.nxdomain(zone);
      return reaction.kind === "answer" && identified ? { ...reaction, nsid: `site-${machine}` } : reaction;
    };
  };

  test("that take the value back are waited for and named", async () => {
    const { run, clock } = lab({ [a]: pool(2, true, (m, now) => m === 1 || now > 8_000), [b]: from(0) });
    const verdict = await run();
    expect(verdict.status).toBe("propagated");
    expect(clock.now()).toBeGreaterThan(8_000);
    expect(serverOf(verdict, a).nsids).toEqual(["site-0", "site-1"]);
  });

  test("are confirmed once more from the first sign of them", async () => {
    const one = lab({ [a]: pool(1, true, () => true) });
    await one.run();
    expect(one.asked).toHaveLength(1);
    // Seen while waiting: two identities.
    const two = lab({ [a]: pool(2, true, (_, now) => now > 1_000) });
    await two.run();
    const after = two.asked.filter((q) => q.at > 1_000);
    expect(after.length).toBeGreaterThanOrEqual(2);
    expect((after[1]?.at ?? 0) - (after[0]?.at ?? 0)).toBeGreaterThanOrEqual(500);
  });

  test("are told by answer times only when those of a second machine come again and again", async () => {
    const endedAt = async (delayOf: (question: number) => number | undefined) => {
      let question = 0;
      const { run, clock } = lab({
        [a]: (ask, now) => {
          const reaction = from(3_000)(ask, now);
          const delayMs = delayOf(question++);
          return reaction.kind === "answer" && delayMs !== undefined ? { ...reaction, delayMs } : reaction;
        },
      });
      expect((await run()).status).toBe("propagated");
      return clock.now();
    };
    expect(await endedAt((n) => (n % 2 === 1 ? 90 + (n % 10) : undefined))).toBeGreaterThan(3_500);
    // A machine that is busy is still one: late now and then, or often and by any time.
    expect(await endedAt((n) => (n === 2 || n === 5 ? 90 : undefined))).toBeLessThan(3_500);
    expect(await endedAt((n) => [undefined, 70, 30, 250, 110][n % 5])).toBeLessThan(3_500);
  });

  test("set a warning when an answer goes back", async () => {
    const { run } = lab(
      { [a]: (_, now) => (now > 100 && now < 3_000 ? says.nxdomain(zone) : says.txt(owner, ["v1"])) },
      { confirmations: 2 },
    );
    const verdict = await run();
    expect(verdict.status).toBe("propagated");
    expect(codesOf(verdict)).toContain("W_FLAPPING");
  });

  test("are known from history", async () => {
    const hint = { schema: 1, counts: [], anycast: true } as const;
    const { run, asked } = lab({ [a]: from(0), [b]: from(0) }, { hint });
    await run();
    expect(asked.map((q) => q.at)).toEqual([0, 0, 520, 520]);
  });
});

describe("confirmations", () => {
  test("are whole sweeps, at least half a second apart", async () => {
    const { run, asked } = lab({ [a]: from(0), [b]: from(0) }, { confirmations: 3 });
    expect((await run()).status).toBe("propagated");
    expect(asked.map((q) => q.at)).toEqual([0, 0, 520, 520, 1_040, 1_040]);
  });
  test("go on after a failure that passed", async () => {
    let n = 0;
    const hiccup: Respond = (ask, now) => (++n === 2 ? says.rcode("SERVFAIL") : from(0)(ask, now));
    const { run, asked } = lab({ [a]: from(0), [b]: hiccup }, { confirmations: 3 });
    expect((await run()).status).toBe("propagated");
    // SERVFAIL arrives at 540 and is asked again then.
    expect(asked.map((q) => q.at)).toEqual([0, 0, 520, 520, 540, 1_060, 1_060]);
  });

  test("begin anew when somebody disagrees", async () => {
    const { run, asked } = lab(
      { [a]: from(0), [b]: until(500, from(0), until(2_000, from(never), from(0))) },
      { confirmations: 2 },
    );
    const verdict = await run();
    expect(verdict.status).toBe("propagated");
    const last = asked.filter((q) => q.address === b && q.at >= 2_000);
    expect(last.length).toBeGreaterThanOrEqual(2);
  });
});

describe("warnings", () => {
  test("name servers whose answers will trouble the CA", async () => {
    const server: Respond = (_, now) => {
      if (now < 1_000) return says.empty();
      const reaction = says.txt(owner, ["v1", ...Array.from({ length: 7 }, (_, i) => `old-${i}`)]);
      return reaction.kind === "answer" ? { ...reaction, warnings: ["W_CASE"] } : reaction;
    };
    const verdict = await lab({ [a]: server }).run();
    expect(codesOf(verdict).toSorted()).toEqual(["W_CASE", "W_MANY_VALUES", "W_NO_SOA"]);
    expect(verdict.warnings.every((w) => w.server === a)).toBe(true);
    expect(serverOf(verdict, a).seen).toEqual(["old-0", "old-1", "old-2"]);
  });

  test("of the delegation are passed on", async () => {
    const delegation = {
      ...delegationTo(zone, [a]),
      warnings: [{ code: "W_NS_MISMATCH", text: "parent and child differ" }],
    };
    const items = [{ owner: parseName(owner), values: ["v1"], delegation }];
    expect(codesOf(await lab({ [a]: from(0) }, { items }).run())).toEqual(["W_NS_MISMATCH"]);
  });
});

test("values are shown shortened and with control characters made visible", async () => {
  const values = ["x".repeat(100), "tab\there"];
  const verdict = await lab({ [a]: () => says.txt(owner, values) }, { deadlineMs: 1_000 }).run();
  expect(serverOf(verdict, a).seen).toEqual([`${"x".repeat(20)}…`, "tab\\there"]);
});

test("an answer that is truncated everywhere is not taken for an empty one", async () => {
  const cut = flagged(says.empty(), { truncated: true });
  const verdict = await lab({ [a]: () => cut }, { deadlineMs: 5_000 }).run();
  expect(serverOf(verdict, a).class).toBe("broken");
});
