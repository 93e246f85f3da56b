import { serial } from "./dig.ts";
import type { Lab } from "./lab.ts";
import { until } from "./patience.ts";
import { secondariesOf } from "./plan.ts";
import { firstSerial } from "./zones.ts";

/**
 * A length of `lab.updates`, once it holds every UPDATE these zones have taken so far: Knot answers an UPDATE before its
 * log says so.
 */
export async function markUpdates(lab: Lab, ...zones: readonly string[]): Promise<number> {
  for (const zone of zones) {
    const logged = () => lab.updates.findLast((update) => update.zone === zone)?.serial ?? firstSerial;
    await until(async () => logged() >= ((await serial(lab.realAt("knot"), zone, 5)) ?? Number.POSITIVE_INFINITY));
  }
  return lab.updates.length;
}

/** How many UPDATE messages the zone has taken since `mark`, what markUpdates gave. */
export async function updatesSince(lab: Lab, mark: number, zone: string): Promise<number> {
  await markUpdates(lab, zone);
  const passes = lab.updates.slice(mark).filter((update) => update.zone === zone);
  return passes.reduce((sum, pass) => sum + pass.messages, 0);
}
/** What the user's resolver was asked, in small letters, from its own log, since `mark` (a length of its log). */
export function askedOfResolver(lab: Lab, mark: number): readonly string[] {
  return lab.servers.resolver.log
    .slice(mark)
    .flatMap((line) => /info: \S+ (\S+)\. (?:[A-Z0-9]+) IN/.exec(line.text)?.[1]?.toLowerCase() ?? []);
}

/**
 * When the last of the zone's secondaries had `serial` or a later one, by their own logs, which may be written a moment
 * after the server answers. Throws when they never say so.
 */
export async function lastArrival(lab: Lab, zone: string, serial: number): Promise<number> {
  const arrivals = () =>
    secondariesOf(zone).map((role) => {
      const pattern =
        role === "nsd"
          ? new RegExp(`zone ${zone}\\.? serial \\d+ is updated to (\\d+)`)
          : new RegExp(`zone ${zone}/IN: transferred serial (\\d+)`);
      return lab.servers[role].log.find((line) => Number(pattern.exec(line.text)?.[1] ?? 0) >= serial)?.at;
    });
  await until(() => !arrivals().includes(undefined));
  return Math.max(...arrivals().map((at) => at ?? 0));
}
