import type { Lab } from "./lab.ts";
import { secondariesOf } from "./plan.ts";

/** How many UPDATE messages the zone has taken since `mark` (a length of `lab.updates`). */
export function updatesSince(lab: Lab, mark: number, zone: string): number {
  const passes = lab.updates.slice(mark).filter((update) => update.zone === zone);
  return passes.reduce((sum, pass) => sum + pass.messages, 0);
}

/** What the user's resolver was asked, in small letters, from its own log, since `mark` (a length of its log). */
export function askedOfResolver(lab: Lab, mark: number): readonly string[] {
  return lab.servers.resolver.log
    .slice(mark)
    .flatMap((line) => /info: \S+ (\S+)\. (?:[A-Z0-9]+) IN/.exec(line.text)?.[1]?.toLowerCase() ?? []);
}

/** When the last of the zone's secondaries had `serial` or a later one, by their own logs; undefined while one has not. */
export function lastArrival(lab: Lab, zone: string, serial: number): number | undefined {
  const arrivals = secondariesOf(zone).map((role) => {
    const pattern =
      role === "nsd"
        ? new RegExp(`zone ${zone}\\.? serial \\d+ is updated to (\\d+)`)
        : new RegExp(`zone ${zone}/IN: transferred serial (\\d+)`);
    return lab.servers[role].log.find((line) => Number(pattern.exec(line.text)?.[1] ?? 0) >= serial)?.at;
  });
  return arrivals.includes(undefined) ? undefined : Math.max(...arrivals.map((at) => at ?? 0));
}
