import { type Account, accountText, type CertManagerFacts, type Check, type Context, userOf } from "./context.ts";
import { type Finding, failed, ok, warning } from "./finding.ts";
import { mayDo } from "./may.ts";
import { readIssuers } from "./read-issuers.ts";

const check = "cert-manager";

/** Whether cert-manager may call the solvers: asked of the API server, and by what dns01 itself was told. */
export const callers: Check = {
  id: check,
  async run(context) {
    const facts = await context.certManager();
    return [...disagreement(facts), ...(await rights(facts, context)), ...(await allowed(facts, context))];
  },
};

function disagreement({ account, running }: CertManagerFacts): readonly Finding[] {
  if (running === undefined || accountText(running) === accountText(account)) return [];
  return [
    failed({
      check,
      what: `ServiceAccount ${accountText(account)}`,
      cause: `is not cert-manager's: its Deployment runs as ${accountText(running)}, and nothing is called by any other`,
      next: `Set the chart's certManager.namespace to ${running.namespace} and certManager.serviceAccountName to ${running.name}.`,
      code: "REJECTED",
    }),
  ];
}

async function rights({ account, source }: CertManagerFacts, context: Context): Promise<readonly Finding[]> {
  const who = `ServiceAccount ${accountText(account)}`;
  const findings: Finding[] = [];
  for (const group of context.settings.groups) {
    const denied: string[] = [];
    const solvers = await solversOf(group, context);
    for (const resource of solvers) {
      const decision = await mayDo(account, { verb: "create", group, version: "v1alpha1", resource }, context);
      if (typeof decision !== "boolean") return [decision];
      if (!decision) denied.push(resource);
    }
    if (denied.length === 0) findings.push(ok(check, who, `may create ${solvers.join(", ")} in ${group}`));
    else findings.push(forbidden(account, source, group, denied));
  }
  return findings;
}

/** Those that Issuers name, else those that are served. */
async function solversOf(group: string, context: Context): Promise<readonly string[]> {
  const named = (await readIssuers(context)).flatMap(({ report }) => report.solvers);
  const rules = await context.rules();
  const used = named.filter((one) => one.groupName === group && rules.solvers.includes(one.solverName));
  const names = [...new Set(used.map(({ solverName }) => solverName))].sort();
  return names.length > 0 ? names : rules.solvers;
}

function forbidden(account: Account, source: string, group: string, denied: readonly string[]): Finding {
  return failed({
    check,
    what: `ServiceAccount ${accountText(account)}`,
    cause: `(${source}) may not create ${denied.join(", ")} in API group ${group}: its calls end with "is forbidden … cannot create resource"`,
    next: `Set the chart's certManager.namespace and certManager.serviceAccountName to cert-manager's own, or bind a ClusterRole (create on ${denied.join(", ")} in ${group}) to it.`,
    code: "REJECTED",
  });
}

/** The second lock: dns01 takes calls of those only whom it was told. */
async function allowed({ account }: CertManagerFacts, context: Context): Promise<readonly Finding[]> {
  const { flags, deployment } = await context.webhook();
  if (flags === undefined) return [];
  const usual = ["system:serviceaccount:cert-manager:cert-manager"];
  const callersAllowed = flags.get("allowed-caller") ?? usual;
  if (callersAllowed.includes(userOf(account))) return [];
  const cause = `takes calls of ${callersAllowed.join(", ")} only, and cert-manager is ${userOf(account)}`;
  const what = `Deployment ${deployment ?? ""}`;
  const next = "Set the chart's certManager.namespace and certManager.serviceAccountName (--allowed-caller).";
  if (callersAllowed.some((one) => one.startsWith("$"))) return [warning({ check, what, cause, next })];
  return [failed({ check, what, cause, next, code: "REJECTED" })];
}
