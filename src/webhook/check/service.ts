import { counted } from "../../core/counted.ts";
import { asObject, type Json } from "../validate/fault.ts";
import type { Check, Context, ServiceRef } from "./context.ts";
import { type Finding, failed, ok, warning } from "./finding.ts";
import { itemsOf, look, matches, nameOf, textOf } from "./look.ts";

const check = "service";

/** Whether pods stand behind the Service that the APIServices name. */
export const service: Check = {
  id: check,
  async run(context) {
    const findings: Finding[] = [];
    for (const ref of await context.services()) findings.push(await checkService(ref, context));
    return findings;
  },
};

async function checkService(ref: ServiceRef, context: Context): Promise<Finding> {
  const { namespace, name, port } = ref;
  const what = `Service ${namespace}/${name}`;
  const found = await look(context, `/api/v1/namespaces/${namespace}/services/${name}`);
  if (found.state === "absent") {
    const next = `Install the chart in ${namespace}, or remove the APIService: it stops the deletion of namespaces.`;
    return failed({ check, what, cause: "the APIService names it, and there is none", next, code: "REJECTED" });
  }
  if (found.state !== "found") return unseen(what, found.error.message);
  const spec = asObject(found.object["spec"]);
  const ports = Array.isArray(spec["ports"]) ? spec["ports"].map(asObject) : [];
  if (!ports.some((one) => one["port"] === port)) {
    const cause = `it has no port ${port}, which the APIService names`;
    return failed({ check, what, cause, next: "Install the chart again.", code: "REJECTED" });
  }
  const label = encodeURIComponent(`kubernetes.io/service-name=${name}`);
  const slices = await look(
    context,
    `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?labelSelector=${label}`,
  );
  if (slices.state !== "found") return unseen(what, slices.error.message);
  const ready = itemsOf(slices)
    .filter((slice) => asObject(asObject(slice["metadata"])["labels"])["kubernetes.io/service-name"] === name)
    .flatMap((slice) => (Array.isArray(slice["endpoints"]) ? slice["endpoints"].map(asObject) : []))
    .filter((endpoint) => asObject(endpoint["conditions"])["ready"] !== false).length;
  if (ready > 0) return ok(check, what, `leads to ${counted(ready, "ready pod")}`);
  const cause = `no pod behind it is ready: ${await whyNot(namespace, asObject(spec["selector"]), context)}`;
  const next = `kubectl describe pod -n ${namespace} shows the events of its pods, kubectl logs -n ${namespace} their log.`;
  return failed({ check, what, cause, next, code: "REJECTED" });
}

/** What its pods say of themselves. */
async function whyNot(namespace: string, selector: Json, context: Context): Promise<string> {
  const found = await look(context, `/api/v1/namespaces/${namespace}/pods`);
  if (found.state !== "found") return "its pods could not be looked at";
  const pods = itemsOf(found).filter((pod) => matches(selector, asObject(asObject(pod["metadata"])["labels"])));
  if (pods.length === 0) return "there are no pods with its labels";
  return pods.map((pod) => `${nameOf(pod)} is ${stateOf(asObject(pod["status"]))}`).join(", ");
}

function stateOf(status: Json): string {
  const phase = textOf(status["phase"]) ?? "Unknown";
  const containers = Array.isArray(status["containerStatuses"]) ? status["containerStatuses"].map(asObject) : [];
  const reasons = containers.flatMap((one) => {
    const state = asObject(one["state"]);
    const held = asObject(state["waiting"] ?? state["terminated"]);
    const reason = textOf(held["reason"]);
    const said = textOf(held["message"]);
    return reason === undefined ? [] : [said === undefined ? reason : `${reason}: ${said}`];
  });
  const conditions = Array.isArray(status["conditions"]) ? status["conditions"].map(asObject) : [];
  const unscheduled = conditions.find((one) => one["type"] === "PodScheduled" && one["status"] === "False");
  const why = reasons.length > 0 ? reasons : [textOf(unscheduled?.["message"]) ?? "not ready"];
  return `${phase} (${why.join("; ")})`;
}

function unseen(what: string, message: string): Finding {
  const next = "Run this with a user who may get Services, EndpointSlices and Pods there.";
  return warning({ check, what, cause: `could not be looked at: ${message}`, next });
}
