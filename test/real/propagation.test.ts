import { expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { parseName } from "../../src/core/name.ts";
import { createDiscovery } from "../../src/dns/discovery.ts";
import { waitForTxt } from "../../src/dns/propagation.ts";
import { createExchange } from "../../src/dns/transport.ts";
import type { Verdict } from "../../src/dns/types.ts";
import { createRandom } from "../../src/testing/random.ts";
import { lastArrival, markUpdates } from "./lab/counts.ts";
import { txtValues } from "./lab/dig.ts";
import { changeZone } from "./lab/foreign-hand.ts";
import { livingServers, zoneHolding } from "./lab/judge.ts";
import { type Delay, summary } from "./lab/overshoot.ts";
import { until } from "./lab/patience.ts";
import { secondariesOf } from "./lab/plan.ts";
import { noDnsFaults } from "./lab/relay.ts";
import { describeInLab, repeats } from "./lab/suite.ts";

const seed = Number(process.env["DNS01_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const random = createRandom(seed);
const between = (low: number, high: number) => low + random() * (high - low);
const runs = repeats(8, 100);
const longestLagMs = repeats(4000, 15_000);

const weathers = [
  { title: "calm", faults: () => noDnsFaults },
  {
    // UDP may fail altogether, TCP stays: no server is ever out of order, so none may be excused.
    title: "stormy",
    faults: () => ({ ...noDnsFaults, drop: between(0, 0.5), truncate: between(0, 0.3), servfail: between(0, 0.3) }),
  },
];

describeInLab(
  `the wait on real servers (DNS01_SEED=${seed})`,
  (inLab) => {
    const wait = (
      name: string,
      values: readonly string[],
      deadlineMs: number,
      signal = AbortSignal.timeout(120_000),
    ) => {
      const lab = inLab();
      const exchange = createExchange();
      const discovery = createDiscovery({
        mode: "walk",
        exchange,
        rootHints: [lab.root],
        port: lab.port,
        fallback: [],
      });
      const items = [{ owner: parseName(name), values }];
      return waitForTxt({ items, mode: "authoritative", discovery, exchange, deadlineMs, signal, clock: systemClock });
    };
    const change = (does: "add" | "remove", name: string, values: readonly string[]) => {
      const lab = inLab();
      const changes = values.map((data) => ({ does, name, type: "TXT", data }) as const);
      return changeZone(lab.realAt("knot"), zoneHolding(name).apex, lab.keys["hmac-sha256"], changes);
    };
    /** Servers that do not serve all values at this moment. */
    const behind = async (name: string, values: readonly string[]) => {
      const roles = livingServers(zoneHolding(name));
      const found = await Promise.all(roles.map((role) => txtValues(inLab().realAt(role), name)));
      return roles.filter((_, i) => !values.every((value) => found[i]?.includes(value)));
    };
    const classOf = (verdict: Verdict, name: string) => verdict.servers.find((server) => server.name === name)?.class;

    test.each(weathers)(
      "random lag, $title: at the moment of the yes every server has both values",
      {
        timeout: 3_600_000,
        retry: 0,
      },
      async ({ title, faults }) => {
        const lab = inLab();
        const { relays } = lab;
        if (relays === undefined) throw new Error("this lab has no relays");
        let left = runs;
        const delays: Delay[] = [];
        const lane = async (number: number) => {
          const apex = `zone${number}.test`;
          while (left-- > 0) {
            const lag = { nsd: between(0, longestLagMs), bind: between(0, longestLagMs) };
            lab.lag.zones.set(apex, lag);
            for (const relay of Object.values(relays)) relay.faults = faults();
            const name = `_acme-challenge.r${left}.${apex}`;
            const values = [`first-${left}`, `second-${left}`];
            await change("add", name, values);
            const verdict = await wait(name, values, 60_000);
            const said = Date.now();
            expect(await behind(name, values), `lag ${JSON.stringify(lag)}`).toEqual([]);
            expect(verdict.status, verdict.explanation).toBe("propagated");
            expect(verdict.servers.filter((server) => server.excused)).toEqual([]);
            await markUpdates(lab, apex);
            const update = lab.updates.findLast((candidate) => candidate.zone === apex);
            if (update === undefined) throw new Error("the log does not show the update");
            const there = await lastArrival(lab, apex, update.serial);
            delays.push({ delayMs: there - update.at, overshootMs: said - there });
            await change("remove", name, values);
            // A NOTIFY still held back would bring the next run's values before their time.
            for (const role of secondariesOf(apex))
              await until(async () => (await txtValues(lab.realAt(role), name)).length === 0, 30_000);
          }
        };
        await Promise.all(Array.from({ length: repeats(4, 8) }, (_, i) => lane(i)));
        for (const relay of Object.values(relays)) relay.faults = noDnsFaults;
        console.log(`${title}: ${delays.length} runs, 0 early; ${summary(delays)}`);
      },
    );

    test("one value of two on a server: no yes, and the verdict says which one is missing where", async () => {
      const lab = inLab();
      lab.lag.zones.set("zone5.test", { nsd: 60_000, bind: 0 });
      const name = "_acme-challenge.zone5.test";
      await change("add", name, ["here"]);
      await until(async () => (await txtValues(lab.realAt("bind"), name)).includes("here"));
      lab.lag.zones.set("zone5.test", { nsd: 60_000, bind: 60_000 });
      await change("add", name, ["late"]);
      const verdict = await wait(name, ["here", "late"], 2500);
      expect(verdict.status).toBe("timeout");
      expect(classOf(verdict, "ns1.zone5.test")).toBe("match");
      expect(classOf(verdict, "ns3.zone5.test")).toBe("partial");
      expect(verdict.servers.find((server) => server.name === "ns2.zone5.test")).toMatchObject({
        class: "absent",
        missing: ["here", "late"],
      });
      expect(verdict.explanation).toContain("ns2.zone5.test");
      lab.lag.zones.delete("zone5.test");
    });

    test("where parent and child list different servers, every one of both has to have the value", async () => {
      const lab = inLab();
      lab.lag.zones.set("mismatch.test", { nsd: 1500, bind: 800 });
      const name = "_acme-challenge.mismatch.test";
      await change("add", name, ["v"]);
      const verdict = await wait(name, ["v"], 20_000);
      expect(await behind(name, ["v"])).toEqual([]);
      expect(verdict.status).toBe("propagated");
      expect(verdict.servers.map((server) => server.name).sort()).toEqual([1, 2, 3].map((n) => `ns${n}.mismatch.test`));
      expect(verdict.warnings.map((warning) => warning.code)).toContain("W_NS_MISMATCH");
      lab.lag.zones.delete("mismatch.test");
    });

    test("a dead, a silent and a lame server are excused with a warning; the others decide", async () => {
      for (const [apex, server] of [
        ["dead.test", "ns2.dead.test"],
        ["mute.test", "ns2.mute.test"],
        ["lame.test", "ns3.lame.test"],
      ] as const) {
        const name = `_acme-challenge.${apex}`;
        await change("add", name, ["v"]);
        const verdict = await wait(name, ["v"], 20_000);
        expect(verdict.status, apex).toBe("propagated");
        expect(verdict.servers.find((s) => s.name === server)).toMatchObject({ excused: true });
        expect(
          verdict.warnings.some((w) => w.text.includes(server) || w.server?.includes(server) === true),
          apex,
        ).toBe(true);
        expect(await behind(name, ["v"])).toEqual([]);
      }
    });

    test("a server with old data blocks for ever and is named with its serial", async () => {
      const name = "_acme-challenge.stale.test";
      await change("add", name, ["v"]);
      const verdict = await wait(name, ["v"], 2500);
      expect(verdict.status).toBe("timeout");
      expect(verdict.servers.find((server) => server.name === "ns2.stale.test")).toMatchObject({
        class: "absent",
        soaSerial: 1,
        excused: false,
      });
      expect(verdict.explanation).toContain("ns2.stale.test");
    });

    test("a value that was written beside an alias is misplaced at once", async () => {
      const verdict = await wait("_acme-challenge.one.example.test", ["v"], 20_000);
      expect(verdict.status).toBe("misplaced");
    });

    test("an abort ends the wait and says so", async () => {
      const controller = new AbortController();
      const waiting = wait("_acme-challenge.zone6.test", ["never"], 60_000, controller.signal);
      setTimeout(() => controller.abort(), 300);
      expect((await waiting).status).toBe("aborted");
    });
  },
  { relays: true, random },
);
