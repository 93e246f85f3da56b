import type { DomainName } from "../core/name.ts";

const mostKnown = 1_000;

/**
 * Whether a name is a public suffix in the ICANN section of the list. The private section holds customers' real zones,
 * so it counts for nothing here.
 */
export async function loadPublicSuffixes(): Promise<(name: DomainName) => boolean> {
  const { parse } = await import("tldts");
  // A server is asked about the same few zones all the time.
  const known = new Map<DomainName, boolean>();
  return (name) => {
    const before = known.get(name);
    if (before !== undefined) return before;
    const { publicSuffix, isIcann } = parse(name, { allowPrivateDomains: false });
    const isSuffix = isIcann === true && publicSuffix === name;
    if (known.size >= mostKnown) known.clear();
    known.set(name, isSuffix);
    return isSuffix;
  };
}

/** "example.co.uk" of "www.example.co.uk"; a name of a suffix that is not on the list is its last two labels. */
export async function loadRegisteredDomain(): Promise<(name: string) => string> {
  const { getDomain } = await import("tldts");
  return (name) => getDomain(name, { allowPrivateDomains: false }) ?? name;
}
