import { expect, test } from "vitest";
import alidns from "../../../providers/alidns.ts";
import cloudflare from "../../../providers/cloudflare.ts";
import desec from "../../../providers/desec.ts";
import dnspod from "../../../providers/dnspod.ts";
import hetzner from "../../../providers/hetzner.ts";
import huaweicloud from "../../../providers/huaweicloud.ts";
import { memoryProvider } from "../../../providers/memory.ts";
import powerdns from "../../../providers/powerdns.ts";
import route53 from "../../../providers/route53.ts";
import { callOf, stopOf } from "../../../src/core/call.ts";
import { LazySignal, type Stop } from "../../../src/core/lazy-signal.ts";
import type { DomainName } from "../../../src/core/name.ts";
import type { Call, Provider } from "../../../src/core/provider.ts";
import { createVisibleZones } from "../../../src/core/visible-zones.ts";
import { startAlidns } from "../../fakes/alidns.ts";
import { startCloudflareFake } from "../../fakes/cloudflare.ts";
import { startDesecFake } from "../../fakes/desec.ts";
import { startDnspod } from "../../fakes/dnspod.ts";
import { startHetznerFake } from "../../fakes/hetzner.ts";
import { startHuaweicloud } from "../../fakes/huaweicloud.ts";
import { startPowerdns } from "../../fakes/powerdns.ts";
import { startRoute53 } from "../../fakes/route53.ts";
import type { AdapterFake } from "../../providers/trial.ts";
import { asIssuer, createCluster, messageOf, name, ok, type Replica, startReplica } from "./world.ts";

interface Adapter {
  readonly what: string;
  readonly provider: Provider;
  /** How its calls for the list are called in the fake's log. */
  readonly list: RegExp;
  start(zones: readonly DomainName[]): Promise<AdapterFake>;
}

const legacy = (zones: readonly DomainName[]) => startDnspod(zones, { signIn: "loginToken" });
const adapters: readonly Adapter[] = [
  { what: "alidns", provider: alidns, list: /^DescribeDomains$/, start: startAlidns },
  { what: "cloudflare", provider: cloudflare, list: /^GET \/zones$/, start: startCloudflareFake },
  { what: "desec", provider: desec, list: /^GET \/domains\/$/, start: startDesecFake },
  { what: "dnspod", provider: dnspod, list: /^DescribeDomainList$/, start: startDnspod },
  { what: "dnspod, login token", provider: dnspod, list: /^Domain\.List$/, start: legacy },
  { what: "hetzner", provider: hetzner, list: /^GET \/zones$/, start: startHetznerFake },
  { what: "huaweicloud", provider: huaweicloud, list: /^GET \/v2\/zones$/, start: startHuaweicloud },
  { what: "powerdns", provider: powerdns, list: /^GET zones$/, start: startPowerdns },
  {
    what: "route53",
    provider: route53,
    list: /^ListHostedZonesByName$/,
    start: (all) => startRoute53(all, { pageSize: 100 }),
  },
];

const zones = ["f", "b", "d", "a", "c", "e", "xn--mnchen-3ya"].map((label) => name(`${label}.example`));
/** What the log says of the last call: the answer, which tenants read in their Challenges, names no other zone. */
const logged = (replica: Replica) => replica.eventsOf("challenge.end").at(-1)?.details?.["visible"];
const withoutZones =
  /^\w+: no zone of this account holds _acme-challenge\.x\.test; asked for x\.test, _acme-challenge\.x\.test\. Create the zone/;
const asked = { dnsName: "x.test", resolvedZone: "x.test." };

test("cloudflare: the zone that zoneID names is in the log only", async () => {
  const fake = await startCloudflareFake(zones);
  const cluster = createCluster();
  const zoneID = fake.zone(name("a.example")).id;
  const config = { ...asIssuer(cloudflare, fake.config, cluster), zoneID };
  const replica = await startReplica([cloudflare], { solver: "cloudflare", cluster, config });
  const said = messageOf(await replica.present(asked));
  expect(said).toBe(
    "cloudflare: no zone of this account holds _acme-challenge.x.test; asked for x.test. Check zoneID: all names have to be in that zone.",
  );
  expect(logged(replica)).toEqual(["a.example"]);
  await replica.solving.close();
  await fake.http.close();
});

test.each(adapters)(
  "$what: logs which zones the credentials see, for one call more",
  async ({ provider, start, list }) => {
    const fake = await start(zones);
    const cluster = createCluster();
    const config = asIssuer(provider, fake.config, cluster);
    const replica = await startReplica([provider], { solver: provider.id, cluster, config });
    // Where it finds its zone it lists none.
    expect(await replica.present({ dnsName: "a.example", resolvedZone: "a.example." })).toEqual(ok);
    expect(replica.events.filter((event) => JSON.stringify(event).includes("visibleZones"))).toEqual([]);
    fake.http.clearCalls();
    const said = messageOf(await replica.present(asked));
    expect(said).toMatch(withoutZones);
    expect(logged(replica)).toEqual(["a", "b", "c", "d", "e"].map((label) => `${label}.example`));
    const calls = fake.http.calls.map(({ operation }) => operation);
    const last = calls.at(-1) ?? "";
    expect(last).toMatch(list);
    const listed = replica
      .eventsOf("engine")
      .filter(({ event }) => event.type === "call" && event.operation === "visibleZones");
    expect(listed).toHaveLength(1);
    // Neither again for the same cause within the half minute, nor other words when the list fails.
    fake.http.clearCalls();
    expect(messageOf(await replica.present(asked))).toBe(said);
    expect(fake.http.calls).toEqual([]);
    await replica.solving.close();
    await (fake.stop?.() ?? fake.http.close());
  },
);

function failing(list: (call: Call) => Promise<readonly string[]>): Provider {
  const memory = memoryProvider();
  return {
    ...memory,
    connect: async (_config, deps) => ({
      ...(await memory.connect({ zones: "example.com" }, deps)),
      visibleZones: list,
    }),
  };
}

test("a list that fails, hangs or is none changes nothing else", async () => {
  const hanging = () => new Promise<readonly string[]>(() => {});
  const odd = (async () => "x") as unknown as () => Promise<readonly string[]>;
  for (const list of [() => Promise.reject(new Error("not allowed")), hanging]) {
    const replica = await startReplica([failing(list)], { solver: "memory" });
    const answer = await replica.present(asked);
    expect(answer).toMatchObject({ code: "ZONE_NOT_FOUND" });
    expect(messageOf(answer)).toMatch(withoutZones);
    expect(logged(replica)).toBeUndefined();
    await replica.solving.close();
  }
  const replica = await startReplica([failing(odd)], { solver: "memory" });
  expect(messageOf(await replica.present(asked))).toMatch(withoutZones);
  expect(logged(replica)).toEqual([]);
  await replica.solving.close();
});

test("a list that hangs is given up after its own time, although the caller's call goes on", async () => {
  const { createFastClock } = await import("../../fakes/fast-clock.ts");
  const stops: Stop[] = [];
  const visibleZones = (call: Call) => {
    stops.push(stopOf(call));
    return new Promise<readonly string[]>(() => {});
  };
  const caller = new LazySignal();
  const zonesSeen = createVisibleZones({ visibleZones }, createFastClock(100));
  expect(await zonesSeen.some(callOf(caller, { ttlSeconds: 60 }))).toBeUndefined();
  expect(stops.map(({ aborted }) => aborted)).toEqual([true]);
  expect(caller.aborted).toBe(false);
});

test("what was seen stays in the log when the list fails later", async () => {
  let times = 0;
  const list = async () => {
    times += 1;
    if (times > 1) throw new Error("not now");
    return ["b.example.", "A.example", "not a name", "b.example"];
  };
  // Half a minute passes in between: 300 ms at a hundred times the speed.
  const { createFastClock } = await import("../../fakes/fast-clock.ts");
  const clock = createFastClock(1000);
  const replica = await startReplica([failing(list)], { solver: "memory", clock });
  const first = messageOf(await replica.present(asked));
  expect(first).toMatch(withoutZones);
  expect(logged(replica)).toEqual(["a.example", "b.example"]);
  await clock.sleep(40_000);
  expect(messageOf(await replica.present(asked))).toBe(first);
  expect(logged(replica)).toEqual(["a.example", "b.example"]);
  expect(times).toBe(2);
  await replica.solving.close();
});

test("calls side by side are told the same by one list; one that goes away does not end it for later ones", async () => {
  let times = 0;
  const gates: (() => void)[] = [];
  const list = async () => {
    times += 1;
    await new Promise<void>((resolve) => gates.push(resolve));
    return ["a.example"];
  };
  const replica = await startReplica([failing(list)], { solver: "memory" });
  const gone = new AbortController();
  const first = replica.present(asked, gone.signal);
  while (times < 1) await new Promise((resolve) => setTimeout(resolve, 1));
  gone.abort();
  expect(await first).toMatchObject({ success: false });
  const both = Promise.all([1, 2].map((i) => replica.present({ ...asked, key: `value-${i}` })));
  while (times < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  for (const open of gates) open();
  const [one, two] = (await both).map(messageOf);
  expect(one).toMatch(withoutZones);
  expect(replica.eventsOf("challenge.end").map(({ details }) => details?.["visible"])).toEqual([
    undefined,
    ["a.example"],
    ["a.example"],
  ]);
  expect(two).toBe(one);
  expect(times).toBe(2);
  await replica.solving.close();
});
