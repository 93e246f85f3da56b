import type { ConfigIssue } from "../core/errors.ts";
import type { PlannedCertificate } from "./certificates.ts";

/**
 * Two entries of one name would overwrite each other; two of the same names, key type and CA are one too many. Entries with
 * faults are compared too, as far as what counts here is sound: whoever mends the others is not to learn of it only then.
 */
export function createClashes(ofFile: readonly ConfigIssue[]) {
  const byName = new Map<string, string>();
  const bySet = new Map<string, string>();
  const faultyInFile = faultyKeys(ofFile);
  return (
    { name, place, identifiers, keyType, csr, cas: [first] }: PlannedCertificate,
    index: number,
    hasOwnName: boolean,
    own: readonly ConfigIssue[],
  ): string | undefined => {
    const faulty = own.length === 0 ? undefined : faultyKeys(own);
    const isSound = (key: string) => !faultyInFile.has(`${index}.${key}`) && faulty?.has(`${index}.${key}`) !== true;
    const set = [...identifiers.map((i) => i.text).sort(), keyType, first?.ca.directoryUrl].join(" ");
    const isNameKnown = isSound("name") && (hasOwnName || isSound("domains"));
    const isSetKnown = csr === undefined && first !== undefined && ["domains", "csr", "keyType", "ca"].every(isSound);
    const namesake = isNameKnown ? byName.get(name) : undefined;
    const twin = isSetKnown ? bySet.get(set) : undefined;
    if (isNameKnown) byName.set(name, namesake ?? place);
    if (isSetKnown) bySet.set(set, twin ?? place);
    if (namesake !== undefined) return `the name "${name}" is taken by ${namesake}; give one of them another name`;
    if (twin === undefined) return undefined;
    return `is for the same names as ${twin}, with the same key type from the same CA; keep one`;
  };
}

/** "3.keyType": what is wrong with certificates[3].keyType, or with something below it. */
function faultyKeys(issues: readonly ConfigIssue[]): ReadonlySet<string> {
  return new Set(
    issues.flatMap(({ path }) => {
      const at = /(?:^| )certificates\[(\d+)\]\.(\w+)/.exec(path);
      return at === null ? [] : [`${at[1]}.${at[2]}`];
    }),
  );
}
