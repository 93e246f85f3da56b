import { KubernetesError } from "../../kubernetes/error.ts";
import { type Account, accountText, type Check, type Context } from "./context.ts";
import { type Finding, failed, ok, warning } from "./finding.ts";
import { mayDo } from "./may.ts";

const check = "authentication";
const [namespace, name] = ["kube-system", "extension-apiserver-authentication"] as const;
const what = `ConfigMap ${namespace}/${name}`;

/** What dns01 knows the API server by: the front proxy's CA, and whether dns01 may read and watch it. */
export const authentication: Check = {
  id: check,
  async run(context) {
    const { account, flags } = await context.webhook();
    // Given by hand: then nobody reads the ConfigMap.
    if (flags?.has("requestheader-client-ca-file") === true) return [];
    return [await content(context), ...(await readable(account, context))];
  },
};

async function content({ kube, signal }: Context): Promise<Finding> {
  try {
    const { data } = await kube.readConfigMap(namespace, name, signal);
    if ((data["requestheader-client-ca-file"] ?? "").includes("BEGIN CERTIFICATE")) {
      return ok(check, what, "has the CA of the front proxy");
    }
    const cause = "it has no requestheader-client-ca-file: the aggregation layer of this cluster is off";
    const next = "Start kube-apiserver with --requestheader-client-ca-file and the --proxy-client flags.";
    return failed({ check, what, cause, next, code: "REJECTED" });
  } catch (error) {
    if (!(error instanceof KubernetesError)) throw error;
    const cause = `could not be looked at: ${error.message}`;
    return warning({ check, what, cause, next: "Run this with a user who may get it." });
  }
}

async function readable(account: Account | undefined, context: Context): Promise<readonly Finding[]> {
  if (account === undefined) {
    const next = "Give it as --service-account.";
    return [
      warning({ check, what: "dns01's ServiceAccount", cause: "is not known: its Deployment could not be seen", next }),
    ];
  }
  const resource = { group: "", version: "v1", resource: "configmaps", namespace, name };
  const denied: string[] = [];
  for (const verb of ["get", "list", "watch"]) {
    const decision = await mayDo(account, { ...resource, verb }, context);
    if (typeof decision !== "boolean") return [decision];
    if (!decision) denied.push(verb);
  }
  const who = `ServiceAccount ${accountText(account)}`;
  if (denied.length === 0) return [ok(check, who, `may read ${what}`)];
  const cause = `may not ${denied.join(", ")} ${what}: dns01 trusts no caller without it`;
  const next = `Bind Role extension-apiserver-authentication-reader in ${namespace} to it (kubectl create rolebinding dns01-auth-reader -n ${namespace} --role=extension-apiserver-authentication-reader --serviceaccount=${account.namespace}:${account.name}).`;
  return [failed({ check, what: who, cause, next, code: "REJECTED" })];
}
