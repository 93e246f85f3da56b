import { describe, expect, it } from "vitest";
import type { DomainName } from "../../src/core/name.ts";
import { type PlaceOptions, placeChallenge } from "../../src/dns/alias.ts";
import { DiscoveryError } from "../../src/dns/discovery-error.ts";
import type { Placement } from "../../src/dns/types.ts";
import { zone } from "../fakes/scripted-zones.ts";
import { always, type Fault, forNames, type VirtualHost } from "../fakes/virtual-network.ts";
import { codes, exampleDelegation, exampleHosts, upper, type World, world } from "./discovery-world.ts";

const fqdn = "_acme-challenge.www.example.test" as DomainName;
const delegations = [...exampleDelegation, "val NS ns.val", "ns.val A 10.0.4.1"];

/** The world with these lines in example.test, and val.test on its own server. */
function aliasWorld(
  lines: readonly string[],
  valLines: readonly string[] = [],
  options: Parameters<typeof world>[1] = {},
): World {
  return world(
    [
      ...upper(...delegations),
      ...exampleHosts(...lines),
      { address: "10.0.4.1", zones: [zone("val.test", "@ NS ns", "ns A 10.0.4.1", ...valLines)] },
    ],
    { isPublicSuffix: (n) => n === "test", ...options },
  );
}

function place(w: World, options: Partial<PlaceOptions> = {}, name: DomainName = fqdn): Promise<Placement> {
  return w.clock.run(
    placeChallenge(name, {
      discovery: w.discovery,
      exchange: w.network.exchange,
      clock: w.clock,
      signal: new AbortController().signal,
      ...options,
    }),
  );
}

async function faultOf(work: Promise<unknown>): Promise<DiscoveryError> {
  const error: unknown = await work.then(
    () => undefined,
    (e: unknown) => e,
  );
  if (!(error instanceof DiscoveryError)) throw new Error(`expected a DiscoveryError, got ${String(error)}`);
  return error;
}

describe("a challenge name without an alias", () => {
  it("is where the value goes", async () => {
    const p = await place(aliasWorld(["www A 192.0.2.1"]));
    expect(p).toMatchObject({ fqdn, owner: fqdn, aliases: [], warnings: [] });
    expect(p.delegation.zone).toBe("example.test");
  });

  it("is unmoved by records at the host, by TXT records and by wildcard TXT records", async () => {
    for (const lines of [
      ["www CNAME cdn.val.test."],
      ["_acme-challenge.www TXT old"],
      ["* TXT old"],
      ["*.www TXT old"],
    ]) {
      const p = await place(aliasWorld(lines));
      expect([lines, p.owner, p.aliases, codes(p)]).toEqual([lines, fqdn, [], []]);
    }
  });

  it("may be the apex of a zone of its own", async () => {
    const w = world([
      ...upper(...delegations),
      ...exampleHosts("_acme-challenge.www NS ns.val.test."),
      { address: "10.0.4.1", zones: [zone("val.test", "@ NS ns", "ns A 10.0.4.1"), zone(fqdn, "@ NS ns.val.test.")] },
    ]);
    const p = await place(w);
    expect(p.owner).toBe(fqdn);
    expect(p.delegation.zone).toBe(fqdn);
    expect(p.delegation.servers.map((s) => s.address)).toEqual(["10.0.4.1"]);
  });
});

describe("an alias", () => {
  it("leads into another zone, whose servers are then the ones that count", async () => {
    const p = await place(aliasWorld(["_acme-challenge.www CNAME abc.val.test."]));
    expect(p.owner).toBe("abc.val.test");
    expect(p.aliases).toEqual([fqdn, "abc.val.test"]);
    expect(p.delegation.zone).toBe("val.test");
    expect(p.delegation.servers.map((s) => s.address)).toEqual(["10.0.4.1"]);
    expect(p.warnings).toEqual([]);
  });

  it("may have several steps, inside one zone and across zones", async () => {
    const w = aliasWorld(
      ["_acme-challenge.www CNAME one", "one CNAME two.val.test."],
      ["two CNAME three", "three CNAME back.example.test."],
    );
    const p = await place(w);
    expect(p.aliases).toEqual([fqdn, "one.example.test", "two.val.test", "three.val.test", "back.example.test"]);
    expect(p.delegation.zone).toBe("example.test");
  });

  it("is not followed when that is switched off", async () => {
    const p = await place(aliasWorld(["_acme-challenge.www CNAME abc.val.test."]), { follow: false });
    expect(p).toMatchObject({ owner: fqdn, aliases: [] });
  });

  it("is followed for eight steps and refused at nine", async () => {
    const chain = (n: number) => [
      "_acme-challenge.www CNAME h1",
      ...Array.from({ length: n - 1 }, (_, i) => `h${i + 1} CNAME h${i + 2}`),
    ];
    expect((await place(aliasWorld(chain(8)))).owner).toBe("h8.example.test");
    const error = await faultOf(place(aliasWorld(chain(9))));
    expect(error).toMatchObject({ fault: "alias", code: "ZONE_NOT_FOUND", retryable: false });
    expect(error.message).toMatch(/more than 8 steps: _acme-challenge\.www\.example\.test → h1\.example\.test/);
  });

  it.each([
    ["of two", ["_acme-challenge.www CNAME a", "a CNAME _acme-challenge.www"]],
    ["at itself", ["_acme-challenge.www CNAME _acme-challenge.www"]],
    ["further on", ["_acme-challenge.www CNAME a", "a CNAME b", "b CNAME a"]],
  ])("that goes round (%s) is an error showing the chain", async (_, lines) => {
    const error = await faultOf(place(aliasWorld(lines)));
    expect(error).toMatchObject({ fault: "alias", retryable: false });
    expect(error.message).toMatch(/goes round in a circle: .* → /);
  });

  it("into a zone that nobody serves is an error showing the chain", async () => {
    const error = await faultOf(place(aliasWorld(["_acme-challenge.www CNAME x.missing.test."])));
    expect(error).toMatchObject({ fault: "alias", retryable: false, fqdn });
    expect(error.message).toMatch(/_acme-challenge\.www\.example\.test → x\.missing\.test.*belongs to no zone/);
    expect(error.hint).toContain(fqdn);
  });

  it("into a zone whose servers are silent is worth another try", async () => {
    const w = aliasWorld(["_acme-challenge.www CNAME abc.val.test."]);
    w.network.host({ address: "10.0.4.1", fault: always("silent") });
    const error = await faultOf(place(w));
    expect(error).toMatchObject({ fault: "temporary", retryable: true });
    expect(error.message).toMatch(/_acme-challenge\.www\.example\.test → abc\.val\.test/);
  });

  it("by DNAME counts like one by CNAME, with or without the CNAME made of it", async () => {
    const lines = ["www DNAME sub.val.test."];
    expect((await place(aliasWorld(lines))).owner).toBe("_acme-challenge.sub.val.test");
    const bare = aliasWorld(lines);
    const fault: Fault = (_, a) => ({ ...a, answers: a.answers.filter((r) => r.type !== "CNAME") });
    for (const h of exampleHosts(...lines)) bare.network.host({ ...h, fault });
    expect((await place(bare)).owner).toBe("_acme-challenge.sub.val.test");
  });

  it("by DNAME to a name that is too long is an error", async () => {
    const long = Array.from({ length: 4 }, () => "x".repeat(57)).join(".");
    const error = await faultOf(place(aliasWorld([`www DNAME ${long}.val.test.`])));
    expect(error.message).toMatch(/too long/);
  });
});

describe("an alias that a wildcard made", () => {
  it.each([
    ["beside the challenge name", ["www A 192.0.2.1", "*.www CNAME lb.val.test."]],
    ["further up", ["* CNAME lb.val.test."]],
  ])("(%s) is not followed, with a warning", async (_, lines) => {
    const p = await place(aliasWorld(lines));
    expect(p).toMatchObject({ owner: fqdn, aliases: [] });
    expect(codes(p)).toEqual(["W_WILDCARD_CNAME"]);
    expect(p.warnings[0]?.text).toContain("lb.val.test");
  });

  it("is followed when the user says so", async () => {
    const p = await place(aliasWorld(["* CNAME lb.val.test."]), { follow: true });
    expect(p).toMatchObject({ owner: "lb.val.test" });
  });

  it("is told from a real one beside a wildcard, and from one to the same target", async () => {
    const real = [
      "_acme-challenge.www CNAME abc.val.test.",
      "* CNAME lb.val.test.",
      "www A 192.0.2.1",
      "*.www CNAME lb.val.test.",
    ];
    expect((await place(aliasWorld(real))).owner).toBe("abc.val.test");
  });

  it("in the middle of a chain ends it there", async () => {
    const p = await place(aliasWorld(["_acme-challenge.www CNAME abc.val.test."], ["* CNAME parking.val.test."]));
    expect(p).toMatchObject({ owner: "abc.val.test", aliases: [fqdn, "abc.val.test"] });
    expect(codes(p)).toEqual(["W_WILDCARD_CNAME"]);
  });
});

describe("asking for aliases", () => {
  it.each(["REFUSED", "SERVFAIL", "silent"] as const)("goes to the next server after %s", async (how) => {
    const lines = ["_acme-challenge.www CNAME abc.val.test."];
    for (let seed = 1; seed <= 4; seed++) {
      const w = aliasWorld(lines);
      const [first] = exampleHosts(...lines);
      if (first === undefined) throw new Error("a host");
      w.network.host({ ...first, fault: forNames([fqdn], how, ["CNAME"]) });
      expect((await place(w)).owner).toBe("abc.val.test");
    }
  });

  it("fails when no server says whether there is one, rather than guess", async () => {
    const w = aliasWorld([]);
    for (const h of exampleHosts()) w.network.host({ ...h, fault: forNames([fqdn], "SERVFAIL", ["CNAME"]) });
    expect(await faultOf(place(w))).toMatchObject({ fault: "temporary" });
  });

  it("is done without where the zone's servers cannot be reached at all, with a warning", async () => {
    const resolver: VirtualHost = { address: "10.53.0.1", recursive: true };
    const blocked = exampleHosts("_acme-challenge.www CNAME abc.val.test.").map((h) => ({
      ...h,
      fault: always("silent"),
    }));
    const w = world([...blocked, resolver], { mode: "resolver", resolvers: [{ address: "10.53.0.1", port: 53 }] });
    const p = await place(w);
    expect(p.owner).toBe(fqdn);
    expect(codes(p)).toEqual(["W_ALIAS_UNCHECKED"]);
    expect(w.network.log.filter((q) => q.recursionDesired && q.name.includes("_acme-challenge"))).toEqual([]);
  });

  it("looks again when a server sends further down than was known", async () => {
    const w = aliasWorld(["www A 192.0.2.1"]);
    await place(w);
    const cut = exampleHosts("www NS ns.val.test.");
    for (const h of cut) w.network.host(h);
    w.network.host({
      address: "10.0.4.1",
      zones: [
        zone("val.test", "@ NS ns", "ns A 10.0.4.1"),
        zone("www.example.test", "@ NS ns.val.test.", "_acme-challenge CNAME abc.val.test."),
      ],
    });
    const p = await place(w);
    expect(p.owner).toBe("abc.val.test");
  });

  it("asks authoritative servers only, and nobody for recursion", async () => {
    const w = aliasWorld(["_acme-challenge.www CNAME abc.val.test."]);
    await place(w);
    expect(w.network.log.every((q) => !q.recursionDesired)).toBe(true);
  });

  it("stops at once when the caller gives up", async () => {
    const w = aliasWorld([]);
    for (const h of exampleHosts()) w.network.host({ ...h, fault: always("silent") });
    const control = new AbortController();
    const work = placeChallenge(fqdn, {
      discovery: w.discovery,
      exchange: w.network.exchange,
      clock: w.clock,
      signal: control.signal,
    });
    const rejected = expect(work).rejects.toThrow("enough");
    await w.clock.advance(100);
    control.abort(new Error("enough"));
    await rejected;
    await w.clock.advance(0);
    expect(w.clock.sleepers).toBe(0);
  });
});
