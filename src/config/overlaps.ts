import type { PlannedCertificate } from "./certificates.ts";

/** More of them in one line would not be read. */
const namesShown = 3;

/**
 * Certificates that share some of their names: allowed, since a set may be in the middle of a change, but usually a slip,
 * and each costs orders of its own. One line for each, at the later one. Those for the very same names, with another
 * key type or from another CA, are meant to be beside each other.
 */
export function overlapsOf(certificates: readonly PlannedCertificate[]): readonly string[] {
  /** The first certificate that has the name: whoever has it in a hundred knows it after one. */
  const holders = new Map<string, number>();
  const lines: string[] = [];
  for (const [index, { place, identifiers }] of certificates.entries()) {
    const shared = new Map<number, string[]>();
    for (const { text } of identifiers) {
      const first = holders.get(text);
      if (first === undefined) holders.set(text, index);
      else shared.set(first, [...(shared.get(first) ?? []), text]);
    }
    for (const [other, names] of shared) {
      const before = certificates[other];
      if (before !== undefined) lines.push(...lineOf(place, identifiers.length, before, names));
    }
  }
  return lines;
}

function lineOf(place: string, size: number, before: PlannedCertificate, names: readonly string[]): readonly string[] {
  const isWhole = names.length === size;
  const isAll = names.length === before.identifiers.length;
  if (isWhole && isAll) return [];
  if (isWhole) return [`${place}: all of its names are in ${before.place}, too; is it needed?`];
  if (isAll) return [`${place}: has all the names of ${before.place}, and more; is that one still needed?`];
  const more = names.length > namesShown ? ` and ${names.length - namesShown} more` : "";
  const verb = names.length === 1 ? "is" : "are";
  return [`${place}: ${names.slice(0, namesShown).join(", ")}${more} ${verb} in ${before.place}, too`];
}
