import { type IssuerReport, validateIssuer } from "../validate/issuer.ts";
import type { Context, IssuerFacts } from "./context.ts";

export interface ReadIssuer {
  readonly issuer: IssuerFacts;
  readonly report: IssuerReport;
}

/** The Issuers that lead to dns01 or seem to be meant to, with what is wrong with them. */
export async function readIssuers(context: Context): Promise<readonly ReadIssuer[]> {
  const rules = await context.rules();
  const { issuers } = await context.issuers();
  const all = await Promise.all(
    issuers.map(async (issuer) => ({ issuer, report: await validateIssuer(issuer.object, rules) })),
  );
  return all.filter(({ report }) => report.solvers.length > 0 || report.faults.length > 0);
}
