import { describe, expect, test } from "vitest";
import { parseName } from "../../src/core/name.ts";
import { waitForTxt } from "../../src/dns/propagation.ts";
import { flagged, type Respond, says, virtualExchange } from "../fakes/virtual-servers.ts";
import { codesOf, from, type LabOptions, lab, mute, never, owner, serverOf, until, zone } from "./propagation-lab.ts";

const ns = "192.0.2.1";
const cache = "192.0.2.53";
const other = "192.0.2.54";
const resolvers = [{ address: cache, port: 53 }];
const both: LabOptions = { mode: "both", resolvers, names: [ns] };

/** A resolver that remembers "no" for `ttl` seconds from the first question on. */
function remembering(ttl: number, ready: number): Respond {
  let until = Number.NEGATIVE_INFINITY;
  return (ask, now) => {
    if (now < until) return says.nxdomain(zone, { ttl: Math.ceil((until - now) / 1_000), minimum: 86_400 });
    if (now >= ready) return flagged(says.txt(ask.name, ["v1"]), { authenticData: true });
    until = now + ttl * 1_000;
    return says.nxdomain(zone, { ttl, minimum: 86_400 });
  };
}

function edns(code: number, words: string) {
  const data = Uint8Array.from([0, code, ...Buffer.from(words)]);
  return { udpSize: 1232, version: 0, dnssecOk: true, options: [{ code: 15, data }] };
}

describe("rule zero", () => {
  test("no cache is asked for the name before every nameserver has it", async () => {
    const { run, asked } = lab({ [ns]: from(5_000), [cache]: remembering(3_600, 5_000) }, both);
    const verdict = await run();
    expect(verdict.status).toBe("propagated");
    const first = asked.findIndex((q) => q.address === cache);
    expect(asked[first]?.at).toBeGreaterThan(5_000);
    expect(asked.slice(first).every((q) => q.address === cache)).toBe(true);
    expect(asked[first]?.ask).toMatchObject({ recursionDesired: true, dnssecOk: true, checkingDisabled: false });
    expect(serverOf(verdict, cache)).toMatchObject({ class: "match", resolver: true, authenticData: true });
  });

  test("in mode authoritative no cache is asked at all", async () => {
    const { run, asked } = lab({ [ns]: from(0), [cache]: from(0) }, { ...both, mode: "authoritative" });
    expect((await run()).status).toBe("propagated");
    expect(asked.some((q) => q.address === cache)).toBe(false);
  });

  test("a cache alone is asked only after the usual delay, and the reason is told", async () => {
    for (const [options, delay] of [
      [{ expectedDelayMs: 12_000 }, 12_000],
      [{}, 5_000],
      [{ hint: { schema: 1, counts: [0, 0, 0, 0, 0, 0, 0, 0, 0, 20] } }, 4_000],
    ] as const) {
      const { run, asked, events } = lab(
        { [cache]: remembering(60, 0) },
        { ...both, mode: "recursive", names: [], ...options },
      );
      const verdict = await run();
      expect(verdict.status).toBe("propagated");
      expect(asked).toHaveLength(1);
      expect(asked[0]?.at).toBe(delay);
      const wait = events.find((e) => e.type === "propagation.wait");
      expect(wait).toMatchObject({ waitMs: delay, reason: expect.stringContaining("would remember") });
      expect(verdict.explanation).toContain(cache);
    }
  });
});

describe("a cache that says no", () => {
  test("is asked again when its answer has expired, and not before", async () => {
    const { run, asked } = lab({ [cache]: remembering(17, 6_000) }, { ...both, mode: "recursive", names: [] });
    expect((await run()).status).toBe("propagated");
    const times = asked.map((q) => q.at);
    expect(times).toHaveLength(2);
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(17_000);
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeLessThan(18_000);
  });

  test("with a TTL of zero is asked every five seconds", async () => {
    const { run, asked } = lab({ [cache]: remembering(0, 18_000) }, { ...both, mode: "recursive", names: [] });
    expect((await run()).status).toBe("propagated");
    const gaps = asked.slice(1).map((q, i) => q.at - (asked[i]?.at ?? 0));
    expect(gaps.every((gap) => gap >= 5_000 && gap < 5_100)).toBe(true);
  });

  test("for longer than there is time ends the wait, and the CA is said to be unaffected", async () => {
    const { run, clock } = lab({ [ns]: from(0), [cache]: remembering(2_710, 1e9) }, { ...both, deadlineMs: 300_000 });
    const verdict = await run();
    expect(verdict.status).toBe("timeout");
    expect(clock.now()).toBeLessThan(1_000);
    expect(verdict.explanation).toContain("2,710 s");
    expect(verdict.explanation).toContain("The CA uses resolvers of its own");
  });

  test("with an older value is asked again when that has expired", async () => {
    const stale = until(9_000, () => says.txt(owner, ["old"], 8), from(0));
    const { run, asked } = lab({ [cache]: stale }, { ...both, mode: "recursive", names: [], expectedDelayMs: 2_000 });
    expect((await run()).status).toBe("propagated");
    expect(asked).toHaveLength(2);
    expect(asked[1]?.at).toBe(10_020);
  });
});

describe("DNSSEC at a validating resolver", () => {
  const bogus: Respond = (ask) =>
    ask.checkingDisabled === true
      ? says.txt(owner, ["v1"])
      : flagged(says.rcode("SERVFAIL"), { edns: edns(7, "signature of example.test expired") });

  test("SERVFAIL that turns into an answer without checking is bogus, at once and in the server's words", async () => {
    const { run, clock } = lab({ [ns]: from(0), [cache]: bogus }, both);
    const verdict = await run();
    expect(verdict.status).toBe("dnssec-bogus");
    expect(clock.now()).toBeLessThan(1_000);
    expect(verdict.explanation).toContain("EDE 7 Signature Expired: signature of example.test expired");
  });

  test("a resolver that has lost its servers for a moment is not bogus", async () => {
    let n = 0;
    const hiccup: Respond = (ask, now) => (n++ === 0 ? says.rcode("SERVFAIL") : from(0)(ask, now));
    expect((await lab({ [ns]: from(0), [cache]: hiccup }, both).run()).status).toBe("propagated");
  });
});

describe("a resolver that cannot be used", () => {
  test.each([
    ["silent", mute],
    ["refusing", () => says.rcode("REFUSED")],
  ] as const)("%s is passed over with a warning when another has the value", async (_, server) => {
    const two = [...resolvers, { address: other, port: 53 }];
    const { run } = lab({ [ns]: from(0), [cache]: server, [other]: from(0) }, { ...both, resolvers: two });
    const verdict = await run();
    expect(verdict.status).toBe("propagated");
    expect(codesOf(verdict)).toContain("W_RESOLVER");
    expect(serverOf(verdict, cache).excused).toBe(true);
  });

  test("and is the only one leaves the question open", async () => {
    const verdict = await lab({ [ns]: from(0), [cache]: () => says.rcode("REFUSED") }, both).run();
    expect(verdict.status).toBe("blind");
    expect(verdict.explanation).toContain("REFUSED");
  });

  test("is a fault of the request when none is given", async () => {
    await expect(lab({}, { mode: "both", resolvers: [] }).run()).rejects.toMatchObject({ code: "CONFIG" });
    const url = [new URL("https://dns.example/dns-query")];
    await expect(lab({}, { mode: "recursive", resolvers: url }).run()).rejects.toMatchObject({ code: "CONFIG" });
  });
});

describe("when no nameserver can be reached", () => {
  test("the resolvers are asked instead, late and with a warning", async () => {
    const { run, asked } = lab(
      { [ns]: mute, [cache]: remembering(60, 0) },
      { ...both, mode: "authoritative", expectedDelayMs: 20_000 },
    );
    const verdict = await run();
    expect(verdict.status).toBe("propagated");
    expect(codesOf(verdict)).toContain("W_BLIND");
    expect(asked.find((q) => q.address === cache)?.at).toBe(20_000);
  });

  test("and failing is wanted, nobody else is asked", async () => {
    const { run, asked } = lab({ [ns]: mute, [cache]: from(0) }, { ...both, mode: "authoritative", whenBlind: "fail" });
    expect((await run()).status).toBe("blind");
    expect(asked.some((q) => q.address === cache)).toBe(false);
  });

  test("a wait that is cut short while holding back is no success", async () => {
    const { run } = lab({ [ns]: mute, [cache]: from(never) }, { ...both, mode: "authoritative", deadlineMs: 12_000 });
    expect((await run()).status).not.toBe("propagated");
  });
});

test("a resolver given as URL is asked through DNS over HTTPS, and named without what may be secret in it", async () => {
  const url = new URL("https://user:hidden@dns.example/dns-query?token=hidden");
  const world = lab({ [ns]: from(0) }, { mode: "both", names: [ns] });
  const reaction = from(0);
  const doh = virtualExchange(world.clock, {
    "dns.example": (ask, now) => ({ ...reaction(ask, now), transport: "doh" }) as ReturnType<Respond>,
  });
  const asked: string[] = [];
  const dohExchange = (to: URL) => {
    asked.push(to.href);
    return doh.exchange;
  };
  const verdict = await world.clock.run(waitForTxt({ ...world.request, resolvers: [url], dohExchange }));
  expect(verdict).toMatchObject({ status: "propagated", queries: { udp: 1, doh: 1 } });
  expect(asked).toEqual([url.href]);
  expect(JSON.stringify(verdict)).not.toContain("hidden");
  expect(serverOf(verdict, "https://dns.example/dns-query")).toMatchObject({
    resolver: true,
    transport: "doh",
    owner: parseName(owner),
  });
});

test("abort and deadline hold in the resolver stage too", async () => {
  const world = lab({ [cache]: remembering(10, never) }, { ...both, mode: "recursive", names: [] });
  const waiting = waitForTxt(world.request);
  await world.clock.advance(7_000);
  world.abort.abort();
  expect((await world.clock.run(waiting)).status).toBe("aborted");
  expect(world.clock.now()).toBe(7_000);
  expect(world.clock.sleepers).toBe(0);
  const late = lab({ [cache]: mute }, { ...both, mode: "recursive", names: [], deadlineMs: 6_000 });
  expect((await late.run()).status).toBe("timeout");
  expect(late.clock.now()).toBe(6_000);
});
