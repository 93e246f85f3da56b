import { expect, test } from "vitest";
import { parseName } from "../../src/core/name.ts";
import { placeChallenge } from "../../src/dns/alias.ts";
import { createDiscovery } from "../../src/dns/discovery.ts";
import { createExchange } from "../../src/dns/transport.ts";
import type { Delegation } from "../../src/dns/types.ts";
import { askedOfResolver } from "./lab/counts.ts";
import { describeInLab } from "./lab/suite.ts";
import { labZones, serverName } from "./lab/zones.ts";

const signal = () => AbortSignal.timeout(30_000);

/** The lab's registry: its customers' zones begin below it. */
const isPublicSuffix = (name: string) => name === "test";

function addressesByName(delegation: Delegation): Readonly<Record<string, string>> {
  return Object.fromEntries(delegation.servers.map((server) => [server.name, server.address]));
}

describeInLab("nameservers of a zone, found in a real tree", (inLab) => {
  const walk = () => {
    const lab = inLab();
    const exchange = createExchange();
    return {
      exchange,
      discovery: createDiscovery({
        mode: "walk",
        isPublicSuffix,
        exchange,
        rootHints: [lab.root],
        port: lab.port,
        fallback: [],
      }),
    };
  };
  const throughResolver = () => {
    const lab = inLab();
    const exchange = createExchange();
    return {
      exchange,
      discovery: createDiscovery({
        mode: "resolver",
        isPublicSuffix,
        exchange,
        resolvers: [lab.resolver],
        port: lab.port,
      }),
    };
  };

  test.each([
    ["from the root down", walk],
    ["through a resolver", throughResolver],
  ])("%s: every server of every zone, and the cut where it is", async (_, open) => {
    const lab = inLab();
    const { discovery } = open();
    for (const zone of labZones) {
      const delegation = await discovery.delegationOf(parseName(`_acme-challenge.${zone.apex}`), signal());
      expect(delegation.zone).toBe(zone.apex);
      const expected = Object.fromEntries(
        zone.servers.map((role) => [serverName(zone, role), lab.publicAt(role).address]),
      );
      expect(addressesByName(delegation), zone.apex).toEqual(expected);
      for (const server of delegation.servers) expect(server.port).toBe(lab.port);
    }
  });

  test.each([
    ["from the root down", walk],
    ["through a resolver", throughResolver],
  ])("%s: a name deep inside, and one below a child zone, belong to the nearest zone above", async (_, open) => {
    const { discovery } = open();
    const zoneOf = async (name: string) => (await discovery.delegationOf(parseName(name), signal())).zone;
    expect(await zoneOf("_acme-challenge.a.b.c.example.test")).toBe("example.test");
    expect(await zoneOf("_acme-challenge.sub.example.test")).toBe("sub.example.test");
    expect(await zoneOf("_acme-challenge.x.y.sub.example.test")).toBe("sub.example.test");
  });

  test("a name that is not delegated is an error, not the zone above", async () => {
    for (const open of [walk, throughResolver]) {
      await expect(open().discovery.delegationOf(parseName("_acme-challenge.nowhere.test"), signal())).rejects.toThrow(
        /nowhere\.test/,
      );
    }
  });

  test.each([
    ["one", "one.delegated.test", ["_acme-challenge.one.example.test", "one.delegated.test"]],
    ["two", "two.delegated.test", ["_acme-challenge.two.example.test", "hop.delegated.test", "two.delegated.test"]],
    ["cross", "cross.bind.test", ["_acme-challenge.cross.example.test", "cross.bind.test"]],
  ])("an alias is followed to its end (%s)", async (label, owner, aliases) => {
    const found = await placeChallenge(parseName(`_acme-challenge.${label}.example.test`), {
      ...walk(),
      signal: signal(),
    });
    expect(found).toMatchObject({ owner, aliases });
  });

  test("a loop and a dangling alias are errors, an alias made by a wildcard is left alone", async () => {
    const place = (name: string) => placeChallenge(parseName(name), { ...walk(), signal: signal() });
    await expect(place("_acme-challenge.loop.example.test")).rejects.toThrow(/circle|loop/i);
    await expect(place("_acme-challenge.dangling.example.test")).rejects.toThrow(/nowhere\.test/);
    const wild = await place("_acme-challenge.x.wild.example.test");
    expect(wild).toMatchObject({ owner: "_acme-challenge.x.wild.example.test", aliases: [] });
    expect(wild.warnings.map((warning) => warning.code)).toContain("W_WILDCARD_CNAME");
  });

  test("a lame server stays in the set: the checker has to know of it", async () => {
    const delegation = await walk().discovery.delegationOf(parseName("_acme-challenge.lame.test"), signal());
    expect(delegation.servers).toHaveLength(3);
  });

  test("rule zero: through a resolver, it never hears of a challenge name", async () => {
    const lab = inLab();
    const mark = lab.servers.resolver.log.length;
    for (const label of ["one.example.test", "fresh.example.test", "x.wild.example.test", "sub.example.test"]) {
      await placeChallenge(parseName(`_acme-challenge.${label}`), { ...throughResolver(), signal: signal() });
    }
    const asked = askedOfResolver(lab, mark);
    expect(asked).not.toEqual([]);
    expect(asked.filter((name) => name.includes("_acme-challenge"))).toEqual([]);
  });
});
