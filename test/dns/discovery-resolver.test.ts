import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type DomainName, isWithin } from "../../src/core/name.ts";
import { createDiscovery } from "../../src/dns/discovery.ts";
import { DiscoveryError } from "../../src/dns/discovery-error.ts";
import type { Message, Question } from "../../src/dns/message.ts";
import { systemResolvers } from "../../src/dns/resolver.ts";
import { zone } from "../fakes/scripted-zones.ts";
import { always, type Fault, forNames, type VirtualHost } from "../fakes/virtual-network.ts";
import {
  addressesOf,
  codes,
  exampleDelegation,
  exampleHosts,
  rootAddress,
  tldAddress,
  upper,
  world,
} from "./discovery-world.ts";

const both = ["ns1.example.test 10.0.2.1", "ns2.example.test 10.0.2.2"];
const resolver = { address: "10.53.0.1", port: 53 };
const other = { address: "10.53.0.2", port: 53 };
const recursive: VirtualHost = { address: resolver.address, recursive: true };

function through(hosts: readonly VirtualHost[], resolvers = [resolver]) {
  return world(hosts, { mode: "resolver", resolvers });
}

async function faultOf(work: Promise<unknown>): Promise<DiscoveryError> {
  const error: unknown = await work.then(
    () => undefined,
    (e: unknown) => e,
  );
  if (!(error instanceof DiscoveryError)) throw new Error(`expected a DiscoveryError, got ${String(error)}`);
  return error;
}

/** What a router does that answers port 53 itself, whomever the question was for. */
const intercept: Fault = (question, answer) => ({
  ...answer,
  authoritative: false,
  recursionAvailable: true,
  rcode: "NOERROR",
  authorities: [],
  answers: question.type === "NS" && question.name === "test" ? [ns("test", "a.nic.test")] : [],
});

function ns(name: string, target: string) {
  return { name: name as DomainName, class: "IN", ttl: 60, type: "NS", target: target as DomainName } as const;
}

describe("through a resolver", () => {
  it("finds the zone in a lab without a root, and asks its servers at the lab's port", async () => {
    const w = world([...exampleHosts("www A 192.0.2.1"), recursive], {
      mode: "resolver",
      resolvers: [{ address: resolver.address, port: 5353 }],
      port: 5300,
    });
    const d = await w.find("_acme-challenge.www.example.test");
    expect(d.zone).toBe("example.test");
    expect(addressesOf(d)).toEqual(both);
    expect(d.warnings).toEqual([]);
    for (const q of w.network.log) {
      expect([q.to, q.port, q.recursionDesired]).toEqual(
        q.to === resolver.address ? [q.to, 5353, true] : [q.to, 5300, false],
      );
    }
  });

  it("never asks a resolver about the challenge name, or anything below it", async () => {
    const w = through([
      ...exampleHosts(
        "_acme-challenge.www NS ns._acme-challenge.www",
        "ns._acme-challenge.www A 10.0.3.1",
        "www A 192.0.2.1",
      ),
      { address: "10.0.3.1", zones: [zone("_acme-challenge.www.example.test", "@ NS ns", "ns A 10.0.3.1")] },
      recursive,
    ]);
    const d = await w.find("_acme-challenge.www.example.test");
    expect(d.zone).toBe("_acme-challenge.www.example.test");
    expect(addressesOf(d)).toEqual(["ns._acme-challenge.www.example.test 10.0.3.1"]);
    expect(w.asked().filter((q) => q.endsWith(`@${resolver.address}`) && q.includes("_acme-challenge"))).toEqual([]);
  });

  it("does not even ask for the address of a nameserver whose name is below the challenge name", async () => {
    const lines = ["@ NS ns1", "@ NS ns._acme-challenge", "ns1 A 10.0.2.1", "ns._acme-challenge A 10.0.2.2"];
    const zones = [zone("example.test", ...lines)];
    const w = through([{ address: "10.0.2.1", zones }, { address: "10.0.2.2", zones }, recursive]);
    const d = await w.find("_acme-challenge.example.test");
    expect(addressesOf(d)).toEqual(["ns._acme-challenge.example.test 10.0.2.2", "ns1.example.test 10.0.2.1"]);
    expect(w.network.log.filter((q) => q.recursionDesired && q.name.includes("_acme"))).toEqual([]);
  });

  it("does not compare views of a zone that is the challenge name itself", async () => {
    const w = world(
      [
        ...upper(...exampleDelegation),
        ...exampleHosts("_acme-challenge NS ns.x", "ns.x A 10.0.3.1"),
        { address: "10.0.3.1", zones: [zone("_acme-challenge.example.test", "@ NS ns.x.example.test.")] },
        recursive,
      ],
      { fallback: [resolver] },
    );
    expect((await w.find("_acme-challenge.example.test")).zone).toBe("_acme-challenge.example.test");
    expect(w.network.log.filter((q) => q.recursionDesired && q.name.includes("_acme"))).toEqual([]);
  });

  it("keeps that rule for random trees of zones, with faults", async () => {
    const label = fc.constantFrom("a", "b", "_acme-challenge", "www");
    const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join("."));
    const faults = fc.constantFrom<Fault | undefined>(
      undefined,
      always("SERVFAIL"),
      always("silent"),
      always("REFUSED"),
      intercept,
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(name, { maxLength: 3 }),
        fc.array(name, { minLength: 1, maxLength: 3 }),
        fc.array(faults, { minLength: 2, maxLength: 2 }),
        async (cuts, names, broken) => {
          const lines = cuts.flatMap((c, i) => [`${c} NS ns${i}.${c}`, `ns${i}.${c} A 10.0.3.${i}`]);
          const children = cuts.map((c, i) => ({
            address: `10.0.3.${i}`,
            zones: [zone(`${c}.example.test`, `@ NS ns${i}`, `ns${i} A 10.0.3.${i}`)],
          }));
          const hosts = exampleHosts(...lines).map((h, i) => ({ ...h, fault: broken[i] }));
          const w = through([...hosts, ...children, recursive]);
          const challenges = names.map((n) => `_acme-challenge.${n}.example.test` as DomainName);
          const signal = new AbortController().signal;
          await w.clock.run(Promise.allSettled(challenges.map((c) => w.discovery.delegationOf(c, signal))));
          const bad = w.network.log.filter((q) => q.recursionDesired && challenges.some((c) => isWithin(q.name, c)));
          expect(bad).toEqual([]);
          expect(w.clock.sleepers).toBe(0);
        },
      ),
      { numRuns: 150 },
    );
  });

  it("leaves the target of one challenge to the authoritative servers while another is looked for", async () => {
    const w = through([...exampleHosts("www A 192.0.2.1"), ...upper(...exampleDelegation), recursive]);
    await w.find("acme.www.example.test");
    await w.find("_acme-challenge.acme.www.example.test");
    const asked = w.asked().filter((q) => q.endsWith(`@${resolver.address}`));
    expect(asked.some((q) => q.includes("acme"))).toBe(false);
  });

  it("goes down by referral to a zone the resolver did not speak of", async () => {
    const w = through([
      ...exampleHosts("a.b NS ns.a.b", "ns.a.b A 10.0.3.1"),
      { address: "10.0.3.1", zones: [zone("a.b.example.test", "@ NS ns", "ns A 10.0.3.1")] },
      { ...recursive, fault: forNames(["a.b.example.test"], "SERVFAIL") },
    ]);
    expect((await w.find("_acme-challenge.a.b.example.test")).zone).toBe("a.b.example.test");
  });

  it("is not led astray by a CNAME at the host name", async () => {
    const w = through([
      ...exampleHosts("www CNAME cdn.vendor.org."),
      { address: "10.0.8.1", zones: [zone("vendor.org", "@ NS x", "cdn NS y")] },
      recursive,
    ]);
    expect((await w.find("_acme-challenge.www.example.test")).zone).toBe("example.test");
  });

  it("stays with an inner zone whose host is an alias into the outer one", async () => {
    const inner = zone("in.example.test", "@ NS ns", "ns A 10.0.3.1", "www CNAME x.example.test.");
    const w = through([...exampleHosts(), { address: "10.0.3.1", zones: [inner] }, recursive]);
    expect((await w.find("_acme-challenge.www.in.example.test")).zone).toBe("in.example.test");
  });

  it("takes the next resolver after REFUSED, SERVFAIL or silence, and names the first", async () => {
    for (const how of ["REFUSED", "SERVFAIL", "silent"] as const) {
      const w = through(
        [...exampleHosts(), { ...recursive, fault: always(how) }, { ...recursive, address: other.address }],
        [resolver, other],
      );
      const d = await w.find("_acme-challenge.example.test");
      expect(addressesOf(d)).toEqual(both);
      if (how === "silent") continue;
      expect(codes(d)).toEqual(["W_RESOLVER"]);
      expect(d.warnings[0]?.text).toContain(`resolver 10.53.0.1 did not answer usefully (${how})`);
    }
  });

  it("says which resolver said what when none is of use", async () => {
    const w = through([...exampleHosts(), { ...recursive, fault: always("REFUSED") }]);
    const error = await faultOf(w.find("_acme-challenge.example.test"));
    expect(error).toMatchObject({ fault: "temporary", code: "TRANSIENT", hint: expect.stringContaining("--resolver") });
    expect(error.message).toMatch(/no resolver gave a usable answer about .*resolver 10\.53\.0\.1: REFUSED/);
    const silent = through([...exampleHosts(), { ...recursive, fault: always("silent") }]);
    expect((await faultOf(silent.find("_acme-challenge.example.test"))).fault).toBe("temporary");
  });

  it("says that a name belongs to no zone, also when the resolver rewrites NXDOMAIN", async () => {
    const rewriting: Fault = (q, answer) =>
      answer.rcode === "NXDOMAIN" || answer.rcode === "SERVFAIL"
        ? {
            ...answer,
            rcode: "NOERROR",
            authorities: [],
            answers: [{ name: q.name, class: "IN", ttl: 60, type: "A", address: "198.51.100.1" }],
          }
        : undefined;
    const w = world([...upper(...exampleDelegation), { ...recursive, fault: rewriting }], {
      mode: "resolver",
      resolvers: [resolver],
      isPublicSuffix: (n) => n === "test",
    });
    const error = await faultOf(w.find("_acme-challenge.missing.test"));
    expect(error.fault).toBe("no-delegation");
    expect(error.message).toMatch(/belongs to no zone/);
    expect((await faultOf(w.find("_acme-challenge.missing.invalid"))).fault).toBe("no-delegation");
  });

  it("keeps the servers it learnt of when none of them can be asked from here", async () => {
    const blocked = exampleHosts().map((h) => ({ ...h, fault: always("silent") }));
    const w = through([...blocked, recursive]);
    const d = await w.find("_acme-challenge.example.test");
    expect(addressesOf(d)).toEqual(both);
    expect(codes(d)).toEqual(["W_UNREACHABLE"]);
    expect(w.clock.now()).toBeLessThan(5_000);
  });

  it("says that port 53 is intercepted when resolvers answer for the authoritative servers", async () => {
    const hosts = exampleHosts().map((h) => ({ ...h, fault: intercept }));
    const d = await through([...hosts, recursive]).find("_acme-challenge.example.test");
    expect(addressesOf(d)).toEqual(both);
    expect(codes(d)).toEqual(["W_INTERCEPTED"]);
  });

  it("finds a zone whose own name takes the value, where nothing above it is known", async () => {
    const w = through([
      { address: "10.0.2.1", zones: [zone("validate.example", "@ NS ns", "ns A 10.0.2.1")] },
      recursive,
    ]);
    expect((await w.find("validate.example")).zone).toBe("validate.example");
  });

  it("asks resolvers given as URL through the exchange made for them", async () => {
    const w = world([...exampleHosts(), recursive]);
    const used: string[] = [];
    const discovery = createDiscovery({
      mode: "resolver",
      exchange: w.network.exchange,
      resolvers: [new URL("https://dns.example/dns-query")],
      dohExchange: (url) => (ask, to) => {
        used.push(`${url.href} ${to.address}`);
        return w.network.exchange(ask, resolver);
      },
      clock: w.clock,
    });
    const work = discovery.delegationOf("_acme-challenge.example.test" as DomainName, new AbortController().signal);
    expect(addressesOf(await w.clock.run(work))).toEqual(both);
    expect(new Set(used)).toEqual(new Set(["https://dns.example/dns-query dns.example"]));
  });

  it("names a resolver given as URL without what may be secret in it", async () => {
    const w = world([...exampleHosts(), { ...recursive, fault: always("REFUSED") }]);
    const discovery = createDiscovery({
      mode: "resolver",
      exchange: w.network.exchange,
      resolvers: [new URL("https://user:hidden@dns.example/dns-query?token=hidden")],
      dohExchange: () => (ask) => w.network.exchange(ask, resolver),
      clock: w.clock,
    });
    const work = discovery.delegationOf("_acme-challenge.example.test" as DomainName, new AbortController().signal);
    const error = await faultOf(w.clock.run(work));
    expect(error.message).toContain("resolver https://dns.example/dns-query: REFUSED");
    expect(JSON.stringify([error.message, error.details])).not.toContain("hidden");
  });
});

describe("the machine's resolvers", () => {
  it("are read with and without a port, in both families", () => {
    const texts = [
      "127.0.0.53",
      "192.0.2.1:5353",
      "::1",
      "2001:db8::53",
      "[2001:db8::1]:5353",
      "fe80::1%eth0",
      "nonsense",
    ];
    expect(systemResolvers(texts)).toEqual([
      { address: "127.0.0.53", port: 53 },
      { address: "192.0.2.1", port: 5353 },
      { address: "::1", port: 53 },
      { address: "2001:db8::53", port: 53 },
      { address: "2001:db8::1", port: 5353 },
      { address: "fe80::1%eth0", port: 53 },
    ]);
  });
});

describe("when the walk does not work", () => {
  const silentRoot = { address: rootAddress, fault: always("silent") };
  const rest = [...upper(...exampleDelegation)].filter((h) => h.address !== rootAddress);

  it("goes through the system's resolver when no root server answers, and says so", async () => {
    const w = world([silentRoot, ...rest, ...exampleHosts(), recursive], { fallback: [resolver] });
    const d = await w.find("_acme-challenge.example.test");
    expect(addressesOf(d)).toEqual(both);
    expect(codes(d)).toEqual(["W_NO_ROOT", "W_SPLIT_HORIZON"]);
    const before = w.clock.now();
    await w.find("_acme-challenge.www.example.test");
    expect(w.clock.now() - before).toBeLessThan(1_000);
  });

  it("walks again when the outage has passed", async () => {
    const w = world([silentRoot, ...rest, ...exampleHosts(), recursive], { fallback: [resolver] });
    expect(codes(await w.find("_acme-challenge.example.test"))).toContain("W_NO_ROOT");
    for (const host of upper(...exampleDelegation)) w.network.host(host);
    expect(codes(await w.find("_acme-challenge.example.test"))).toContain("W_NO_ROOT");
    await w.clock.run(w.clock.sleep(301_000));
    const d = await w.find("_acme-challenge.example.test");
    expect(addressesOf(d)).toEqual(both);
    expect(codes(d)).not.toContain("W_NO_ROOT");
  });

  it("ends a question that began before that moment as it began", async () => {
    const w = world([silentRoot, ...rest, ...exampleHosts(), recursive], { fallback: [resolver] });
    await w.find("_acme-challenge.example.test");
    await w.clock.run(w.clock.sleep(299_999));
    const name = (label: string) => `_acme-challenge.${label}.example.test` as DomainName;
    const { signal } = new AbortController();
    const begun = w.discovery.delegationOf(name("www"), signal);
    const next = w.clock.sleep(2).then(() => w.discovery.delegationOf(name("web"), signal));
    for (const d of await w.clock.run(Promise.all([begun, next]))) expect(codes(d)).toContain("W_NO_ROOT");
  });

  it("does the same when something on the way answers for the root servers", async () => {
    const w = world([{ address: rootAddress, fault: intercept }, ...rest, ...exampleHosts(), recursive], {
      fallback: [resolver],
    });
    const d = await w.find("_acme-challenge.example.test");
    expect(addressesOf(d)).toEqual(both);
    expect(codes(d)).toContain("W_INTERCEPTED");
  });

  it("reports both when the resolver does not help either", async () => {
    const w = world([silentRoot, { ...recursive, fault: always("SERVFAIL") }], { fallback: [resolver] });
    const error = await faultOf(w.find("_acme-challenge.example.test"));
    expect(error.message).toMatch(/no root server answers, and through the resolver: .*SERVFAIL/);
    expect(error.asked.map((f) => f.kind)).toContain("silent");
  });

  it("has nobody to turn to without a resolver", async () => {
    const error = await faultOf(world([silentRoot]).find("_acme-challenge.example.test"));
    expect(error).toMatchObject({ fault: "temporary", retryable: true });
    expect(error.message).toMatch(/nameserver of the root/);
  });
});

describe("two views of a zone", () => {
  const inside = zone("example.test", "@ NS ns.corp.test.");
  const saying = (answer: (q: Question, a: Message) => Partial<Message> | undefined): VirtualHost => ({
    ...recursive,
    fault: (q, a) => {
      const change = answer(q, a);
      return change === undefined ? undefined : { ...a, ...change };
    },
  });
  const insider = saying((q) =>
    q.name === "example.test" && q.type === "NS"
      ? { answers: inside.records.filter((r) => r.type === "NS"), authorities: [] }
      : undefined,
  );

  it("are told apart when the system's resolver has other nameservers; the public one is used", async () => {
    const w = world([...upper(...exampleDelegation), ...exampleHosts(), insider], { fallback: [resolver] });
    const d = await w.find("_acme-challenge.example.test");
    expect(addressesOf(d)).toEqual(both);
    expect(codes(d)).toEqual(["W_SPLIT_HORIZON"]);
    expect(d.warnings[0]?.text).toMatch(
      /has ns\.corp\.test for example\.test, the public delegation has ns1\.example\.test/,
    );
  });

  it("are one when they agree, and a slow resolver holds nothing up", async () => {
    const agreeing = world([...upper(...exampleDelegation), ...exampleHosts(), recursive], { fallback: [resolver] });
    expect(codes(await agreeing.find("_acme-challenge.example.test"))).toEqual([]);
    const slow = world([...upper(...exampleDelegation), ...exampleHosts(), { ...recursive, fault: always("silent") }], {
      fallback: [resolver],
    });
    await slow.find("_acme-challenge.example.test");
    expect(slow.clock.now()).toBeLessThan(500);
    expect(slow.clock.sleepers).toBe(0);
  });

  it("are not compared with a resolver that the user named: its view decides", async () => {
    const corp = { address: "10.0.9.1", zones: [zone("example.test", "@ NS ns.corp.test.")] };
    const hosts = [...upper(...exampleDelegation, "ns.corp A 10.0.9.1"), ...exampleHosts(), corp, insider];
    const d = await through(hosts).find("_acme-challenge.example.test");
    expect(addressesOf(d)).toEqual(["ns.corp.test 10.0.9.1"]);
    expect(d.warnings).toEqual([]);
  });
});

describe("fixed servers", () => {
  const servers = [{ name: "10.0.2.1" as DomainName, address: "10.0.2.1", port: 5300 }];
  const fixed = (hosts: readonly VirtualHost[]) => world(hosts, { mode: "fixed", servers });

  it("are asked for the zone and nothing else", async () => {
    const w = fixed([...exampleHosts("www A 192.0.2.1")]);
    const d = await w.find("_acme-challenge.www.example.test");
    expect(d).toEqual({ zone: "example.test", servers, unresolved: [], warnings: [] });
    expect(new Set(w.network.log.map((q) => q.to))).toEqual(new Set(["10.0.2.1"]));
  });

  it("tell the zone also where the name is an alias, or the apex of its own zone", async () => {
    const w = fixed([...exampleHosts("_acme-challenge.www CNAME x.elsewhere.test.")]);
    expect((await w.find("_acme-challenge.www.example.test")).zone).toBe("example.test");
    expect((await w.find("example.test")).zone).toBe("example.test");
  });

  it("tell the zone also when they answer SOA at every name", async () => {
    const fault: Fault = (q, a) =>
      q.type === "SOA"
        ? {
            ...a,
            rcode: "NOERROR",
            authorities: [],
            answers: (a.authorities[0] ? a.authorities : a.answers).map((r) => ({ ...r, name: q.name })),
          }
        : undefined;
    const w = fixed(exampleHosts().map((h) => ({ ...h, fault })));
    // Neither the name nor its parent has NS, as the apex does.
    expect((await w.find("_acme-challenge.www.example.test")).zone).toBe("example.test");
  });

  it("are named when they do not serve the name, do not answer, or send elsewhere", async () => {
    const refused = await faultOf(fixed([{ address: "10.0.2.1" }]).find("_acme-challenge.example.test"));
    expect(refused).toMatchObject({ fault: "no-delegation" });
    expect(refused.message).toMatch(/none of the given nameservers serves .*10\.0\.2\.1:5300: REFUSED/);
    const silent = await faultOf(
      fixed([{ address: "10.0.2.1", fault: always("silent") }]).find("_acme-challenge.example.test"),
    );
    expect(silent).toMatchObject({ fault: "temporary" });
    // It was asked again and said the same.
    expect(silent.message.match(/10\.0\.2\.1:5300: /g)).toHaveLength(1);
    const parent = {
      address: "10.0.2.1",
      zones: [zone("test", "@ NS a.nic", `a.nic A ${tldAddress}`, ...exampleDelegation)],
    };
    expect((await faultOf(fixed([parent]).find("_acme-challenge.example.test"))).message).toMatch(
      /refers to the servers of example\.test/,
    );
  });
});
