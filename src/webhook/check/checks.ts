import { Dns01Error } from "../../core/errors.ts";
import { KubernetesError } from "../../kubernetes/error.ts";
import { answers } from "./answers.ts";
import { apiService } from "./api-service.ts";
import { authentication } from "./authentication.ts";
import { callers } from "./callers.ts";
import type { Check, CheckDeps, Context } from "./context.ts";
import { egress } from "./egress.ts";
import { createContext, groupsOf } from "./facts.ts";
import { type Finding, failed, ok } from "./finding.ts";
import { issuers } from "./issuers.ts";
import { look, textOf } from "./look.ts";
import { secrets } from "./secrets.ts";
import { service } from "./service.ts";
import { write } from "./write.ts";

/** From what everything rests on to what rests on everything. */
const checks: readonly Check[] = [
  apiService,
  service,
  answers,
  authentication,
  callers,
  issuers,
  secrets,
  egress,
  write,
];

/** Runs every check; each says what it saw and goes on. Rejects only when the signal fires or for a defect. */
export async function runChecks(deps: CheckDeps, onFinding: (finding: Finding) => void): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const tell = (finding: Finding) => {
    findings.push(finding);
    onFinding(finding);
  };
  const first = await reach(deps);
  tell(first);
  if (first.state === "failed") return findings;
  const context = createContext({ ...deps, settings: { ...deps.settings, groups: await groupsOf(deps) } });
  const said = new Set<string>();
  for (const check of checks) {
    for (const finding of await runOne(check, context)) {
      // Several checks may find out that the same right is missing.
      const key = JSON.stringify(finding);
      if (!said.has(key)) tell(finding);
      said.add(key);
    }
  }
  return findings;
}

async function runOne({ id, run }: Check, context: Context): Promise<readonly Finding[]> {
  try {
    return await run(context);
  } catch (error) {
    context.signal.throwIfAborted();
    const next = "Try again later.";
    if (error instanceof KubernetesError) {
      return [failed({ check: id, what: "API server", cause: error.message, next, code: "TRANSIENT" })];
    }
    if (!Dns01Error.is(error)) throw error;
    return [failed({ check: id, what: id, cause: error.message, next: error.hint ?? next, code: error.code })];
  }
}

/** Without the API server there is nothing to look at. */
async function reach(deps: CheckDeps): Promise<Finding> {
  const what = `API server ${deps.kube.server}`;
  const found = await look(deps, "/version");
  if (found.state === "found")
    return ok("cluster", what, `answers: Kubernetes ${textOf(found.object["gitVersion"]) ?? ""}`.trim());
  const { error, state } = found;
  if (state === "hidden" && error.status === 403) return ok("cluster", what, "answers");
  const next =
    state === "hidden"
      ? "Log in again: the cluster does not know this user."
      : "Check --kubeconfig and --context, and that the cluster runs.";
  return failed({
    check: "cluster",
    what,
    cause: error.message,
    next,
    code: state === "hidden" ? "AUTH" : "TRANSIENT",
  });
}
