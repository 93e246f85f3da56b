import { nearest } from "../../core/nearest.ts";
import { asObject, type Json } from "../validate/fault.ts";
import type { CheckDeps, IssuerFacts, IssuersFacts } from "./context.ts";
import { type Finding, failed, warning } from "./finding.ts";
import { itemsOf, look, nameOf, textOf, type Unseen } from "./look.ts";

const check = "issuers";

/** All Issuers and ClusterIssuers, or the one that was asked for. */
export async function listIssuers(deps: CheckDeps, clusterResourceNamespace: string): Promise<IssuersFacts> {
  const findings: Finding[] = [];
  const issuers: IssuerFacts[] = [];
  for (const kind of ["ClusterIssuer", "Issuer"] as const) {
    const found = await look(deps, `/apis/cert-manager.io/v1/${kind.toLowerCase()}s`);
    if (found.state !== "found") findings.push(unseen(kind, found));
    issuers.push(...itemsOf(found).map((object) => factsOf(kind, object, clusterResourceNamespace)));
  }
  const { issuer } = deps.settings;
  if (issuer === undefined) return { issuers, findings };
  const keyOf = ({ kind, namespace, name }: IssuerFacts) => (kind === "Issuer" ? `${namespace}/${name}` : name);
  const chosen = issuers.filter((one) => keyOf(one) === issuer);
  if (chosen.length === 0) {
    const keys = issuers.map(keyOf);
    const near = nearest(issuer, keys);
    const meant =
      near === undefined
        ? keys.length === 0
          ? "there is none"
          : `there are ${keys.join(", ")}`
        : `did you mean ${near}?`;
    findings.push(
      failed({
        check,
        what: `--issuer ${issuer}`,
        cause: `there is no such Issuer; ${meant}`,
        next: "Give NAME for a ClusterIssuer, NAMESPACE/NAME for an Issuer.",
        code: "CONFIG",
      }),
    );
  }
  return { issuers: chosen, findings };
}

function factsOf(kind: IssuerFacts["kind"], item: Json, clusterResourceNamespace: string): IssuerFacts {
  const name = nameOf(item);
  const namespace = kind === "Issuer" ? (textOf(asObject(item["metadata"])["namespace"]) ?? "") : undefined;
  return {
    kind,
    namespace,
    name,
    title: namespace === undefined ? `${kind} ${name}` : `${kind} ${namespace}/${name}`,
    // Items of a list may leave these two to it.
    object: { apiVersion: "cert-manager.io/v1", kind, ...item },
    secretNamespace: namespace ?? clusterResourceNamespace,
  };
}

function unseen(kind: string, found: Unseen): Finding {
  const { message } = found.error;
  if (found.state === "absent") {
    const cause = "this cluster does not know cert-manager's Issuers";
    return failed({ check, what: `${kind}s`, cause, next: "Install cert-manager 1.x.", code: "REJECTED" });
  }
  if (found.state === "unreachable") {
    return failed({
      check,
      what: `${kind}s`,
      cause: message,
      next: "Try again when the API server answers.",
      code: "TRANSIENT",
    });
  }
  const next = "Run this with a user who may list Issuers of the whole cluster.";
  return warning({ check, what: `${kind}s`, cause: `could not be looked at: ${message}`, next });
}
