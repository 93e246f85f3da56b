import { changing, ids, lasting } from "./changing.ts";

/** What a message may take: a line of a terminal or two. */
const most = 200;

/**
 * A service's own words without what differs from one answer to the next (times, ids of requests), in one line. Cut
 * between words: half a secret would not be recognised and masked.
 */
export function steady(message: string): string {
  const text = withoutChanging(message).replace(/\s+/g, " ").trim();
  return text.length <= most ? text : `${text.slice(0, text.lastIndexOf(" ", most) + 1).trimEnd()}…`;
}

/** More than any message has room for. */
const longest = 4_000;

/**
 * A text without what differs from one answer to the next although the cause is the same: ids of requests and traces,
 * times and durations, counters of tries, ports and addresses of the moment. What means something stays: names, codes,
 * TTLs, ports of endpoints, ids of accounts, zones and records, and every word of `keep`.
 */
export function withoutChanging(text: string, keep: readonly string[] = []): string {
  // An id that is announced goes first: it may look like a name.
  const announced = ids.reduce((kept, [pattern, by]) => kept.replace(pattern, by), text.slice(0, longest));
  return changing.reduce((kept, [pattern, by]) => replaceAround(kept, pattern, by, keep), announced);
}

/** Domain names, whose labels may look like anything. */
const names = /(?<![\w.-])(?:[\w*-]+\.)+[a-z][\w-]*\.?(?![\w-])/gi;

function replaceAround(text: string, pattern: RegExp, by: string, keep: readonly string[]): string {
  let kept: readonly Span[] | undefined;
  return text.replace(pattern, (match: string, ...rest: readonly unknown[]) => {
    const groups = rest.slice(
      0,
      rest.findIndex((part) => typeof part === "number"),
    );
    const from = Number(rest[groups.length]);
    kept ??= spansOf(text, keep);
    const to = from + match.length;
    if (kept.some((span) => span.from < to && from < span.to)) return match;
    return by.replace(/\$(\d)/g, (_all, n: string) => String(groups[Number(n) - 1] ?? ""));
  });
}

interface Span {
  readonly from: number;
  readonly to: number;
}

function spansOf(text: string, keep: readonly string[]): readonly Span[] {
  const spans: Span[] = [names, lasting].flatMap((pattern) =>
    [...text.matchAll(pattern)].map(({ index, 0: { length } }) => ({ from: index, to: index + length })),
  );
  for (const word of keep) {
    if (word === "") continue;
    for (let from = text.indexOf(word); from >= 0; from = text.indexOf(word, from + 1)) {
      spans.push({ from, to: from + word.length });
    }
  }
  return spans;
}
