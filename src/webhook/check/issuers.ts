import { pathText } from "../validate/fault.ts";
import type { Check } from "./context.ts";
import { type Finding, failed, ok, warning } from "./finding.ts";
import { type ReadIssuer, readIssuers } from "./read-issuers.ts";

const check = "issuers";

/** Group, solver name and config of every Issuer: what dns01 would say to them, without calling anything. */
export const issuers: Check = {
  id: check,
  async run(context) {
    const { findings } = await context.issuers();
    const read = await readIssuers(context);
    const groups = context.settings.groups.join(", ");
    if (read.length === 0 && findings.length === 0) {
      const next = `An Issuer leads to dns01 by groupName ${groups} and a provider's id as solverName.`;
      return [warning({ check, what: "Issuers", cause: `none leads to ${groups}`, next })];
    }
    return [...findings, ...read.flatMap(findingsOf)];
  },
};

function findingsOf({ issuer, report }: ReadIssuer): readonly Finding[] {
  const { title: what } = issuer;
  const where = issuer.namespace === undefined ? "" : ` -n ${issuer.namespace}`;
  const next = `kubectl edit ${issuer.kind.toLowerCase()}${where} ${issuer.name}; dns01 webhook validate FILE checks the manifest.`;
  const told = report.faults.map(({ path, message, level }) => {
    const facts = { check, what, cause: `${pathText(path)}: ${message}`, next };
    return level === "fault" ? failed({ ...facts, code: "CONFIG" }) : warning(facts);
  });
  if (told.some(({ state }) => state === "failed") || report.solvers.length === 0) return told;
  const names = report.solvers.map(({ groupName, solverName }) => `${solverName} of ${groupName}`);
  return [...told, ok(check, what, `leads to ${[...new Set(names)].join(", ")}; its config is sound`)];
}
