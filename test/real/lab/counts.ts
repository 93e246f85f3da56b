import type { Lab } from "./lab.ts";

/** How many UPDATE messages the zone has taken since `mark` (a length of `lab.updates`). */
export function updatesSince(lab: Lab, mark: number, zone: string): number {
  const passes = lab.updates.slice(mark).filter((update) => update.zone === zone);
  return passes.reduce((sum, pass) => sum + pass.messages, 0);
}

/** What the user's resolver was asked, from its own log, since `mark` (a length of its log). */
export function askedOfResolver(lab: Lab, mark: number): readonly string[] {
  return lab.servers.resolver.log
    .slice(mark)
    .flatMap((line) => /info: \S+ (\S+)\. (?:[A-Z0-9]+) IN/.exec(line.text)?.[1] ?? []);
}
