import { type At, dig, txtValues } from "./dig.ts";
import { type LabZone, labZones, type Role } from "./zones.ts";

/** The lab's zone that holds `name`, by the longest apex. */
export function zoneHolding(name: string): LabZone {
  const holders = labZones.filter((zone) => name === zone.apex || name.endsWith(`.${zone.apex}`));
  const [longest] = holders.sort((a, b) => b.apex.length - a.apex.length);
  if (longest === undefined) throw new Error(`no zone of the lab holds ${name}`);
  return longest;
}

/** Servers of the zone that answer at all. */
export function livingServers(zone: LabZone): readonly Role[] {
  return zone.servers.filter(
    (role) => role !== "mute" && role !== "dead" && !(zone.lame ?? []).some((l) => l === role),
  );
}

/** Where the aliases that begin at `name` end, read from each zone's primary. */
async function endOfAliases(name: string, at: (role: Role) => At): Promise<string> {
  let owner = name;
  for (let hop = 0; hop <= 8; hop++) {
    const primary = at(zoneHolding(owner).primary ?? "knot");
    const answer = await dig(primary, owner, "CNAME", { tries: 3 });
    const alias = (answer?.answers ?? []).find((record) => record.type === "CNAME");
    if (alias?.type !== "CNAME") return owner;
    owner = alias.data;
  }
  throw new Error(`more than 8 aliases from ${name}`);
}

/** Servers of the owner's zone that do not serve `value` for the challenge of `identifier` at this moment. */
export async function serversMissing(
  identifier: string,
  value: string,
  at: (role: Role) => At,
): Promise<readonly string[]> {
  const owner = await endOfAliases(`_acme-challenge.${identifier}`, at);
  const roles = livingServers(zoneHolding(owner));
  const found = await Promise.all(roles.map((role) => txtValues(at(role), owner)));
  return roles.filter((_, i) => !found[i]?.includes(value));
}
