/** Who can serve a zone. `mute` takes questions and never answers; at `dead` nothing listens. */
export type Role = "knot" | "nsd" | "bind" | "mute" | "dead";

/** Servers that fetch the zone from its primary and can be made to lag. */
export type Secondary = "nsd" | "bind";

export interface LabZone {
  readonly apex: string;
  /** Takes the updates; default "knot". */
  readonly primary?: "knot" | "bind";
  /** The NS set: ns1.<apex> is the first, and so on. */
  readonly servers: readonly Role[];
  /** Those of `servers` that the zone itself lists, and those its parent lists; default: all of them. */
  readonly childLists?: readonly Role[];
  readonly parentLists?: readonly Role[];
  /** Those of `servers` that never fetch the zone again after the start: they serve old data for ever. */
  readonly frozen?: readonly Secondary[];
  /** Those of `servers` that do not have the zone at all. */
  readonly lame?: readonly Secondary[];
  /** Whether the primary takes updates; default true. */
  readonly updatable?: boolean;
  /** Further lines in master-file form, relative to the apex. */
  readonly records?: readonly string[];
}

const aliases: readonly string[] = [
  "_acme-challenge.one CNAME one.delegated.test.",
  "_acme-challenge.two CNAME hop.delegated.test.",
  "_acme-challenge.loop CNAME loop2",
  "loop2 CNAME _acme-challenge.loop",
  "_acme-challenge.dangling CNAME gone.nowhere.test.",
  "*.wild CNAME lb.delegated.test.",
  "_acme-challenge.cross CNAME cross.bind.test.",
  "_acme-challenge.long CNAME long1",
  ...[1, 2, 3, 4, 5, 6].map((n) => `long${n} CNAME long${n + 1}`),
  "long7 CNAME long.delegated.test.",
  "renamed DNAME target.delegated.test.",
  'kept TXT "not ours"',
  "kept A 192.0.2.1",
];

/** What every lab serves. All of it is unsigned; "test." delegates each of them. */
export const labZones: readonly LabZone[] = [
  { apex: "example.test", servers: ["knot", "nsd", "bind"], records: aliases },
  { apex: "sub.example.test", servers: ["knot", "nsd"] },
  { apex: "_acme-challenge.cut.example.test", servers: ["knot", "nsd"] },
  { apex: "delegated.test", servers: ["knot", "nsd"], records: ["hop CNAME two", "lb A 192.0.2.80"] },
  ...Array.from({ length: 10 }, (_, i): LabZone => ({ apex: `zone${i}.test`, servers: ["knot", "nsd", "bind"] })),
  {
    apex: "mismatch.test",
    servers: ["knot", "nsd", "bind"],
    parentLists: ["knot", "nsd"],
    childLists: ["knot", "bind"],
  },
  { apex: "dead.test", servers: ["knot", "dead"] },
  { apex: "mute.test", servers: ["knot", "mute"] },
  { apex: "lame.test", servers: ["knot", "nsd", "bind"], lame: ["bind"] },
  { apex: "stale.test", servers: ["knot", "nsd"], frozen: ["nsd"] },
  { apex: "readonly.test", servers: ["knot", "nsd"], updatable: false },
  { apex: "bind.test", primary: "bind", servers: ["bind", "nsd"] },
];

/** The serial every zone starts with. */
export const firstSerial = 1;

/** Host name of a zone's server; in the zone itself, so that the delegation needs glue. */
function serverName(zone: LabZone, role: Role): string {
  return `ns${zone.servers.indexOf(role) + 1}.${zone.apex}`;
}

/** The zone in master-file form. Secondaries refresh once a day: between that, only NOTIFY moves data. */
export function zoneText(zone: LabZone, address: (role: Role) => string): string {
  const children = labZones.filter((other) => other.apex.endsWith(`.${zone.apex}`));
  return [
    `$ORIGIN ${zone.apex}.`,
    "$TTL 60",
    `@ SOA ns1 hostmaster ${firstSerial} 86400 3600 864000 60`,
    ...nsLines(zone, zone.childLists ?? zone.servers, address),
    ...children.flatMap((child) => nsLines(child, child.parentLists ?? child.servers, address)),
    ...(zone.records ?? []),
    "",
  ].join("\n");
}

/** "test." as the registry would have it: a delegation with glue for each zone directly below. */
export function tldText(zones: readonly LabZone[], server: string, address: (role: Role) => string): string {
  const direct = zones.filter((zone) => zone.apex.split(".").length === 2);
  return [
    "$ORIGIN test.",
    "$TTL 60",
    "@ SOA ns hostmaster 1 86400 3600 864000 60",
    "@ NS ns",
    `ns A ${server}`,
    ...direct.flatMap((zone) => nsLines(zone, zone.parentLists ?? zone.servers, address)),
    "",
  ].join("\n");
}

/** The root, with "test." as its only child. */
export function rootText(root: string, tld: string): string {
  return [
    "$TTL 60",
    ". SOA ns.root. hostmaster.root. 1 86400 3600 864000 60",
    ". NS ns.root.",
    `ns.root. A ${root}`,
    "test. NS ns.test.",
    `ns.test. A ${tld}`,
    "",
  ].join("\n");
}

function nsLines(zone: LabZone, listed: readonly Role[], address: (role: Role) => string): readonly string[] {
  return zone.servers.flatMap((role) => {
    const host = `${serverName(zone, role)}.`;
    return [...(listed.includes(role) ? [`${zone.apex}. NS ${host}`] : []), `${host} A ${address(role)}`];
  });
}
