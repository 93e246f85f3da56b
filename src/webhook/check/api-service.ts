import { asObject, type Json } from "../validate/fault.ts";
import { meantGroup } from "../validate/issuer.ts";
import type { Check, Context } from "./context.ts";
import { apiServicePath, serviceOf } from "./facts.ts";
import { type Finding, failed, ok, warning } from "./finding.ts";
import { itemsOf, look, textOf, type Unseen } from "./look.ts";

const check = "apiservice";

/** The object that routes a group's requests to dns01: is it there, does it lead somewhere, does the API server trust it? */
export const apiService: Check = {
  id: check,
  async run(context) {
    const findings: Finding[] = [];
    for (const group of context.settings.groups) findings.push(...(await checkGroup(group, context)));
    return findings;
  },
};

async function checkGroup(group: string, context: Context): Promise<readonly Finding[]> {
  const what = `APIService v1alpha1.${group}`;
  const found = await look(context, apiServicePath(group));
  if (found.state === "absent") return [await absent(group, what, context)];
  if (found.state !== "found") return [unseen(what, found)];
  const { object } = found;
  const elsewhere = wrongNamespace(object, what, context);
  if (elsewhere !== undefined) return [elsewhere];
  const available = conditionOf(object, "Available");
  if (available["status"] === "True") return [...trustFindings(object, what, false), ok(check, what, "is available")];
  const trust = trustFindings(object, what, true);
  if (trust.some(({ state }) => state === "failed")) return trust;
  return [...trust, unavailable(object, what, available)];
}

function wrongNamespace(object: Json, what: string, { settings }: Context): Finding | undefined {
  const ref = serviceOf(object);
  if (ref === undefined || settings.namespace === undefined || ref.namespace === settings.namespace) return undefined;
  const cause = `it leads to Service ${ref.namespace}/${ref.name}, and dns01 runs in ${settings.namespace}`;
  const next = "Remove the older installation, or give its namespace as --namespace.";
  return failed({ check, what, cause, next, code: "REJECTED" });
}

function unseen(what: string, { state, error }: Unseen): Finding {
  if (state === "unreachable") {
    return failed({
      check,
      what,
      cause: error.message,
      next: "Try again when the API server answers.",
      code: "TRANSIENT",
    });
  }
  const next = "Run this with a user who may get APIServices.";
  return warning({ check, what, cause: `could not be looked at: ${error.message}`, next });
}

async function absent(group: string, what: string, context: Context): Promise<Finding> {
  const others = itemsOf(await look(context, "/apis/apiregistration.k8s.io/v1/apiservices"))
    .map((item) => asObject(item["spec"]))
    .filter(({ version, service }) => version === "v1alpha1" && service != null)
    .flatMap((spec) => textOf(spec["group"]) ?? []);
  const near = others.find((other) => meantGroup(other, [group]) !== undefined);
  const cause = `there is none: every call of a solver of ${group} ends with "the server could not find the requested resource"`;
  const next =
    near === undefined
      ? `Install the chart with groupName ${group}, or give the group it was installed with as --group-name.`
      : `This cluster has ${near}: give --group-name ${near}, or set the chart's groupName to ${group}.`;
  return failed({ check, what, cause, next, code: "REJECTED" });
}

/** A missing CA is the cause where the condition only speaks of certificates. */
function trustFindings(object: Json, what: string, unavailable: boolean): readonly Finding[] {
  const spec = asObject(object["spec"]);
  if (serviceOf(object) === undefined) {
    const cause = "it names no Service: the API server looks for the group in itself";
    return [
      failed({ check, what, cause, next: "Install the chart again: spec.service is missing.", code: "REJECTED" }),
    ];
  }
  if (spec["insecureSkipTLSVerify"] === true) {
    const next = "Remove insecureSkipTLSVerify and give a caBundle.";
    return [warning({ check, what, cause: "the API server does not check dns01's certificate", next })];
  }
  if (textOf(spec["caBundle"]) !== undefined) return [];
  const annotations = asObject(asObject(object["metadata"])["annotations"]);
  const from = textOf(annotations["cert-manager.io/inject-ca-from"]);
  const next =
    from === undefined
      ? "Set the annotation cert-manager.io/inject-ca-from, or the chart's tls.caBundle."
      : `Look at Certificate ${from} (kubectl describe certificate -n ${from.split("/")[0]} ${from.split("/")[1]}) and at the log of cert-manager's cainjector, which has to fill it in.`;
  const cause = "it has no caBundle: the API server cannot check dns01's certificate, and does not call it";
  const facts = { check, what, cause, next, code: "REJECTED" } as const;
  return [unavailable ? failed(facts) : warning({ ...facts, code: undefined })];
}

function unavailable(object: Json, what: string, condition: Json): Finding {
  const reason = textOf(condition["reason"]) ?? "Unknown";
  const message = textOf(condition["message"]) ?? "the API server has not said anything about it yet";
  const service = serviceOf(object);
  const at = service === undefined ? "" : `${service.namespace}/${service.name}`;
  const next = adviceFor(reason, message, at);
  return failed({ check, what, cause: `is not available (${reason}): ${message}`, next, code: "REJECTED" });
}

function adviceFor(reason: string, message: string, service: string): string {
  const [namespace = "", name = ""] = service.split("/");
  if (reason === "ServiceNotFound")
    return `There is no Service ${service}: install the chart, or remove the APIService.`;
  if (reason === "ServicePortError")
    return `Service ${service} lacks the port that the APIService names: install the chart again.`;
  if (reason === "MissingEndpoints") return `No pod of Service ${service} is ready: see the findings about it.`;
  if (/x509|certificate|tls:/i.test(message)) {
    return `The caBundle does not fit dns01's certificate: look at the Certificate behind Service ${service} (it needs the name ${name}.${namespace}.svc) and at cert-manager's cainjector.`;
  }
  if (/\b40[13]\b|unauthori[sz]ed|forbidden/i.test(message)) {
    return "dns01 refuses the API server: see the findings about extension-apiserver-authentication, and dns01's log.";
  }
  if (/timeout|deadline|refused|no route|unreachable|reset|EOF|dial/i.test(message)) {
    return `The API server does not reach the pods of Service ${service}: look at NetworkPolicies, at the node's firewall (port 8443 from the control plane), and at the pods.`;
  }
  return `Look at the pods of Service ${service} and their log.`;
}

function conditionOf(object: Json, type: string): Json {
  const { conditions } = asObject(object["status"]);
  const found = Array.isArray(conditions) ? conditions.map(asObject).find((one) => one["type"] === type) : undefined;
  return found ?? {};
}
