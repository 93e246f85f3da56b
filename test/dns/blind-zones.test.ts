import { expect, test } from "vitest";
import { createBlindZones } from "../../src/dns/blind-zones.ts";
import { waitForTxt } from "../../src/dns/propagation.ts";
import { type Respond, says } from "../fakes/virtual-servers.ts";
import { type LabOptions, lab, mute, owner, serverOf, until, zone } from "./propagation-lab.ts";

const ns = "192.0.2.1";
const ns2 = "192.0.2.2";
const cache = "192.0.2.53";
const minutes = 60_000;

/** A resolver that shows the value `delayMs` after each write, and keeps a "no" for the SOA's MINIMUM. */
function resolver(written: () => number, { delayMs = 0, minimum = 60 } = {}): Respond {
  let keptUntil = Number.NEGATIVE_INFINITY;
  return (ask, now) => {
    if (ask.type === "SOA") return says.soa(zone, { ttl: 5, minimum });
    if (now >= keptUntil && now >= written() + delayMs) return says.txt(owner, ["v1"]);
    keptUntil = Math.max(keptUntil, now + minimum * 1_000);
    return says.nxdomain(zone, { ttl: minimum, minimum });
  };
}

/** Waits one after another, as the Presents of a process, with one memory. */
function waits(
  nameservers: Readonly<Record<string, Respond>>,
  facts: Parameters<typeof resolver>[1] = {},
  more: LabOptions = {},
) {
  let written = 0;
  const servers = { ...nameservers, [cache]: resolver(() => written, facts) };
  const resolvers = [{ address: cache, port: 53 }];
  const { clock, request, asked } = lab(servers, {
    resolvers,
    names: Object.keys(nameservers),
    deadlineMs: 900_000,
    ...more,
  });
  const blindZones = createBlindZones(clock);
  return {
    clock,
    asked,
    async present() {
      written = clock.now();
      const verdict = await clock.run(waitForTxt({ ...request, blindZones }));
      return { verdict, tookMs: clock.now() - written };
    },
  };
}

test("a zone none of whose nameservers answers is remembered: the next wait asks the resolver within a second", async () => {
  const { present } = waits({ [ns]: mute, [ns2]: mute });
  const first = await present();
  expect(first.verdict.status).toBe("propagated");
  expect(first.tookMs).toBeGreaterThan(8_000);
  for (let i = 0; i < 5; i++) {
    const { verdict, tookMs } = await present();
    expect(verdict.status).toBe("propagated");
    expect(tookMs).toBeLessThan(1_000);
    expect(serverOf(verdict, cache)).toMatchObject({ class: "match", resolver: true });
  }
});

test("after some minutes the nameservers get their full time again", async () => {
  const { present, clock } = waits({ [ns]: mute });
  await present();
  await clock.advance(2 * minutes);
  expect((await present()).tookMs).toBeLessThan(1_000);
  // Waits in between do not put it off.
  await clock.advance(4 * minutes);
  expect((await present()).tookMs).toBeGreaterThan(8_000);
  expect((await present()).tookMs).toBeLessThan(1_000);
});

test("nameservers that come back count at the next wait, and the zone is forgotten", async () => {
  const backAt = 60_000;
  const answering: Respond = (_, now) => (now < backAt + 20_000 ? says.nxdomain(zone) : says.txt(owner, ["v1"]));
  const { present, clock } = waits({ [ns]: until(backAt, mute, answering) });
  await present();
  await clock.advance(backAt - clock.now());
  // The resolver has the value already; the nameserver does not yet.
  const { verdict, tookMs } = await present();
  expect(verdict.status).toBe("propagated");
  expect(tookMs).toBeGreaterThan(19_000);
  expect(serverOf(verdict, ns)).toMatchObject({ class: "match" });
  expect(verdict.servers.some((s) => s.resolver === true)).toBe(false);
});

test("one dead nameserver of several makes no zone blind", async () => {
  const lagging: Respond = (_, now) => (now < 30_000 ? says.nxdomain(zone) : says.txt(owner, ["v1"]));
  const { present } = waits({ [ns]: mute, [ns2]: lagging });
  for (let i = 0; i < 3; i++) {
    const { verdict } = await present();
    expect(verdict.status).toBe("propagated");
    expect(serverOf(verdict, ns2)).toMatchObject({ class: "match" });
    expect(verdict.servers.some((s) => s.resolver === true)).toBe(false);
  }
});

test("of a remembered zone one nameserver that comes back decides, although the other stays dead", async () => {
  const backAt = 30_000;
  const back: Respond = (_, now) => (now < backAt + 15_000 ? says.nxdomain(zone) : says.txt(owner, ["v1"]));
  const { present, clock } = waits({ [ns]: mute, [ns2]: until(backAt, mute, back) });
  await present();
  await clock.advance(backAt - clock.now());
  const { verdict, tookMs } = await present();
  expect(verdict.status).toBe("propagated");
  expect(tookMs).toBeGreaterThan(14_000);
  expect(serverOf(verdict, ns2)).toMatchObject({ class: "match" });
});

test('a resolver that would keep a "no" for long is asked after the usual delay, as ever', async () => {
  const { present, asked } = waits({ [ns]: mute }, { delayMs: 3_000, minimum: 1_800 });
  await present();
  const { verdict, tookMs } = await present();
  expect(verdict.status).toBe("propagated");
  expect(tookMs).toBeGreaterThanOrEqual(5_000);
  expect(tookMs).toBeLessThan(6_000);
  expect(asked.filter(({ address, ask }) => address === cache && ask.type === "TXT")).toHaveLength(2);
});

test("a zone where the resolver was asked too early once is asked later from then on", async () => {
  const { present } = waits({ [ns]: mute }, { delayMs: 3_000, minimum: 60 });
  await present();
  expect((await present()).tookMs).toBeGreaterThan(60_000);
  for (let i = 0; i < 3; i++) {
    const { tookMs } = await present();
    expect(tookMs).toBeGreaterThanOrEqual(5_000);
    expect(tookMs).toBeLessThan(6_000);
  }
});

test("without a resolver nothing is remembered: every wait gives the nameservers their full time", async () => {
  const { present } = waits({ [ns]: mute }, {}, { resolvers: [] });
  for (let i = 0; i < 2; i++) {
    const { verdict, tookMs } = await present();
    expect(verdict.status).toBe("blind");
    expect(tookMs).toBeGreaterThan(8_000);
  }
});
