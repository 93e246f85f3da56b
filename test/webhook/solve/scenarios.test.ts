import { describe, expect, test } from "vitest";
import cloudflare from "../../../providers/cloudflare.ts";
import dnspod from "../../../providers/dnspod.ts";
import { type MemoryStore, memoryProvider } from "../../../providers/memory.ts";
import route53 from "../../../providers/route53.ts";
import { startCloudflareFake } from "../../fakes/cloudflare.ts";
import { fakeKey, startDnspod } from "../../fakes/dnspod.ts";
import { createFastClock } from "../../fakes/fast-clock.ts";
import { startRoute53 } from "../../fakes/route53.ts";
import { asIssuer, createCluster, messageOf, name, ok, startReplica } from "./world.ts";

const apex = name("example.com");
const owner = name("_acme-challenge.example.com");

test("scenario 3: two names whose challenges lead to one owner", async () => {
  const fake = await startRoute53([apex]);
  const cluster = createCluster();
  const config = asIssuer(route53, fake.config, cluster);
  const replica = await startReplica([route53], { solver: "route53", cluster, config });
  const shared = { resolvedFQDN: "acme.example.com.", resolvedZone: "example.com." };
  const one = { ...shared, dnsName: "one.example.net", key: "value-one" };
  const two = { ...shared, dnsName: "two.example.net", key: "value-two" };
  // cert-manager does not hold these two apart.
  expect(await Promise.all([replica.present(one), replica.present(two)])).toEqual([ok, ok]);
  expect([...fake.values(apex, name("acme.example.com"))].sort()).toEqual(["value-one", "value-two"]);
  expect(await replica.cleanUp(one)).toEqual(ok);
  expect([...fake.values(apex, name("acme.example.com"))]).toEqual(["value-two"]);
  await replica.solving.close();
  await fake.http.close();
});

test("scenarios 4 and 6: two clusters at one name, and values of others beside them", async () => {
  const fake = await startRoute53([apex]);
  fake.put(apex, owner, ["google-site-verification=abc", "v=spf1 -all"], 300);
  const clusters = [createCluster(), createCluster()];
  const replicas = await Promise.all(
    clusters.map((cluster) =>
      startReplica([route53], { solver: "route53", cluster, config: asIssuer(route53, fake.config, cluster) }),
    ),
  );
  const keys = ["cluster-a", "cluster-b"];
  const all = (action: "present" | "cleanUp") => Promise.all(replicas.map((r, i) => r[action]({ key: keys[i] ?? "" })));
  for (let round = 0; round < 3; round++) {
    expect(await all("present")).toEqual([ok, ok]);
    expect(fake.values(apex, owner)).toEqual(expect.arrayContaining(keys));
    expect(await all("cleanUp")).toEqual([ok, ok]);
    expect([...fake.values(apex, owner)].sort()).toEqual(["google-site-verification=abc", "v=spf1 -all"]);
  }
  for (const replica of replicas) await replica.solving.close();
  await fake.http.close();
});

test("scenario 7: killed between the provider's call and the answer, the next one leaves one value", async () => {
  const fake = await startDnspod([apex]);
  const cluster = createCluster();
  const config = asIssuer(dnspod, fake.config, cluster);
  const killed = await startReplica([dnspod], { solver: "dnspod", cluster, config });
  const gone = new AbortController();
  const lost = fake.http.inject({ kind: "lostResponse", when: ({ write }) => write });
  const first = killed.present({}, gone.signal);
  while (!lost.met()) await new Promise((resolve) => setTimeout(resolve, 1));
  gone.abort();
  expect(await first).toMatchObject({ success: false });
  await killed.solving.close();
  const next = await startReplica([dnspod], { solver: "dnspod", cluster, config });
  expect(await next.present({})).toEqual(ok);
  expect(fake.values(apex, owner)).toHaveLength(1);
  expect(await next.cleanUp({})).toEqual(ok);
  expect(fake.values(apex, owner)).toEqual([]);
  await next.solving.close();
  await fake.http.close();
});

describe("scenario 9: credentials revoked while a challenge is open", () => {
  test("the same text each time, few calls, and recovery as soon as the Secret is changed", async () => {
    const fake = await startDnspod([apex]);
    const cluster = createCluster();
    const config = asIssuer(dnspod, fake.config, cluster);
    const replicas = await Promise.all([0, 1].map(() => startReplica([dnspod], { solver: "dnspod", cluster, config })));
    const [one, two] = replicas;
    if (one === undefined || two === undefined) throw new Error("two were started");
    expect(await one.present({})).toEqual(ok);
    fake.refuseCredentials?.();
    fake.http.clearCalls();
    const messages = new Set<string>();
    for (let i = 0; i < 20; i++) messages.add(messageOf(await one.cleanUp({})));
    messages.add(messageOf(await two.cleanUp({})));
    expect([...messages]).toEqual([
      expect.stringMatching(/^dnspod: credentials refused for _acme-challenge\.example\.com: .*AuthFailure/),
    ]);
    expect(fake.http.calls.length).toBeLessThan(20);
    expect(one.eventsOf("breaker").map(({ state }) => state)).toEqual(["open"]);
    // Other names of the zone read the same but for their own name, and cost nothing.
    const before = fake.http.calls.length;
    const other = messageOf(await one.present({ dnsName: "www.example.com" }));
    expect(other).toBe([...messages][0]?.replace("_acme-challenge.example.com", "_acme-challenge.www.example.com"));
    expect(fake.http.calls.length).toBe(before);
    // A new key; the fake takes it, the Secret has it.
    fake.keys.push({ ...fakeKey, secretKey: "rotatedKeyrotatedKeyrotatedKey12" });
    expect(await one.cleanUp({})).toMatchObject({ success: false, code: "AUTH", reason: "Forbidden" });
    asIssuer(dnspod, { ...fake.config, secretKey: "rotatedKeyrotatedKeyrotatedKey12" }, cluster);
    expect(await one.cleanUp({})).toEqual(ok);
    expect(fake.values(apex, owner)).toEqual([]);
    // The breaker belonged to the old key.
    expect(await one.present({ dnsName: "www.example.com" })).toEqual(ok);
    for (const replica of replicas) await replica.solving.close();
    await fake.http.close();
  });

  test("a Secret that is written again unchanged is tried at once, as after a permission was given", async () => {
    const fake = await startDnspod([apex]);
    const cluster = createCluster();
    const config = asIssuer(dnspod, fake.config, cluster);
    const replica = await startReplica([dnspod], { solver: "dnspod", cluster, config });
    fake.refuse("UnauthorizedOperation", "DescribeDomain");
    for (let i = 0; i < 5; i++) expect(await replica.present({})).toMatchObject({ code: "AUTH" });
    fake.refuse(undefined, "DescribeDomain");
    expect(await replica.present({})).toMatchObject({ code: "AUTH" });
    asIssuer(dnspod, fake.config, cluster);
    expect(await replica.present({})).toEqual(ok);
    await replica.solving.close();
    await fake.http.close();
  });
});

test("scenario 10: 200 challenges while the provider answers 429 with Retry-After", async () => {
  const fake = await startCloudflareFake([apex]);
  const cluster = createCluster();
  const config = asIssuer(cloudflare, fake.config, cluster);
  // A hundred times as fast: Retry-After of 3 s is 30 ms.
  const clock = createFastClock(100);
  const replica = await startReplica([cloudflare], {
    solver: "cloudflare",
    cluster,
    config,
    clock,
    callTimeoutMs: 6_000_000,
  });
  fake.http.inject({ kind: "throttleRetryAfter", retryAfterSeconds: 3, times: 30 });
  const names = Array.from({ length: 200 }, (_, i) => `h${i}.example.com`);
  const answers = await Promise.all(names.map((dnsName) => replica.present({ dnsName })));
  const failed = names.filter((_, i) => !answers[i]?.success);
  for (const answer of answers)
    if (!answer.success) expect(answer).toMatchObject({ code: "RATE_LIMITED", reason: "TooManyRequests" });
  // Those that gave up come again, as cert-manager does.
  expect(await Promise.all(failed.map((dnsName) => replica.present({ dnsName })))).toEqual(failed.map(() => ok));
  for (const dnsName of names) expect(fake.values(apex, name(`_acme-challenge.${dnsName}`))).toHaveLength(1);
  // One look at the zone, a list and a write for each, and what was throttled once more.
  expect(fake.http.calls.length).toBeLessThan(200 * 2 + 1 + 2 * 30 + failed.length * 2);
  const limited = new Set(answers.flatMap((answer) => (answer.success ? [] : [answer.message.replace(/h\d+\./g, "")])));
  expect(limited.size).toBeLessThanOrEqual(2);
  await replica.solving.close();
  await fake.http.close();
});

describe("scenarios 18 to 22: zones", () => {
  test("18: an internal resolver tells another zone; the account's own is taken, and both are logged once", async () => {
    const store: MemoryStore = new Map();
    const config = { zones: "example.com" };
    const replica = await startReplica([memoryProvider(store)], { solver: "memory", config });
    const asked = { dnsName: "www.corp.example.com", resolvedZone: "corp.example.com." };
    expect(await replica.present(asked)).toEqual(ok);
    expect(await replica.present(asked)).toEqual(ok);
    expect([...store.keys()]).toEqual(["example.com _acme-challenge.www.corp.example.com"]);
    const mismatches = replica.eventsOf("engine").filter(({ event }) => event.type === "zone.mismatch");
    expect(mismatches.map(({ event }) => event)).toMatchObject([{ zone: "example.com", cut: "corp.example.com" }]);
    // A zone that is none of the owner's parents says nothing.
    expect(await replica.present({ ...asked, resolvedZone: "internal.example.net." })).toEqual(ok);
    await replica.solving.close();
  });

  test("19: a wildcard's CNAME leads elsewhere: the error explains it and names the two cures", async () => {
    const replica = await startReplica([memoryProvider()], { solver: "memory", config: { zones: "example.com" } });
    const asked = {
      dnsName: "app.example.com",
      resolvedFQDN: "lb-1.eu.hosting.example.net.",
      resolvedZone: "example.net.",
    };
    expect(messageOf(await replica.present(asked))).toBe(
      "memory: no zone of this account holds lb-1.eu.hosting.example.net, where a CNAME at _acme-challenge.app.example.com leads. If that is a wildcard's CNAME (*.), give the challenge name a record of its own, or set cnameStrategy: None.",
    );
    await replica.solving.close();
  });

  test("20: an undelegated domain, whose zone would be a public suffix", async () => {
    const asked: string[] = [];
    const memory = memoryProvider();
    const spied = {
      ...memory,
      connect: async (...given: Parameters<typeof memory.connect>) => {
        const backend = await memory.connect(...given);
        return {
          ...backend,
          findZone: (...args: Parameters<typeof backend.findZone>) => {
            asked.push(args[0]);
            return backend.findZone(...args);
          },
        };
      },
    };
    // The account "holds" every name of two labels, co.uk too.
    const replica = await startReplica([spied], { solver: "memory" });
    const one = { dnsName: "shop.co.uk", resolvedZone: "co.uk." };
    expect(messageOf(await replica.present(one))).toBe(
      'memory: no zone of this account holds _acme-challenge.shop.co.uk, and cert-manager takes the public suffix "co.uk" for its zone. The domain is not delegated at its registrar, or cert-manager\'s resolver gives odd answers.',
    );
    expect(asked).toEqual(["_acme-challenge.shop.co.uk", "shop.co.uk"]);
    // Where the account has the zone itself, it is taken all the same.
    expect(await replica.present({ dnsName: "www.example.com", resolvedZone: "com." })).toEqual(ok);
    expect(asked).not.toContain("com");
    await replica.solving.close();
  });

  test("21: sub-zone, delegated challenge zone, IDN, the longest owner, capitals", async () => {
    const idn = name("xn--mnchen-3ya.example");
    const zones = [apex, name("sub.example.com"), name("_acme-challenge.deleg.example.com"), idn];
    const fake = await startDnspod(zones);
    const cluster = createCluster();
    const config = asIssuer(dnspod, fake.config, cluster);
    const replica = await startReplica([dnspod], { solver: "dnspod", cluster, config });
    const label = "a".repeat(63);
    const long = `${label}.${label}.${label}.${"b".repeat(253 - 3 * 64 - "_acme-challenge.".length - ".example.com".length)}.example.com`;
    const cases = [
      { dnsName: "www.sub.example.com", resolvedZone: "sub.example.com.", zone: name("sub.example.com") },
      {
        dnsName: "deleg.example.com",
        resolvedZone: "_acme-challenge.deleg.example.com.",
        zone: name("_acme-challenge.deleg.example.com"),
      },
      { dnsName: "www.münchen.example", resolvedZone: "münchen.example.", zone: idn },
      { dnsName: "xn--mnchen-3ya.example", resolvedZone: "xn--mnchen-3ya.example.", zone: idn },
      { dnsName: long, resolvedZone: "example.com.", zone: apex },
      { dnsName: "WWW.Example.COM", resolvedZone: "Example.COM.", zone: apex },
    ];
    for (const { zone, ...asked } of cases) {
      const at = name(`_acme-challenge.${asked.dnsName}`.toLowerCase().replace("münchen", "xn--mnchen-3ya"));
      expect(await replica.present(asked), asked.dnsName).toEqual(ok);
      expect(fake.values(zone, at), asked.dnsName).toHaveLength(1);
      expect(await replica.cleanUp(asked), asked.dnsName).toEqual(ok);
      expect(fake.values(zone, at), asked.dnsName).toEqual([]);
    }
    const tooLong = await replica.present({ dnsName: `x${long}` });
    expect(messageOf(tooLong)).toMatch(/^dnspod: resolvedFQDN ".*" is longer than 253 octets$/);
    await replica.solving.close();
    await fake.http.close();
  });

  test("22: a name with more records than fit one page", async () => {
    const fake = await startRoute53([apex], { pageSize: 2 });
    for (let i = 0; i < 5; i++) fake.put(apex, name(`a${i}.example.com`), ["x"], 60);
    const many = Array.from({ length: 30 }, (_, i) => `value-${i}`);
    fake.put(apex, owner, many, 60);
    const cluster = createCluster();
    const config = asIssuer(route53, fake.config, cluster);
    const replica = await startReplica([route53], { solver: "route53", cluster, config });
    expect(await replica.present({})).toEqual(ok);
    expect(fake.values(apex, owner)).toHaveLength(31);
    expect(await replica.cleanUp({})).toEqual(ok);
    expect([...fake.values(apex, owner)].sort()).toEqual(many.sort());
    await replica.solving.close();
    await fake.http.close();
  });
});
