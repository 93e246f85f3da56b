import type { Addresses } from "./addresses.ts";
import type { BindZone } from "./bind.ts";
import type { At } from "./dig.ts";
import type { NsdZone } from "./nsd.ts";
import { type LabZone, labZones, type Role, type Secondary, zoneText } from "./zones.ts";

/** Who listens where. All nameservers share one port, each has its own address. */
export interface Plan {
  readonly port: number;
  publicAt(role: Role): At;
  realAt(role: Role): At;
  readonly root: At;
  readonly tld: At;
  readonly resolver: At;
  readonly caResolver: At;
}

const hosts: Readonly<Record<Role, number>> = { knot: 1, nsd: 2, bind: 3, mute: 4, dead: 5 };

/** With `relays`, the secondaries have an address for the world besides their own. */
export function plan(addresses: Addresses, relays: boolean): Plan {
  const { port } = addresses;
  const at = (n: number): At => ({ address: addresses.host(n), port });
  const bind: At = { address: "127.0.0.1", port };
  return {
    port,
    publicAt: (role) => (role === "bind" && !relays ? bind : at(hosts[role])),
    realAt: (role) => (role === "bind" ? bind : role === "nsd" && relays ? at(22) : at(hosts[role])),
    root: at(10),
    tld: at(11),
    resolver: at(53),
    caResolver: at(54),
  };
}

export function zonesOfPrimary(primary: "knot" | "bind"): readonly LabZone[] {
  return labZones.filter((zone) => (zone.primary ?? "knot") === primary);
}

/** The secondaries that fetch `apex` again when its primary, Knot, has changed it. */
export function secondariesOf(apex: string): readonly Secondary[] {
  const zone = labZones.find((candidate) => candidate.apex === apex);
  return (["nsd", "bind"] as const).filter(
    (role) => zone !== undefined && isServed(zone, role) && !isFrozen(zone, role),
  );
}

export function zonesOfNsd(map: Plan): readonly NsdZone[] {
  return labZones.flatMap((zone) => {
    if (!isServed(zone, "nsd")) return [];
    const primary = isFrozen(zone, "nsd") ? undefined : map.realAt(zone.primary ?? "knot");
    return [{ apex: zone.apex, text: textOf(zone, map), primary }];
  });
}

export function zonesOfBind(map: Plan): readonly BindZone[] {
  return labZones.flatMap((zone) => {
    if (!isServed(zone, "bind")) return [];
    const primary = zone.primary === "bind" ? undefined : map.realAt("knot");
    return [{ apex: zone.apex, text: textOf(zone, map), primary, updatable: zone.updatable ?? true }];
  });
}

/** Whom the CA asks: NSD before BIND, else the primary. Tests that make a server lag make NSD lag. */
export function slowServer(zone: LabZone): Role {
  if (zone.primary === "bind") return "nsd";
  return secondariesOf(zone.apex)[0] ?? "knot";
}

function textOf(zone: LabZone, map: Plan): string {
  return zoneText(zone, (role) => map.publicAt(role).address);
}

function isServed(zone: LabZone, role: Secondary): boolean {
  return zone.servers.includes(role) && !(zone.lame ?? []).includes(role);
}

function isFrozen(zone: LabZone, role: Secondary): boolean {
  return (zone.frozen ?? []).includes(role);
}
