import type { DomainName } from "../core/name.ts";

/**
 * Whether a name is a public suffix in the ICANN section of the list. The private section holds customers' real zones,
 * so it counts for nothing here.
 */
export async function loadPublicSuffixes(): Promise<(name: DomainName) => boolean> {
  const { parse } = await import("tldts");
  return (name) => {
    const { publicSuffix, isIcann } = parse(name, { allowPrivateDomains: false });
    return isIcann === true && publicSuffix === name;
  };
}

/** "example.co.uk" of "www.example.co.uk"; a name of a suffix that is not on the list is its last two labels. */
export async function loadRegisteredDomain(): Promise<(name: string) => string> {
  const { getDomain } = await import("tldts");
  return (name) => getDomain(name, { allowPrivateDomains: false }) ?? name;
}
