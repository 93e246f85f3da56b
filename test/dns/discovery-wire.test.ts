import { afterEach, describe, expect, it } from "vitest";
import type { DomainName } from "../../src/core/name.ts";
import { placeChallenge } from "../../src/dns/alias.ts";
import { createDiscovery } from "../../src/dns/discovery.ts";
import { createExchange } from "../../src/dns/transport.ts";
import {
  type ScriptedNameservers,
  type ScriptedServer,
  startNameservers,
  type Weather,
} from "../fakes/scripted-nameserver.ts";
import { zone } from "../fakes/scripted-zones.ts";

const root = "127.0.0.1";
const tld = "127.0.0.2";
const [ns1, ns2] = ["127.0.0.3", "127.0.0.4"];
const recursive = "127.0.0.5";
const fqdn = "_acme-challenge.www.example.test" as DomainName;

const zones = [
  zone(
    "example.test",
    "@ NS ns1",
    "@ NS ns2",
    `ns1 A ${ns1}`,
    `ns2 A ${ns2}`,
    "www A 192.0.2.1",
    "_acme-challenge.www CNAME abc",
  ),
];
const scripts: readonly ScriptedServer[] = [
  { address: root, zones: [zone(".", "@ NS r", `r A ${root}`, "test NS a.nic.test", `a.nic.test A ${tld}`)] },
  {
    address: tld,
    zones: [
      zone(
        "test",
        "@ NS a.nic",
        `a.nic A ${tld}`,
        "example NS ns1.example",
        "example NS ns2.example",
        `ns1.example A ${ns1}`,
        `ns2.example A ${ns2}`,
      ),
    ],
  },
  { address: ns1, zones },
  { address: ns2, zones },
  { address: recursive, recursive: true },
];

const running: ScriptedNameservers[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.close();
});

async function start(weather: Weather = {}, worse: Weather = weather) {
  const servers = await startNameservers(
    scripts.map((s) => (s.address === ns1 ? { ...s, weather: worse } : { ...s, weather })),
  );
  running.push(servers);
  const exchange = createExchange();
  const { signal } = new AbortController();
  const place = (mode: "walk" | "resolver", port = servers.port) => {
    const discovery = createDiscovery({
      mode,
      exchange,
      rootHints: [servers.at(root)],
      resolvers: mode === "resolver" ? [servers.at(recursive)] : [],
      fallback: [],
      port,
    });
    return placeChallenge(fqdn, { discovery, exchange, signal });
  };
  return { servers, place };
}

describe("over real sockets", () => {
  it("walks from the root to the servers that count, and follows the alias there", async () => {
    const { servers, place } = await start();
    const p = await place("walk");
    expect(p).toMatchObject({ owner: "abc.example.test", aliases: [fqdn, "abc.example.test"], warnings: [] });
    expect(p.delegation.servers.map((s) => `${s.name} ${s.address} ${s.port}`).toSorted()).toEqual([
      `ns1.example.test ${ns1} ${servers.port}`,
      `ns2.example.test ${ns2} ${servers.port}`,
    ]);
    expect(p.delegation.warnings).toEqual([]);
    expect(servers.log.every((q) => !q.recursionDesired)).toBe(true);
  });

  it("finds the same through a resolver, which hears nothing of the challenge name", async () => {
    const { servers, place } = await start();
    const p = await place("resolver");
    expect(p.owner).toBe("abc.example.test");
    expect(p.delegation.servers.length).toBe(2);
    const heard = servers.log.filter((q) => q.to === recursive);
    expect(heard.length).toBeGreaterThan(0);
    expect(heard.filter((q) => q.question.name.includes("_acme-challenge"))).toEqual([]);
    expect(servers.log.filter((q) => q.to !== recursive).every((q) => !q.recursionDesired)).toBe(true);
  });

  it.each<[string, Weather]>([
    ["send every reply twice", { duplicate: true }],
    ["truncate over UDP", { truncate: true }],
    ["refuse EDNS", { edns: "formerr" }],
    ["pass over EDNS", { edns: "ignored" }],
    ["lose the letter case of the question", { foldCase: true }],
    ["are slow", { delayMs: 60 }],
  ])("copes with servers that %s", async (_, weather) => {
    const { place } = await start(weather);
    const p = await place("walk");
    expect(p.owner).toBe("abc.example.test");
    expect(p.delegation.servers.length).toBe(2);
  });

  it.each<[string, Weather]>([
    ["is dead", { drop: "both" }],
    ["answers with another id", { wrong: "id" }],
    ["answers from another port", { wrong: "port" }],
    ["answers another question", { wrong: "question" }],
    ["sends what is no DNS message", { fault: () => "broken" }],
  ])("works while one of two servers %s", async (_, worse) => {
    const { place } = await start({}, worse);
    const p = await place("walk");
    expect(p.owner).toBe("abc.example.test");
    expect(p.delegation.servers.map((s) => s.address).toSorted()).toEqual([ns1, ns2]);
  });

  it("stops within a moment when told to, and leaves nothing behind", async () => {
    const { servers } = await start({ drop: "both" });
    const control = new AbortController();
    const exchange = createExchange();
    const discovery = createDiscovery({
      mode: "walk",
      exchange,
      rootHints: [servers.at(root)],
      fallback: [],
      port: servers.port,
    });
    const work = discovery.delegationOf(fqdn, control.signal);
    const rejected = expect(work).rejects.toThrow("enough");
    setTimeout(() => control.abort(new Error("enough")), 20);
    await rejected;
    const asked = servers.log.length;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(servers.log.length).toBe(asked);
  });
});
