import type { ConfigIssue } from "../../core/errors.ts";

/** What is said of a key that no field has; whoever wrote it has to see it before all that follows from it. */
export const notAField = "is not a field of this provider";

/** A longer path is no field's. */
const longestPath = 60;

/** One fault from its whole text down to where it is. */
interface Fault {
  readonly unknown: boolean;
  readonly forms: readonly [whole: string, brief: string, path: string];
}

/**
 * All faults in at most `room` characters. Where they do not fit as they are, every place is named first, then keys that
 * no field has with the name that was meant, then the others' causes, then what explains them.
 */
export function listFaults(issues: readonly ConfigIssue[], room: number): string {
  const faults = issues.map(formsOf);
  const whole = faults.map(({ forms }) => forms[0]).join(separator);
  if (whole.length <= room) return whole;
  const sorted = [...faults.filter(({ unknown }) => unknown), ...faults.filter(({ unknown }) => !unknown)];
  const lines = sorted.map(({ forms }) => forms[2]);
  const kept = fitting(lines, room);
  if (kept < lines.length) return [...lines.slice(0, kept), `and ${lines.length - kept} more`].join(separator);
  let left = room - lines.join(separator).length;
  for (const form of [1, 0] as const) {
    for (const [i, { unknown, forms }] of sorted.entries()) {
      // In brief it says all.
      if (unknown && form === 0) continue;
      const longer = forms[form].length - (lines[i]?.length ?? 0);
      if (longer > left) continue;
      lines[i] = forms[form];
      left -= longer;
    }
  }
  // The room that is left is worth a few words of the next, unless they hide the name that was meant.
  const next = sorted.findIndex(({ unknown, forms }, i) => !unknown && forms[0] !== lines[i]);
  const told = lines[next];
  if (told !== undefined && left > 12) {
    lines[next] = `${sorted[next]?.forms[0].slice(0, told.length + left - 1).trimEnd()}…`;
  }
  return [...new Set(lines)].join(separator);
}

const separator = "; ";

/** How many of the lines fit, with what says how many do not. */
function fitting(lines: readonly string[], room: number): number {
  if (lines.join(separator).length <= room) return lines.length;
  const forRest = `${separator}and ${lines.length} more`.length;
  let length = -separator.length;
  const over = lines.findIndex((line) => {
    length += separator.length + line.length;
    return length + forRest > room;
  });
  return Math.max(over, 0);
}

function formsOf({ path, message }: ConfigIssue): Fault {
  const place = path.length > longestPath ? `${path.slice(0, longestPath)}…` : path;
  const told = (text: string) => (place === "" ? text : `${place} ${text}`);
  const unknown = message.startsWith(notAField);
  return { unknown, forms: [told(message), told(unknown ? meantBy(message) : causeOf(message)), told("").trim()] };
}

function meantBy(message: string): string {
  const [meant] = /did you mean .*$/.exec(message) ?? [];
  return meant === undefined ? "is unknown" : `is unknown: ${meant}`;
}

/** Without the field's description, and without what follows the cause. */
function causeOf(message: string): string {
  if (/^is missing\b/.test(message)) return "is missing";
  return /^.*?(?=[:;] )/.exec(message)?.[0] ?? message;
}
