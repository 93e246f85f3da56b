import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import type { DomainName } from "../../src/core/name.ts";
import { placeChallenge } from "../../src/dns/alias.ts";
import { createDiscovery, type DiscoveryOptions } from "../../src/dns/discovery.ts";
import { createExchange } from "../../src/dns/transport.ts";
import { dig } from "./lab/dig.ts";
import { type Lab, startLab } from "./lab/lab.ts";
import { until } from "./lab/patience.ts";
import { labServices, whyNot } from "./lab/services.ts";
import { labZones, type Role } from "./lab/zones.ts";

const reason = whyNot(labServices);
const name = (text: string) => text as DomainName;

/** Knot, NSD and BIND as authoritative servers, a root and a TLD of their own, Unbound as the resolver. */
describe.skipIf(reason !== undefined)(`finding nameservers${reason === undefined ? "" : ` (${reason})`}`, () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await startLab();
  });
  afterAll(() => lab?.stop());

  const ways: readonly ["walk" | "resolver"][] = [["walk"], ["resolver"]];
  const open = (mode: "walk" | "resolver") => {
    const exchange = createExchange({ clock: systemClock });
    const way: Partial<DiscoveryOptions> =
      mode === "walk" ? { rootHints: [lab.root], fallback: [] } : { resolvers: [lab.resolver] };
    const discovery = createDiscovery({ mode, exchange, port: lab.port, ...way });
    const { signal } = new AbortController();
    return {
      find: (fqdn: string) => discovery.delegationOf(name(fqdn), signal),
      place: (fqdn: string) => placeChallenge(name(fqdn), { discovery, exchange, signal }),
    };
  };
  // What only the parent lists is not seen through a resolver.
  const expected = (apex: string, mode: "walk" | "resolver") => {
    const zone = labZones.find((z) => z.apex === apex);
    const seen = mode === "walk" ? zone?.servers : (zone?.childLists ?? zone?.servers);
    return (zone?.servers ?? [])
      .flatMap((role: Role, i) => (seen?.includes(role) ? [`ns${i + 1}.${apex} ${lab.publicAt(role).address}`] : []))
      .toSorted();
  };
  const found = (servers: readonly { readonly name: string; readonly address: string }[]) =>
    servers.map((s) => `${s.name} ${s.address}`).toSorted();

  describe.each(ways)("by %s", (mode) => {
    test("every address of every nameserver of every zone, the dead, mute and lame ones included", async () => {
      const { find } = open(mode);
      const results = await Promise.all(
        labZones.map(async (z) => [z.apex, await find(`_acme-challenge.www.${z.apex}`)] as const),
      );
      for (const [apex, delegation] of results) {
        expect([apex, delegation.zone, found(delegation.servers)]).toEqual([apex, apex, expected(apex, mode)]);
      }
    });

    test("a child zone on the same servers as its parent, from its apex and from below", async () => {
      for (const fqdn of ["_acme-challenge.sub.example.test", "_acme-challenge.a.sub.example.test"]) {
        const delegation = await open(mode).find(fqdn);
        expect([fqdn, delegation.zone]).toEqual([fqdn, "sub.example.test"]);
      }
    });

    test("aliases into another zone, over two steps, and to another primary", async () => {
      const { place } = open(mode);
      expect(await place("_acme-challenge.one.example.test")).toMatchObject({ owner: "one.delegated.test" });
      const two = await place("_acme-challenge.two.example.test");
      expect(two.aliases).toEqual(["_acme-challenge.two.example.test", "hop.delegated.test", "two.delegated.test"]);
      expect(two.delegation.zone).toBe("delegated.test");
      expect((await place("_acme-challenge.cross.example.test")).delegation.zone).toBe("bind.test");
    });

    test("that a wildcard made an alias", async () => {
      const placement = await open(mode).place("_acme-challenge.wild.example.test");
      expect(placement).toMatchObject({ owner: "_acme-challenge.wild.example.test", aliases: [] });
      expect(placement.warnings.map((w) => w.code)).toEqual(["W_WILDCARD_CNAME"]);
    });

    test("that a chain goes round", async () => {
      await expect(open(mode).place("_acme-challenge.loop.example.test")).rejects.toThrow(
        "_acme-challenge.loop.example.test → loop2.example.test → _acme-challenge.loop.example.test",
      );
    });
  });

  test("asks the resolver nothing about challenge names", async () => {
    const { find, place } = open("resolver");
    const mark = lab.servers.resolver.log.length;
    await find("_acme-challenge.quiet.example.test");
    await place("_acme-challenge.one.example.test");
    // In the letter case of our questions (0x20), and in order: once it has this, everything before is there too.
    await dig(lab.resolver, "marker.example.test", "A", { recursion: true });
    const log = () => lab.servers.resolver.log.slice(mark).map((line) => line.text.toLowerCase());
    await until(async () => log().some((text) => text.includes("marker.example.test")));
    expect(log().some((text) => text.includes("delegated.test. ns"))).toBe(true);
    expect(log().filter((text) => text.includes("_acme-challenge"))).toEqual([]);
  });

  test("an alias into a zone that nobody serves is told with its chain", async () => {
    const exchange = createExchange();
    const discovery = createDiscovery({
      mode: "walk",
      exchange,
      rootHints: [lab.root],
      fallback: [],
      port: lab.port,
    });
    const work = placeChallenge(name("_acme-challenge.dangling.example.test"), {
      discovery,
      exchange,
      signal: new AbortController().signal,
    });
    await expect(work).rejects.toMatchObject({ fault: "alias", code: "ZONE_NOT_FOUND" });
    await expect(work).rejects.toThrow(/_acme-challenge\.dangling\.example\.test → gone\.nowhere\.test/);
  });
});
