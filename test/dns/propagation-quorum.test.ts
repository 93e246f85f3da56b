import { describe, expect, test } from "vitest";
import { parseName } from "../../src/core/name.ts";
import { flagged, type Respond, says } from "../fakes/virtual-servers.ts";
import { codesOf, from, lab, mute, never, owner, serverOf, unroutable, until, zone } from "./propagation-lab.ts";

const a = "192.0.2.1";
const b = "192.0.2.2";
const c = "192.0.2.3";
const d = "192.0.2.4";
const a6 = "2001:db8::1";
const b6 = "2001:db8::2";
const refused = () => says.rcode("REFUSED");
const servfail = () => says.rcode("SERVFAIL");

describe("wrong data", () => {
  test.each([
    ["absent", from(never)],
    ["absent-nosoa", () => says.empty()],
    ["stale", () => says.txt(owner, ["old"])],
  ] as const)("%s on one server of four blocks", async (kind, server) => {
    const { run } = lab({ [a]: from(0), [b]: from(0), [c]: from(0), [d]: server }, { deadlineMs: 30_000 });
    const verdict = await run();
    expect(verdict.status).toBe("timeout");
    expect(serverOf(verdict, d)).toMatchObject({ class: kind, excused: false });
    expect(verdict.explanation).toContain(d);
  });

  test("partial on one server blocks", async () => {
    const items = [{ owner: parseName(owner), values: ["v1", "v2"] }];
    const { run } = lab({ [a]: from(0, ["v1", "v2"]), [b]: from(0, ["v1"]) }, { items, deadlineMs: 10_000 });
    const verdict = await run();
    expect(verdict.status).toBe("timeout");
    expect(serverOf(verdict, b)).toMatchObject({ class: "partial", missing: ["v2"] });
  });

  test("shown before a server falls silent is not forgotten with three lost questions", async () => {
    const { run, clock } = lab({ [a]: from(0), [b]: until(100, from(never), mute) });
    const verdict = await run();
    expect(verdict.status).toBe("propagated");
    expect(clock.now()).toBeGreaterThan(10_000);
    expect(serverOf(verdict, b)).toMatchObject({ class: "silent", excused: true });
  });

  test("shown by a server that was dead at first blocks as soon as it is heard", async () => {
    const { run } = lab({ [a]: from(12_000), [b]: until(6_000, mute, from(20_000)) });
    const verdict = await run();
    expect(verdict.status).toBe("propagated");
    expect(serverOf(verdict, b).agreedAfterMs).toBeGreaterThanOrEqual(20_000);
  });
});

describe("a server that gives no usable answer", () => {
  test.each([
    ["silent", mute],
    ["lame", refused],
    ["broken", servfail],
    ["unroutable", unroutable],
  ] as const)("%s, one of two, is excused within three seconds and named", async (kind, server) => {
    const { run, clock } = lab({ [a]: from(0), [b]: server });
    const verdict = await run();
    expect(verdict.status).toBe("propagated");
    expect(clock.now()).toBeLessThanOrEqual(3_000);
    expect(clock.now()).toBeGreaterThanOrEqual(2_000);
    expect(serverOf(verdict, b)).toMatchObject({ class: kind, excused: true });
    expect(codesOf(verdict)).toContain(kind === "unroutable" ? "W_UNROUTABLE" : "W_EXCUSED");
    expect(verdict.explanation).toContain(b);
  });

  test("SERVFAIL once, is asked again over TCP at once, and as the witness it stays one", async () => {
    let n = 0;
    const hiccup: Respond = (ask, now) => (now > 3_000 && n++ === 0 ? says.rcode("SERVFAIL") : from(3_000)(ask, now));
    const { run, asked, clock } = lab({ [a]: hiccup, [b]: from(3_000) });
    expect((await run()).status).toBe("propagated");
    const [failed, again, sweep] = asked.filter((q) => q.at > 2_980);
    expect([again?.address, again?.ask.tcpOnly, again?.at]).toEqual([failed?.address, true, (failed?.at ?? 0) + 20]);
    expect(sweep?.at).toBe((again?.at ?? 0) + 20);
    expect(clock.now()).toBe((sweep?.at ?? 0) + 20);
  });

  test("costs nothing more when the others take longer than it takes to excuse it", async () => {
    const dead = lab({ [a]: from(4_000), [b]: mute });
    const alone = lab({ [a]: from(4_000) });
    await dead.run();
    await alone.run();
    expect(dead.clock.now() - alone.clock.now()).toBeLessThan(300);
  });

  test("is heard once more before it is excused on old evidence", async () => {
    const { run, asked, clock } = lab({ [a]: from(15_000), [b]: mute });
    expect((await run()).status).toBe("propagated");
    const last = asked.filter((q) => q.address === b).at(-1);
    expect(clock.now() - (last?.at ?? 0)).toBeLessThanOrEqual(5_000);
    expect(clock.now()).toBeLessThanOrEqual(18_500);
  });

  test("blocks when more than half of the names are like that", async () => {
    const { run } = lab({ [a]: from(0), [b]: mute, [c]: mute }, { deadlineMs: 20_000 });
    const verdict = await run();
    expect(verdict.status).toBe("timeout");
    expect(verdict.explanation).toContain("too many are missing");
  });

  test("does not block by its second address when the first agrees", async () => {
    const names = [`ns1.${zone}/${a}`, `ns1.${zone}/${a6}`, `ns2.${zone}/${b}`, `ns2.${zone}/${b6}`];
    const { run } = lab({ [a]: from(0), [a6]: mute, [b]: from(0), [b6]: mute }, { names });
    const verdict = await run();
    expect(verdict.status).toBe("propagated");
    expect(serverOf(verdict, a6).excused).toBe(true);
  });

  test("counts by the names, not by the addresses", async () => {
    const names = [`ns1.${zone}/${a}`, `ns1.${zone}/${b}`, `ns1.${zone}/${c}`, `ns2.${zone}/${d}`, `ns3.${zone}/${a6}`];
    const servers = { [a]: from(0), [b]: from(0), [c]: from(0), [d]: mute, [a6]: mute };
    expect((await lab(servers, { names, deadlineMs: 20_000 }).run()).status).toBe("timeout");
  });

  test("blocks under quorum all, and is named", async () => {
    const { run } = lab({ [a]: from(0), [b]: mute }, { quorum: "all", deadlineMs: 10_000 });
    const verdict = await run();
    expect(verdict.status).toBe("timeout");
    expect(serverOf(verdict, b)).toMatchObject({ class: "silent", excused: false });
    expect(verdict.explanation).toContain(b);
  });

  test("that fails now and then is not excused, and is asked over TCP as well", async () => {
    let n = 0;
    const moody: Respond = (ask, now) => (n++ % 4 !== 3 ? servfail() : from(9_000)(ask, now));
    const { run, asked } = lab({ [a]: from(0), [b]: moody });
    const verdict = await run();
    expect(verdict.status).toBe("propagated");
    expect(serverOf(verdict, b)).toMatchObject({ class: "match", excused: false });
    const transports = asked.filter((q) => q.address === b).map((q) => q.ask.tcpOnly === true);
    expect(transports.slice(0, 4)).toEqual([false, true, false, true]);
  });

  test("that recovers in time agrees like the others", async () => {
    const { run } = lab({ [a]: from(0), [b]: until(1_500, servfail, from(0)) });
    const verdict = await run();
    expect(verdict.status).toBe("propagated");
    expect(serverOf(verdict, b)).toMatchObject({ class: "match", excused: false });
  });

  test("and is the only one is asked until the deadline", async () => {
    const { run } = lab({ [a]: until(30_000, servfail, from(0)) });
    const verdict = await run();
    expect(verdict.status).toBe("propagated");
    expect(serverOf(verdict, a).agreedAfterMs).toBeLessThan(36_000);
  });
});

describe("an address without a route", () => {
  test("is not tested when the same server has another one", async () => {
    const names = [`ns1.${zone}/${a}`, `ns1.${zone}/${a6}`, `ns2.${zone}/${b}`, `ns2.${zone}/${b6}`];
    for (const quorum of ["reachable", "all"] as const) {
      const { run, clock } = lab({ [a]: from(0), [a6]: unroutable, [b]: from(0), [b6]: unroutable }, { names, quorum });
      const verdict = await run();
      expect(verdict.status).toBe("propagated");
      expect(clock.now()).toBe(20);
      expect(verdict.warnings).toHaveLength(1);
      expect(verdict.warnings[0]).toMatchObject({ code: "W_UNROUTABLE", text: expect.stringContaining(a6) });
    }
  });
});

describe("a number that may be missing", () => {
  test("covers wrong data too", async () => {
    const { run, clock } = lab({ [a]: from(0), [b]: from(0), [c]: from(never) }, { quorum: { missing: 1 } });
    const verdict = await run();
    expect(verdict.status).toBe("propagated");
    expect(clock.now()).toBeLessThan(1_000);
    expect(serverOf(verdict, c).excused).toBe(true);
  });
  test("is not held up by a witness that never agrees", async () => {
    const { run, clock } = lab({ [a]: from(never), [b]: from(2_000), [c]: from(2_000) }, { quorum: { missing: 1 } });
    expect((await run()).status).toBe("propagated");
    expect(clock.now()).toBeLessThan(3_000);
  });
  test("still needs somebody to agree", async () => {
    const { run } = lab({ [a]: from(never) }, { quorum: { missing: 3 }, deadlineMs: 5_000 });
    expect((await run()).status).toBe("timeout");
  });
});

describe("nobody who can be heard", () => {
  test.each([
    ["silent", mute, "port 53 seems blocked"],
    ["unroutable", unroutable, "no route"],
    [
      "answered for by a resolver",
      () => flagged(says.nxdomain(zone), { authoritative: false, recursionAvailable: true }),
      "port 53 is intercepted",
    ],
  ] as const)("%s: blind, long before the deadline", async (_, server, words) => {
    const { run, clock } = lab({ [a]: server, [b]: server }, { deadlineMs: 300_000 });
    const verdict = await run();
    expect(verdict.status).toBe("blind");
    expect(clock.now()).toBeLessThan(15_000);
    expect(verdict.explanation).toContain(words);
  });

  test("but one that says something is not blind", async () => {
    const { run } = lab({ [a]: mute, [b]: refused }, { deadlineMs: 20_000 });
    expect((await run()).status).toBe("timeout");
  });

  test("any more, after one of them had something to say, is no reason to ask somebody else", async () => {
    const resolver = () => flagged(says.nxdomain(zone), { authoritative: false, recursionAvailable: true });
    const resolvers = [{ address: "192.0.2.53", port: 53 }];
    const { run, asked } = lab(
      { [a]: until(1_000, from(never), resolver), "192.0.2.53": from(0) },
      { names: [a], resolvers, deadlineMs: 30_000 },
    );
    expect((await run()).status).toBe("timeout");
    expect(asked.some((q) => q.address === "192.0.2.53")).toBe(false);
  });

  test("until a moment later is no reason to give up", async () => {
    const { run } = lab({ [a]: until(5_000, mute, from(0)), [b]: until(5_000, mute, from(0)) });
    expect((await run()).status).toBe("propagated");
  });
});
