import { asObject } from "../validate/fault.ts";
import type { Check, Context } from "./context.ts";
import { type Finding, failed, ok, warning } from "./finding.ts";
import { look, textOf } from "./look.ts";

const check = "answers";

/** Asks dns01 itself, the way cert-manager's calls go: through the API server. */
export const answers: Check = {
  id: check,
  async run(context) {
    const findings: Finding[] = [];
    for (const group of context.settings.groups) findings.push(...(await ask(group, context)));
    return findings;
  },
};

async function ask(group: string, context: Context): Promise<readonly Finding[]> {
  const what = `dns01 as ${group}`;
  const found = await look(context, `/apis/${group}/v1alpha1`);
  if (found.state === "found") {
    const { resources } = found.object;
    const names = (Array.isArray(resources) ? resources : []).flatMap((one) => textOf(asObject(one)["name"]) ?? []);
    if (names.length > 0)
      return [ok(check, what, `answers through the API server: serves ${names.toSorted().join(", ")}`)];
    const next = `Another server answers for ${group}: look at the Service of the APIService.`;
    return [failed({ check, what, cause: "answers without any solver", next, code: "REJECTED" })];
  }
  // Said by the finding about the APIService.
  if (found.state === "absent") return [];
  const cause = found.error.message;
  if (found.state === "hidden") {
    const next = "Run this with a user who may read discovery documents (ClusterRole system:discovery).";
    return [warning({ check, what, cause: `could not be asked: ${cause}`, next })];
  }
  const next = "See the findings about its APIService and its Service, and dns01's log.";
  return [failed({ check, what, cause, next, code: "REJECTED" })];
}
