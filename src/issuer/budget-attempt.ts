/** One certificate about to be ordered at one CA. */
export interface Attempt {
  /** The certificate's name in the state directory. */
  readonly certificate: string;
  readonly directoryUrl: string;
  /** As ordered: A-labels, wildcards with their star. */
  readonly names: readonly string[];
  /** "same-set": the CA has issued for exactly these names before. "ari": `replaces` is sent, inside the window. */
  readonly kind: "new" | "same-set" | "ari";
  /** Ends before the certificate is asked for: it proves the names and nothing more. */
  readonly isTrial?: boolean;
  /** Somebody has just asked for it, and may have mended what failed: only what the CA itself counts or said holds. */
  readonly isByHand?: boolean;
}

/** What CAs count an attempt by. */
export interface Counted {
  /** Its names by registered domain, without stars. */
  readonly domains: ReadonlyMap<string, readonly string[]>;
  /** Its set of names as one text; sorted, since the CA does not look at the order. */
  readonly set: string;
}

/** The name that is validated. */
export function baseOf(name: string): string {
  return name.startsWith("*.") ? name.slice(2) : name;
}

export function countOf({ names }: Attempt, registeredDomain: (name: string) => string): Counted {
  const domains = new Map<string, string[]>();
  for (const name of new Set(names.map(baseOf))) {
    const domain = registeredDomain(name);
    const others = domains.get(domain);
    if (others === undefined) domains.set(domain, [name]);
    else others.push(name);
  }
  return { domains, set: names.length === 1 ? (names[0] ?? "") : names.toSorted().join(",") };
}
