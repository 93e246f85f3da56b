import { childOf, parentOf, rootName } from "../core/name.ts";
import { classify, type Heard } from "./classify.ts";
import { ExchangeError } from "./exchange.ts";
import { question, type Run } from "./run.ts";
import type { OwnerState } from "./schedule.ts";
import type { Target } from "./target.ts";

/**
 * What an alias at the owner means while waiting. A CNAME that a wildcard makes disappears as soon as the server has the
 * record, so it is the same as no record; any other alias means that the value is where nobody looks (propagation.md §5.3).
 */
export async function aliasVerdict(
  run: Run,
  s: OwnerState,
  t: Target,
  heard: Heard,
): Promise<{ readonly heard: Heard; readonly misplaced: boolean }> {
  const { alias } = heard;
  if (alias === undefined) return { heard, misplaced: false };
  const target = alias.target.toLowerCase();
  const synthesised: Heard = {
    ...heard,
    class: "absent",
    note: `only the CNAME to ${alias.target} that a wildcard makes`,
  };
  if (alias.kind === "DNAME") return { heard, misplaced: true };
  if (s.wildcardTarget === target) return { heard: synthesised, misplaced: false };
  const zone = s.zone ?? rootName;
  const sibling = childOf(randomLabel(run.clock.random), parentOf(s.owner) ?? rootName);
  try {
    const answer = await question(run, { name: sibling, type: "TXT" }, t.server, s.owner);
    const there = classify(answer, { owner: sibling, values: [], zone });
    if (there.class === "lame" || there.class === "broken") return { heard, misplaced: false };
    if (there.alias?.kind !== "CNAME" || there.alias.target.toLowerCase() !== target) {
      // The record may have come between the two answers, and with it the wildcard ends for its siblings too (RFC 4592
      // §2.2.1): only an alias that is still there is a real one.
      const again = classify(await question(run, { name: s.owner, type: "TXT" }, t.server, s.owner), {
        owner: s.owner,
        values: s.values,
        zone,
      });
      const gone: Heard = { ...heard, class: "absent", note: `the CNAME to ${alias.target} has just gone` };
      return again.alias === undefined ? { heard: gone, misplaced: false } : { heard, misplaced: true };
    }
    s.wildcardTarget = target;
    return { heard: synthesised, misplaced: false };
  } catch (error) {
    // Undecided: the next answer of this kind asks again.
    if (error instanceof ExchangeError) return { heard, misplaced: false };
    throw error;
  }
}

/** A name that nobody has: 16 letters and digits. */
function randomLabel(random: () => number): string {
  return Array.from({ length: 16 }, () => Math.floor(random() * 36).toString(36)).join("");
}
