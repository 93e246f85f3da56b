import { ConfigError, type ConfigIssue } from "../core/errors.ts";
import { type Identifier, isWithin, parentOf, parseIdentifier } from "../core/name.ts";
import { loadPublicSuffixes } from "./suffixes.ts";

/** The names of a certificate from what the user typed; doubles fold into one (R6). */
export async function readDomains(
  given: readonly string[],
  path: string,
): Promise<{ readonly identifiers: readonly Identifier[]; readonly issues: readonly ConfigIssue[] }> {
  const issues: ConfigIssue[] = [];
  const byText = new Map<string, Identifier>();
  for (const text of given) {
    try {
      const identifier = parseIdentifier(text, path);
      byText.set(identifier.text, identifier);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      issues.push(...error.issues);
    }
  }
  const identifiers = [...byText.values()];
  issues.push(
    ...reserved(identifiers, path),
    ...redundant(identifiers, path),
    ...(await wildcardsOfSuffixes(identifiers, path)),
  );
  if (identifiers.length > 100) {
    issues.push({ path, message: `${identifiers.length} names; CAs take at most 100 in one certificate` });
  }
  return { identifiers, issues };
}

/** RFC 5890 §2.3.1: "--" in the third and fourth place is reserved; CAs take "xn--" only. */
function reserved(identifiers: readonly Identifier[], path: string): readonly ConfigIssue[] {
  return identifiers.flatMap(({ text, base }) => {
    const label = base.split(".").find((l) => l.slice(2, 4) === "--" && !l.startsWith("xn--"));
    return label === undefined
      ? []
      : [
          {
            path,
            message: `"${text}": the label "${label}" has "--" in third place, which is reserved; CAs refuse it`,
          },
        ];
  });
}

/** Names a wildcard of the same order covers already: CAs refuse such orders. */
function redundant(identifiers: readonly Identifier[], path: string): readonly ConfigIssue[] {
  const wildcards = identifiers.filter((i) => i.wildcard);
  return identifiers
    .filter((i) => !i.wildcard)
    .flatMap((i) => {
      const cover = wildcards.find((w) => parentOf(i.base) === w.base && isWithin(i.base, w.base));
      return cover === undefined
        ? []
        : [
            {
              path,
              message: `"${i.text}" is redundant: "${cover.text}" covers it, and CAs refuse both in one order; leave it out`,
            },
          ];
    });
}

/** The private section of the list holds customers' real zones; only ICANN suffixes are refused. */
async function wildcardsOfSuffixes(identifiers: readonly Identifier[], path: string): Promise<readonly ConfigIssue[]> {
  const wildcards = identifiers.filter((i) => i.wildcard);
  if (wildcards.length === 0) return [];
  const isPublicSuffix = await loadPublicSuffixes();
  return wildcards
    .filter((w) => isPublicSuffix(w.base))
    .map((w) => ({ path, message: `"${w.text}" is a wildcard of the public suffix "${w.base}"; no CA issues that` }));
}
