import { isIPv6 } from "node:net";
import { childOf, type DomainName, isWithin, parseName, rootName } from "../core/name.ts";
import type { ResourceRecord } from "../dns/message.ts";
import { makeZone, type Zone } from "./zone.ts";

/** A nameserver host and where it listens. */
export interface Host {
  readonly name: DomainName;
  readonly address: string;
}

const builtInZones = ["example.test", "child.example.test", "delegated.test"] as const;

export const primaryName = parseName("ns1.example.test");
export const secondaryName = parseName("ns2.example.test");
export const parentName = parseName("ns.sandbox-root.test");

const hostTtl = 300;
/** Also how long "no such name" may be cached. */
const soaMinimum = 60;

/** The zones that both nameservers hold: the built-in ones and those given besides. */
export function hostedZones(extra: readonly string[], primary: Host, secondary: Host): readonly Zone[] {
  const apexes = [...new Set([...builtInZones, ...extra].map((z) => parseName(z)))];
  return apexes.map((apex) => {
    const hosts = hostsOf(apex, primary, secondary);
    const children = apexes.filter((a) => a !== apex && closest(a, apexes) === apex);
    return makeZone(apex, [
      soa(apex, hosts[0]?.name ?? primary.name),
      ...hosts.map((h) => ns(apex, h.name)),
      ...hosts.filter((h) => isWithin(h.name, apex)).map(hostAddress),
      ...children.flatMap((child) => hostsOf(child, primary, secondary).map((h) => ns(child, h.name))),
      ...(apex === parseName("example.test") ? samples(apex) : []),
    ]);
  });
}

/** Root and "test": held by the parent server, which delegates to the two nameservers. */
export function parentZones(hosted: readonly Zone[], primary: Host, secondary: Host, parent: Host): readonly Zone[] {
  const test = parseName("test");
  const apexes = hosted.map((z) => z.apex);
  const tops = apexes.filter((a) => closest(a, apexes) === undefined);
  const delegate = (apex: DomainName): readonly ResourceRecord[] => {
    const hosts = hostsOf(apex, primary, secondary);
    return [...hosts.map((h) => ns(apex, h.name)), ...hosts.filter((h) => isWithin(h.name, apex)).map(hostAddress)];
  };
  return [
    makeZone(rootName, [
      soa(rootName, parent.name),
      ns(rootName, parent.name),
      ns(test, parent.name),
      hostAddress(parent),
      ...tops.filter((a) => !isWithin(a, test)).flatMap(delegate),
    ]),
    makeZone(test, [
      soa(test, parent.name),
      ns(test, parent.name),
      hostAddress(parent),
      ...tops.filter((a) => isWithin(a, test)).flatMap(delegate),
    ]),
  ];
}

/** delegated.test has nameserver names of its own; the other zones are served under names in example.test. */
function hostsOf(apex: DomainName, primary: Host, secondary: Host): readonly Host[] {
  if (apex !== "delegated.test") return [primary, secondary];
  return [
    { ...primary, name: childOf("ns1", apex) },
    { ...secondary, name: childOf("ns2", apex) },
  ];
}

/** Something to try things on: an address, mail, and a challenge name that is delegated by CNAME. */
function samples(apex: DomainName): readonly ResourceRecord[] {
  const at = (label: string) => ({ name: childOf(label, apex), class: "IN", ttl: hostTtl }) as const;
  return [
    { name: apex, class: "IN", ttl: hostTtl, type: "A", address: "127.0.0.1" },
    { ...at("www"), type: "A", address: "127.0.0.1" },
    { ...at("alias"), type: "A", address: "127.0.0.1" },
    { ...at("_acme-challenge.alias"), type: "CNAME", target: parseName("alias.delegated.test") },
  ];
}

function closest(apex: DomainName, apexes: readonly DomainName[]): DomainName | undefined {
  return apexes.filter((a) => a !== apex && isWithin(apex, a)).sort((a, b) => b.length - a.length)[0];
}

function soa(apex: DomainName, mname: DomainName): ResourceRecord {
  const rname = parseName(apex === rootName ? "hostmaster.test" : `hostmaster.${apex}`);
  const times = { refresh: 3600, retry: 600, expire: 604_800, minimum: soaMinimum };
  return { name: apex, class: "IN", ttl: hostTtl, type: "SOA", mname, rname, serial: 1, ...times };
}

function ns(apex: DomainName, target: DomainName): ResourceRecord {
  return { name: apex, class: "IN", ttl: hostTtl, type: "NS", target };
}

function hostAddress({ name, address }: Host): ResourceRecord {
  return { name, class: "IN", ttl: hostTtl, type: isIPv6(address) ? "AAAA" : "A", address };
}
