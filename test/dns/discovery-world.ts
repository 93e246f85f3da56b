import type { DomainName } from "../../src/core/name.ts";
import { createDiscovery, type DiscoveryOptions } from "../../src/dns/discovery.ts";
import type { Delegation, Discovery } from "../../src/dns/types.ts";
import { createRandom } from "../../src/testing/random.ts";
import { type ScriptedZone, zone } from "../fakes/scripted-zones.ts";
import { createVirtualClock, type VirtualClock } from "../fakes/virtual-clock.ts";
import { type VirtualHost, type VirtualNetwork, virtualNetwork } from "../fakes/virtual-network.ts";

export const rootAddress = "10.0.0.1";
export const tldAddress = "10.0.1.1";

/** Root and the zone "test", with these delegations in it. */
export function upper(...delegations: readonly string[]): readonly VirtualHost[] {
  return [
    { address: rootAddress, zones: [rootZone] },
    { address: tldAddress, zones: [zone("test", "@ NS a.nic", `a.nic A ${tldAddress}`, ...delegations)] },
  ];
}

const rootZone: ScriptedZone = zone(
  ".",
  "@ NS a.root.",
  `a.root. A ${rootAddress}`,
  "test. NS a.nic.test.",
  `a.nic.test. A ${tldAddress}`,
  "org. NS a.nic.org.",
  "a.nic.org. A 10.0.1.2",
);

/** example.test on two servers with glue. */
export const exampleDelegation = [
  "example NS ns1.example",
  "example NS ns2.example",
  "ns1.example A 10.0.2.1",
  "ns2.example A 10.0.2.2",
];
export const exampleNs = ["@ NS ns1", "@ NS ns2", "ns1 A 10.0.2.1", "ns2 A 10.0.2.2"];

/** The two servers of example.test, with more lines in the zone. */
export function exampleHosts(...lines: readonly string[]): readonly VirtualHost[] {
  const zones = [zone("example.test", ...exampleNs, ...lines)];
  return [
    { address: "10.0.2.1", zones },
    { address: "10.0.2.2", zones },
  ];
}

export interface World {
  readonly clock: VirtualClock;
  readonly network: VirtualNetwork;
  readonly discovery: Discovery;
  find(name: string, signal?: AbortSignal): Promise<Delegation>;
  /** "name TYPE @address", in the order asked. */
  asked(): readonly string[];
}

/** A walk from the root of these hosts, unless options say otherwise. */
export function world(hosts: readonly VirtualHost[], options: Partial<DiscoveryOptions> = {}, seed = 1): World {
  const clock = createVirtualClock(createRandom(seed));
  const network = virtualNetwork(clock, hosts);
  const discovery = createDiscovery({
    mode: "walk",
    exchange: network.exchange,
    rootHints: [{ address: rootAddress, port: 53 }],
    fallback: [],
    clock,
    ...options,
  });
  return {
    clock,
    network,
    discovery,
    find: (name, signal = new AbortController().signal) =>
      clock.run(discovery.delegationOf(name as DomainName, signal)),
    asked: () => network.log.map((q) => `${q.name} ${q.type} @${q.to}`),
  };
}

export function addressesOf(delegation: Delegation): readonly string[] {
  return delegation.servers.map((s) => `${s.name} ${s.address}`).toSorted();
}

export function codes(delegation: Pick<Delegation, "warnings">): readonly string[] {
  return delegation.warnings.map((w) => w.code).toSorted();
}
