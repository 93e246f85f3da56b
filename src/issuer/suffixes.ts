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
