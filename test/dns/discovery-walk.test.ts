import { describe, expect, it } from "vitest";
import type { DomainName } from "../../src/core/name.ts";
import { DiscoveryError } from "../../src/dns/discovery-error.ts";
import { zone } from "../fakes/scripted-zones.ts";
import { always, forNames } from "../fakes/virtual-network.ts";
import {
  addressesOf,
  codes,
  exampleDelegation,
  exampleHosts,
  exampleNs,
  rootAddress,
  tldAddress,
  upper,
  world,
} from "./discovery-world.ts";

const both = ["ns1.example.test 10.0.2.1", "ns2.example.test 10.0.2.2"];

async function faultOf(work: Promise<unknown>): Promise<DiscoveryError> {
  const error: unknown = await work.then(
    () => undefined,
    (e: unknown) => e,
  );
  if (!(error instanceof DiscoveryError)) throw new Error(`expected a DiscoveryError, got ${String(error)}`);
  return error;
}

describe("a walk from the root", () => {
  it("ends at the zone that holds the name, with every address of every nameserver", async () => {
    const w = world([...upper(...exampleDelegation), ...exampleHosts("www A 192.0.2.1")]);
    const d = await w.find("_acme-challenge.www.example.test");
    expect(d.zone).toBe("example.test");
    expect(addressesOf(d)).toEqual(both);
    expect(d.warnings).toEqual([]);
    expect(d.unresolved).toEqual([]);
  });

  it("never asks for recursion, and shows the upper zones no more of the name than they need", async () => {
    const w = world([...upper(...exampleDelegation), ...exampleHosts()]);
    await w.find("_acme-challenge.a.b.example.test");
    expect(w.network.log.every((q) => !q.recursionDesired)).toBe(true);
    expect(w.asked().filter((q) => q.endsWith(`@${rootAddress}`))).toEqual(["test NS @10.0.0.1"]);
    expect(w.asked().filter((q) => q.endsWith(`@${tldAddress}`))).toEqual(["example.test NS @10.0.1.1"]);
  });

  it("puts the port of the lab on the servers it finds, not on the root hints", async () => {
    const w = world([...upper(...exampleDelegation), ...exampleHosts()], {
      port: 5300,
      rootHints: [{ address: rootAddress, port: 5353 }],
    });
    const d = await w.find("_acme-challenge.example.test");
    expect(d.servers.map((s) => s.port)).toEqual([5300, 5300]);
    expect(w.network.log.filter((q) => q.to === rootAddress).map((q) => q.port)).toEqual([5353]);
    expect(w.network.log.filter((q) => q.to !== rootAddress).every((q) => q.port === 5300)).toBe(true);
  });

  it.each([
    ["at the identifier", "shop.example.test", "_acme-challenge.shop.example.test"],
    ["at the challenge name", "_acme-challenge.shop.example.test", "_acme-challenge.shop.example.test"],
    ["between", "b.example.test", "_acme-challenge.a.b.example.test"],
  ])("finds a cut %s", async (_, cut, name) => {
    const label = cut.slice(0, -".example.test".length);
    const w = world([
      ...upper(...exampleDelegation),
      ...exampleHosts(`${label} NS ns.${label}`, `ns.${label} A 10.0.3.1`),
      { address: "10.0.3.1", zones: [zone(cut, "@ NS ns", "ns A 10.0.3.1")] },
    ]);
    const d = await w.find(name);
    expect(d.zone).toBe(cut);
    expect(addressesOf(d)).toEqual([`ns.${cut} 10.0.3.1`]);
  });

  it("does not take a cut below the name for one above it", async () => {
    const w = world([
      ...upper(...exampleDelegation),
      ...exampleHosts("x._acme-challenge NS ns.x._acme-challenge", "ns.x._acme-challenge A 10.0.3.1"),
    ]);
    expect((await w.find("_acme-challenge.example.test")).zone).toBe("example.test");
  });

  it.each([
    ["no record at the name", []],
    ["a CNAME at the challenge name", ["_acme-challenge CNAME elsewhere.test."]],
  ])("finds a child zone on the servers of its parent, which give no referral (%s)", async (_, lines) => {
    const child = zone("sub.example.test", "@ NS ns1.example.test.", "@ NS ns2.example.test.", ...lines);
    const parent = zone("example.test", ...exampleNs, "sub NS ns1", "sub NS ns2");
    const w = world([
      ...upper(...exampleDelegation),
      { address: "10.0.2.1", zones: [parent, child] },
      { address: "10.0.2.2", zones: [parent, child] },
    ]);
    for (const name of ["_acme-challenge.sub.example.test", "_acme-challenge.a.sub.example.test"]) {
      const d = await w.find(name);
      expect([name, d.zone]).toEqual([name, "sub.example.test"]);
      expect(addressesOf(d)).toEqual(both);
    }
  });

  it("is not led astray by a CNAME at the host name", async () => {
    const w = world([...upper(...exampleDelegation), ...exampleHosts("www CNAME cdn.vendor.test.")]);
    const d = await w.find("_acme-challenge.www.example.test");
    expect(d.zone).toBe("example.test");
    expect(w.asked().some((q) => q.includes("vendor"))).toBe(false);
  });

  it("asks on towards the full name where a label in the middle is answered with SERVFAIL", async () => {
    const fault = forNames(["b.example.test"], "SERVFAIL");
    const w = world([...upper(...exampleDelegation), ...exampleHosts().map((h) => ({ ...h, fault }))]);
    expect((await w.find("_acme-challenge.a.b.example.test")).zone).toBe("example.test");
  });

  it("goes on below a name that does not exist, as some servers say so of empty non-terminals", async () => {
    const fault = forNames(["b.example.test"], "NXDOMAIN");
    const hosts = exampleHosts("a.b NS ns.a.b", "ns.a.b A 10.0.3.1").map((h) => ({ ...h, fault }));
    const child = { address: "10.0.3.1", zones: [zone("a.b.example.test", "@ NS ns", "ns A 10.0.3.1")] };
    const w = world([...upper(...exampleDelegation), ...hosts, child]);
    expect((await w.find("_acme-challenge.a.b.example.test")).zone).toBe("a.b.example.test");
  });

  it("asks about nothing between a name that does not exist and the full name", async () => {
    const w = world([...upper(...exampleDelegation), ...exampleHosts()]);
    await w.find("_acme-challenge.a.b.c.d.example.test");
    const below = w.network.log.filter((q) => q.name.endsWith(".example.test") && q.type === "NS").map((q) => q.name);
    expect(below).toEqual(["d.example.test", "_acme-challenge.a.b.c.d.example.test"]);
  });

  it("tolerates servers that answer SOA and NS at every name", async () => {
    const z = zone("example.test", ...exampleNs);
    const hosts = exampleHosts().map((h) => ({
      ...h,
      fault: (q: { name: DomainName; type: string }, answer: import("../../src/dns/message.ts").Message) => {
        const records = z.records
          .filter((r) => r.name === "example.test" && r.type === q.type && (q.type === "NS" || q.type === "SOA"))
          .map((r) => ({ ...r, name: q.name }));
        if (records.length > 0) return { ...answer, rcode: "NOERROR" as const, answers: records, authorities: [] };
        const soa = z.records.filter((r) => r.type === "SOA").map((r) => ({ ...r, name: q.name }));
        return answer.answers.length > 0 ? undefined : { ...answer, rcode: "NOERROR" as const, authorities: soa };
      },
    }));
    const w = world([...upper(...exampleDelegation), ...hosts]);
    const d = await w.find("_acme-challenge.www.example.test");
    expect(d.zone).toBe("example.test");
    expect(addressesOf(d)).toEqual(both);
  });

  it("asks about TXT when the servers fail on NS at the full name", async () => {
    const name = "_acme-challenge.example.test";
    const fault = forNames([name], "SERVFAIL", ["NS"]);
    const w = world([...upper(...exampleDelegation), ...exampleHosts().map((h) => ({ ...h, fault }))]);
    expect((await w.find(name)).zone).toBe("example.test");
  });
});

describe("the set of nameservers", () => {
  it("is the union of what the parent and the zone itself say, with a warning", async () => {
    const child = zone("example.test", "@ NS ns2", "@ NS ns3", "ns2 A 10.0.2.2", "ns3 A 10.0.2.3", "ns1 A 10.0.2.1");
    const w = world([
      ...upper(...exampleDelegation),
      ...["10.0.2.1", "10.0.2.2", "10.0.2.3"].map((address) => ({ address, zones: [child] })),
    ]);
    const d = await w.find("_acme-challenge.example.test");
    expect(addressesOf(d)).toEqual([...both, "ns3.example.test 10.0.2.3"]);
    expect(codes(d)).toEqual(["W_NS_MISMATCH"]);
    expect(d.warnings[0]?.text).toMatch(/parent has ns1\.example\.test; only the zone itself has ns3\.example\.test/);
  });

  it("has both addresses where glue and the zone differ", async () => {
    const child = zone("example.test", "@ NS ns1", "@ NS ns2", "ns1 A 10.0.2.9", "ns2 A 10.0.2.2");
    const hosts = ["10.0.2.1", "10.0.2.9", "10.0.2.2"].map((address) => ({ address, zones: [child] }));
    const d = await world([...upper(...exampleDelegation), ...hosts]).find("_acme-challenge.example.test");
    expect(addressesOf(d)).toEqual([
      "ns1.example.test 10.0.2.1",
      "ns1.example.test 10.0.2.9",
      "ns2.example.test 10.0.2.2",
    ]);
    expect(codes(d)).toEqual(["W_GLUE_MISMATCH"]);
  });

  it("has addresses that only the glue knows", async () => {
    const child = zone("example.test", "@ NS ns1", "@ NS ns2", "ns2 A 10.0.2.2");
    const hosts = ["10.0.2.1", "10.0.2.2"].map((address) => ({ address, zones: [child] }));
    const d = await world([...upper(...exampleDelegation), ...hosts]).find("_acme-challenge.example.test");
    expect(addressesOf(d)).toEqual(both);
  });

  it("has IPv6 addresses too, those without a route as well, with a note", async () => {
    const lines = ["ns1.example AAAA 2001:db8::1", "ns2.example AAAA 2001:db8::2"];
    const child = zone("example.test", ...exampleNs, "ns1 AAAA 2001:db8::1", "ns2 AAAA 2001:db8::2");
    const hosts = ["10.0.2.1", "10.0.2.2"].map((address) => ({ address, zones: [child] }));
    const seen = new Set<string>();
    for (let seed = 1; seed <= 8; seed++) {
      const d = await world([...upper(...exampleDelegation, ...lines), ...hosts], {}, seed).find(
        "_acme-challenge.example.test",
      );
      expect(d.servers.map((s) => s.address).toSorted()).toEqual([
        "10.0.2.1",
        "10.0.2.2",
        "2001:db8::1",
        "2001:db8::2",
      ]);
      for (const code of codes(d)) seen.add(code);
    }
    expect([...seen]).toEqual(["W_UNROUTABLE"]);
  });

  it("works where a nameserver has IPv6 addresses only, and none of them has a route", async () => {
    const w = world([
      ...upper(
        "example NS ns1.example",
        "example NS ns2.example",
        "ns1.example AAAA 2001:db8::1",
        "ns2.example A 10.0.2.2",
      ),
      {
        address: "10.0.2.2",
        zones: [zone("example.test", "@ NS ns1", "@ NS ns2", "ns1 AAAA 2001:db8::1", "ns2 A 10.0.2.2")],
      },
    ]);
    expect(addressesOf(await w.find("_acme-challenge.example.test"))).toEqual([
      "ns1.example.test 2001:db8::1",
      "ns2.example.test 10.0.2.2",
    ]);
  });

  it("names a nameserver without any address", async () => {
    const child = zone("example.test", ...exampleNs, "@ NS ns3.other.test.");
    const hosts = ["10.0.2.1", "10.0.2.2"].map((address) => ({ address, zones: [child] }));
    const d = await world([...upper(...exampleDelegation), ...hosts]).find("_acme-challenge.example.test");
    expect(d.unresolved).toEqual(["ns3.other.test"]);
    expect(codes(d)).toEqual(["W_NS_MISMATCH", "W_NS_NO_ADDRESS"]);
  });

  it("follows a nameserver name that is a CNAME, though it should be none", async () => {
    const w = world([
      ...upper("example NS ns.alias", "alias NS ns.alias2", "ns.alias2 A 10.0.4.1"),
      { address: "10.0.4.1", zones: [zone("alias.test", "@ NS ns.alias2.test.", "ns CNAME real", "real A 10.0.2.1")] },
      { address: "10.0.2.1", zones: [zone("example.test", "@ NS ns.alias.test.")] },
    ]);
    expect(addressesOf(await w.find("_acme-challenge.example.test"))).toEqual(["ns.alias.test 10.0.2.1"]);
  });

  it("finds out-of-zone nameservers by the same walk, in both families", async () => {
    const w = world([
      ...upper("example NS ns1.provider.org.", "example NS ns2.provider.org."),
      {
        address: "10.0.1.2",
        zones: [zone("org", "@ NS a.nic", "a.nic A 10.0.1.2", "provider NS ns.provider", "ns.provider A 10.0.5.1")],
      },
      {
        address: "10.0.5.1",
        zones: [
          zone("provider.org", "@ NS ns", "ns A 10.0.5.1", "ns1 A 10.0.2.1", "ns1 AAAA 2001:db8::1", "ns2 A 10.0.2.2"),
        ],
      },
      ...exampleHosts().map((h) => ({
        ...h,
        zones: [zone("example.test", "@ NS ns1.provider.org.", "@ NS ns2.provider.org.")],
      })),
    ]);
    const d = await w.find("_acme-challenge.example.test");
    expect(addressesOf(d)).toEqual([
      "ns1.provider.org 10.0.2.1",
      "ns1.provider.org 2001:db8::1",
      "ns2.provider.org 10.0.2.2",
    ]);
    expect(d.warnings.filter((x) => x.code !== "W_UNROUTABLE")).toEqual([]);
    expect(w.network.log.length).toBeLessThan(20);
  });

  it("believes no glue that the referring server cannot vouch for", async () => {
    const lying = zone(
      "test",
      "@ NS a.nic",
      `a.nic A ${tldAddress}`,
      "example NS ns1.provider.org.",
      "ns1.provider.org. A 10.6.6.6",
    );
    const w = world([
      { address: rootAddress, zones: upper()[0]?.zones ?? [] },
      { address: tldAddress, zones: [lying] },
      { address: "10.0.1.2", zones: [zone("org", "@ NS a.nic", "a.nic A 10.0.1.2", "ns1.provider A 10.0.2.1")] },
      { address: "10.0.2.1", zones: [zone("example.test", "@ NS ns1.provider.org.")] },
    ]);
    expect(addressesOf(await w.find("_acme-challenge.example.test"))).toEqual(["ns1.provider.org 10.0.2.1"]);
    expect(w.asked().some((q) => q.includes("10.6.6.6"))).toBe(false);
  });

  it("believes a zone about its own names only", async () => {
    const lines = ["@ NS ns1", "@ NS good.org.", "ns1 A 10.0.2.1", "good.org. A 10.6.6.6"];
    const w = world([
      ...upper("example NS ns1.example", "ns1.example A 10.0.2.1", "example NS good.org."),
      { address: "10.0.1.2", zones: [zone("org", "@ NS a.nic", "a.nic A 10.0.1.2", "good A 10.0.2.2")] },
      { address: "10.0.2.1", zones: [zone("example.test", ...lines)] },
    ]);
    expect(addressesOf(await w.find("_acme-challenge.example.test"))).toEqual([
      "good.org 10.0.2.2",
      "ns1.example.test 10.0.2.1",
    ]);
  });

  it("resolves the other nameservers when those with glue are dead", async () => {
    const w = world([
      ...upper("example NS ns1.example", "ns1.example A 10.0.2.1", "example NS good.org."),
      { address: "10.0.1.2", zones: [zone("org", "@ NS a.nic", "a.nic A 10.0.1.2", "good A 10.0.6.1")] },
      { address: "10.0.2.1", fault: always("silent") },
      { address: "10.0.6.1", zones: [zone("example.test", "@ NS ns1", "@ NS good.org.", "ns1 A 10.0.2.1")] },
    ]);
    expect(addressesOf(await w.find("_acme-challenge.example.test"))).toEqual([
      "good.org 10.0.6.1",
      "ns1.example.test 10.0.2.1",
    ]);
  });
});

describe("trouble on the way down", () => {
  it.each(["REFUSED", "SERVFAIL", "silent", "broken", "unroutable"] as const)(
    "asks the next server after %s",
    async (how) => {
      const [first, second] = exampleHosts();
      if (first === undefined || second === undefined) throw new Error("two hosts");
      for (let seed = 1; seed <= 4; seed++) {
        const fault = how === "broken" ? () => "broken" as const : always(how);
        const w = world([...upper(...exampleDelegation), { ...first, fault }, second], {}, seed);
        expect(addressesOf(await w.find("_acme-challenge.example.test"))).toEqual(both);
      }
    },
  );

  it("waits for a dead server only briefly, and asks it last from then on", async () => {
    const [first, second] = exampleHosts();
    if (first === undefined || second === undefined) throw new Error("two hosts");
    for (let seed = 1; seed <= 16; seed++) {
      const w = world([...upper(...exampleDelegation), { ...first, fault: always("silent") }, second], {}, seed);
      await w.find("_acme-challenge.example.test");
      expect(w.clock.now()).toBeLessThan(400);
    }
  });

  it("begins at a root server that can be reached where IPv6 has no route", async () => {
    const [root, ...rest] = upper(...exampleDelegation);
    if (root === undefined) throw new Error("a root");
    const numbers = Array.from({ length: 13 }, (_, i) => i + 1);
    const rootHints = numbers.flatMap((i) => [
      { address: `10.9.0.${i}`, port: 53 },
      { address: `2001:db8:9::${i}`, port: 53 },
    ]);
    const roots = numbers.map((i) => ({ ...root, address: `10.9.0.${i}` }));
    for (let seed = 1; seed <= 300; seed++) {
      const w = world([...roots, ...rest, ...exampleHosts()], { rootHints }, seed);
      expect(addressesOf(await w.find("_acme-challenge.example.test"))).toEqual(both);
    }
  });

  it("loses time once where IPv6 is silent, not in every zone", async () => {
    const root = zone(
      ".",
      "@ NS r",
      "test NS a.nic.test.",
      `a.nic.test A ${tldAddress}`,
      "a.nic.test AAAA 2001:db8:1::1",
    );
    const lines = ["ns1.example AAAA 2001:db8:2::1", "ns2.example AAAA 2001:db8:2::2"];
    const tld = zone("test", "@ NS a.nic", `a.nic A ${tldAddress}`, ...exampleDelegation, ...lines);
    const dead = ["2001:db8:1::1", "2001:db8:2::1", "2001:db8:2::2"].map((address) => ({
      address,
      fault: always("silent"),
    }));
    for (let seed = 1; seed <= 16; seed++) {
      const hosts = [
        { address: rootAddress, zones: [root] },
        { address: tldAddress, zones: [tld] },
        ...exampleHosts(),
        ...dead,
      ];
      const w = world(hosts, {}, seed);
      await w.find("_acme-challenge.example.test");
      expect(w.clock.now()).toBeLessThan(400);
    }
  });

  it("is an error at the TLD, and never a reason to climb", async () => {
    const hosts = [...upper(...exampleDelegation)].map((h) =>
      h.address === tldAddress ? { ...h, fault: always("silent") } : h,
    );
    const w = world([...hosts, ...exampleHosts()]);
    const error = await faultOf(w.find("_acme-challenge.example.test"));
    expect(error.fault).toBe("temporary");
    expect(error.code).toBe("TRANSIENT");
    expect(error.message).toMatch(/nameserver of test .*10\.0\.1\.1.*no answer/);
    expect(error.asked[0]).toMatchObject({ kind: "silent", type: "NS" });
  });

  it("is a lasting error when all servers of the zone are lame, and names them", async () => {
    const w = world([...upper(...exampleDelegation), { address: "10.0.2.1" }, { address: "10.0.2.2" }]);
    const error = await faultOf(w.find("_acme-challenge.example.test"));
    expect(error.fault).toBe("no-delegation");
    expect(error.code).toBe("ZONE_NOT_FOUND");
    expect(error.message).toMatch(/ns1\.example\.test \(10\.0\.2\.1\): REFUSED/);
    expect(error.message).toMatch(/ns2\.example\.test \(10\.0\.2\.2\): REFUSED/);
  });

  it("ignores the lame one of three", async () => {
    const z = zone("example.test", ...exampleNs, "@ NS ns3", "ns3 A 10.0.2.3");
    const w = world([
      ...upper(...exampleDelegation, "example NS ns3.example", "ns3.example A 10.0.2.3"),
      { address: "10.0.2.1", zones: [z] },
      { address: "10.0.2.2", zones: [z] },
      { address: "10.0.2.3", zones: [zone("test", "@ NS x")] },
    ]);
    const d = await w.find("_acme-challenge.example.test");
    expect(d.servers.length).toBe(3);
  });

  it("says that a domain is not delegated instead of ending at the public suffix or the root", async () => {
    const w = world([...upper(...exampleDelegation)], { isPublicSuffix: (name) => name === "test" });
    const missing = await faultOf(w.find("_acme-challenge.missing.test"));
    expect(missing.fault).toBe("no-delegation");
    expect(missing.message).toMatch(/_acme-challenge\.missing\.test belongs to no zone: .*10\.0\.1\.1.*does not exist/);
    const noTld = await faultOf(w.find("_acme-challenge.example.invalid"));
    expect(noTld.fault).toBe("no-delegation");
  });

  it("takes a zone of one label for the one that holds a name only if the domain below it exists", async () => {
    const hosts = [
      { address: rootAddress, zones: [zone(".", "@ NS r", "lan NS ns.lan", "ns.lan A 10.0.1.9")] },
      { address: "10.0.1.9", zones: [zone("lan", "@ NS ns", "ns A 10.0.1.9", "printer A 192.0.2.7")] },
    ];
    expect((await world(hosts).find("_acme-challenge.printer.lan")).zone).toBe("lan");
    expect((await world(hosts).find("challenges.lan")).zone).toBe("lan");
    expect(await faultOf(world(hosts).find("_acme-challenge.scanner.lan"))).toMatchObject({ fault: "no-delegation" });
  });

  it("names nameservers inside their own zone that come without glue", async () => {
    const w = world([...upper("example NS ns1.example")]);
    const error = await faultOf(w.find("_acme-challenge.example.test"));
    expect(error.fault).toBe("no-delegation");
    expect(error.message).toMatch(/example\.test is delegated to ns1\.example\.test.*glue|ns1\.example\.test/);
    expect(w.network.log.length).toBeLessThan(20);
  });

  it("sees that the nameservers of two zones depend on each other", async () => {
    const w = world([...upper("a NS ns.b", "b NS ns.a")]);
    const names = ["_acme-challenge.a.test", "_acme-challenge.b.test"] as DomainName[];
    const signal = new AbortController().signal;
    const results = await w.clock.run(Promise.allSettled(names.map((n) => w.discovery.delegationOf(n, signal))));
    for (const r of results) expect(r).toMatchObject({ status: "rejected", reason: { fault: "no-delegation" } });
    expect(w.network.log.length).toBeLessThan(60);
  });

  it("finds the way round where only one of two nameservers closes the circle", async () => {
    const zones = [
      zone("a.test", "@ NS ns.b.test.", "ns A 10.0.7.1"),
      zone("b.test", "@ NS ns.a.test.", "@ NS c.org.", "ns A 10.0.7.1"),
    ];
    for (const order of [
      ["a", "b"],
      ["b", "a"],
    ]) {
      for (let seed = 1; seed <= 4; seed++) {
        const hosts = [
          ...upper("a NS ns.b", "b NS ns.a", "b NS c.org."),
          { address: "10.0.1.2", zones: [zone("org", "@ NS a.nic", "a.nic A 10.0.1.2", "c A 10.0.7.1")] },
          { address: "10.0.7.1", zones },
        ];
        const w = world(hosts, {}, seed);
        const signal = new AbortController().signal;
        const names = order.map((z) => `_acme-challenge.${z}.test` as DomainName);
        const found = await w.clock.run(Promise.all(names.map((n) => w.discovery.delegationOf(n, signal))));
        expect(found.map((d) => d.zone)).toEqual(order.map((z) => `${z}.test`));
      }
    }
  });

  it("gives up on nameserver names that lead from zone to zone without end, within its budget", async () => {
    const lines = Array.from({ length: 40 }, (_, i) => `z${i} NS ns.z${i + 1}`);
    const w = world([...upper("example NS ns.z0", ...lines)]);
    const error = await faultOf(w.find("_acme-challenge.example.test"));
    expect(error.message).toMatch(/depend on each other/);
    expect(w.network.log.length).toBeLessThanOrEqual(120);
  });

  it("does not ask more than 120 questions for one name", async () => {
    // Ten nameservers without glue, each in a zone of ten nameservers that fail: without a limit 342 questions.
    const ten = Array.from({ length: 10 }, (_, i) => i);
    const lines = ten.flatMap((i) => [
      `example NS ns.a${i}`,
      ...ten.flatMap((j) => [
        `a${i} NS ns.b${i}-${j}`,
        `b${i}-${j} NS ns.b${i}-${j}`,
        `ns.b${i}-${j} A 10.9.${i}.${j}`,
      ]),
    ]);
    const hosts = ten.flatMap((i) => ten.map((j) => ({ address: `10.9.${i}.${j}`, fault: always("SERVFAIL") })));
    const w = world([...upper(...lines), ...hosts]);
    await faultOf(w.find("_acme-challenge.example.test"));
    expect(w.network.log.length).toBe(120);
  });
});

describe("sharing", () => {
  it("finds 100 names over 10 zones with few questions", async () => {
    const delegations = Array.from({ length: 10 }, (_, i) => [
      `z${i} NS ns1.z${i}`,
      `z${i} NS ns2.z${i}`,
      `ns1.z${i} A 10.1.${i}.1`,
      `ns2.z${i} A 10.1.${i}.2`,
    ]).flat();
    const hosts = Array.from({ length: 10 }, (_, i) => {
      const zones = [zone(`z${i}.test`, "@ NS ns1", "@ NS ns2", `ns1 A 10.1.${i}.1`, `ns2 A 10.1.${i}.2`)];
      return [1, 2].map((n) => ({ address: `10.1.${i}.${n}`, zones }));
    }).flat();
    const w = world([...upper(...delegations), ...hosts]);
    const names = Array.from({ length: 100 }, (_, i) => `_acme-challenge.h${i}.z${i % 10}.test` as DomainName);
    const signal = new AbortController().signal;
    const found = await w.clock.run(Promise.all(names.map((n) => w.discovery.delegationOf(n, signal))));
    expect(found.map((d) => d.zone)).toEqual(names.map((_, i) => `z${i % 10}.test`));
    // One at the root, one each at the parent, NS and AAAA of the zone, and one for each name.
    expect(w.network.log.length).toBeLessThanOrEqual(1 + 10 + 10 * 3 + 100);
    const before = w.network.log.length;
    await w.find("_acme-challenge.new.z3.test");
    expect(w.network.log.length).toBe(before + 1);
  });

  it("forgets a zone when told to, and asks again when five minutes have passed", async () => {
    const w = world([...upper(...exampleDelegation), ...exampleHosts()]);
    const name = "_acme-challenge.example.test";
    await w.find(name);
    const first = w.network.log.length;
    await w.find(name);
    expect(w.network.log.length).toBe(first);
    w.discovery.forget("example.test" as DomainName);
    await w.find(name);
    const second = w.network.log.length;
    expect(second).toBeGreaterThan(first);
    await w.clock.advance(301_000);
    await w.find(name);
    expect(w.network.log.length).toBeGreaterThan(second);
  });

  it("lets one caller give up without disturbing the other, and stops when nobody waits", async () => {
    const w = world([...upper(...exampleDelegation), ...exampleHosts()]);
    const name = "_acme-challenge.example.test" as DomainName;
    const [one, two] = [new AbortController(), new AbortController()];
    const gone = w.discovery.delegationOf(name, one.signal);
    const kept = w.discovery.delegationOf(name, two.signal);
    const rejected = expect(gone).rejects.toThrow("enough");
    await w.clock.advance(5);
    one.abort(new Error("enough"));
    await rejected;
    expect((await w.clock.run(kept)).zone).toBe("example.test");

    const alone = new AbortController();
    const other = w.discovery.delegationOf("_acme-challenge.x.test" as DomainName, alone.signal);
    const stopped = expect(other).rejects.toThrow("enough");
    await w.clock.advance(5);
    alone.abort(new Error("enough"));
    await stopped;
    const asked = w.network.log.length;
    await w.clock.advance(60_000);
    expect(w.network.log.length).toBe(asked);
    expect(w.clock.sleepers).toBe(0);
  });
});
