import { type DomainName, isWithin, labelsOf, parseName } from "../../core/name.ts";
import { asObject } from "../validate/fault.ts";
import type { FoundSolver } from "../validate/issuer.ts";

/** The solver of an Issuer that cert-manager takes for a domain: an exact name before the longest zone before none. */
export function pickSolver(
  solvers: readonly FoundSolver[],
  issuer: Readonly<Record<string, unknown>>,
  domain: DomainName,
): FoundSolver | undefined {
  const all = asObject(asObject(issuer["spec"])["acme"])["solvers"];
  const ranked = solvers.map((solver) => {
    const listed = Array.isArray(all) ? asObject(all[Number(solver.path.at(-1))]) : {};
    const { dnsNames, dnsZones } = asObject(listed["selector"]);
    return { solver, rank: rankOf(names(dnsNames), names(dnsZones), domain) };
  });
  return ranked.filter(({ rank }) => rank >= 0).toSorted((a, b) => b.rank - a.rank)[0]?.solver;
}

function rankOf(dnsNames: readonly string[], dnsZones: readonly string[], domain: DomainName): number {
  if (dnsNames.length + dnsZones.length === 0) return 0;
  if (dnsNames.some((name) => name === domain || name === `*.${domain}`)) return 1000;
  const zones = dnsZones.map((zone) => parseName(zone)).filter((zone) => isWithin(domain, zone));
  return Math.max(-1, ...zones.map((zone) => labelsOf(zone).length));
}

function names(list: unknown): readonly string[] {
  return Array.isArray(list) ? list.filter((name) => typeof name === "string") : [];
}

/** A name that the solver is for, where its selector says one. */
export function domainOf({ names: selected }: FoundSolver): DomainName | undefined {
  const [first] = selected;
  return first === undefined ? undefined : parseName(first.replace(/^\*\./, ""));
}
