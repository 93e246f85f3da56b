import { expect, test } from "vitest";
import { z } from "zod";
import type { KubernetesObject } from "../charts/objects.ts";
import { render } from "../charts/rendering.ts";
import { cases, describeWithHelm, renderings } from "../charts/suite.ts";

const rule = z.looseObject({
  apiGroups: z.array(z.string()),
  resources: z.array(z.string()),
  verbs: z.array(z.string()),
  resourceNames: z.array(z.string()).optional(),
});
const rulesOf = (object: KubernetesObject) => z.array(rule).parse(object["rules"]);

await describeWithHelm("what the chart lets whom do", (helm) => {
  const { objects, find, args } = renderings(helm);

  const reads = (list: readonly KubernetesObject[], kind: string) =>
    list.filter((o) => o.kind === kind && rulesOf(o).some((r) => isCore(r.apiGroups) && isSecrets(r.resources)));
  const isCore = (groups: readonly string[]) => groups.some((group) => group === "" || group === "*");
  const isSecrets = (resources: readonly string[]) => /secrets|\*/.test(resources.join());

  test("reads no Secrets of the cluster unless told to in so many words", () => {
    for (const name of cases.filter((c) => c !== "cluster-wide.yaml")) {
      expect(reads(objects(name), "ClusterRole"), name).toEqual([]);
    }
    expect(reads(objects("cluster-wide.yaml"), "ClusterRole")).toHaveLength(1);
  });

  test("reads Secrets in cert-manager's namespace, and where values say, by name if they say so", () => {
    const places = (name?: string) =>
      reads(objects(name), "Role").map((o) => [
        o.metadata.namespace,
        ...rulesOf(o).flatMap((r) => r.resourceNames ?? []),
      ]);
    expect(places()).toEqual([["cert-manager"]]);
    expect(places("callers.yaml")).toEqual([["team-a"], ["team-b", "dns"], ["vault", "dnspod", "route53"]]);
    expect(places("cluster-wide.yaml")).toEqual([]);
    for (const name of cases) {
      for (const o of objects(name).filter((one) => ["Role", "ClusterRole"].includes(one.kind))) {
        for (const { resources, verbs } of rulesOf(o)) {
          expect(verbs, `${name}: ${o.metadata.name}`).not.toContain("*");
          if (resources.includes("secrets")) expect(verbs).toEqual(["get"]);
        }
      }
    }
  });

  test("a namespace that is named twice has the Secrets of both", async () => {
    const namesIn = async (...values: readonly string[]) => {
      const { objects: list } = await render(helm, ...values.flatMap((value) => ["--set", `secretAccess.${value}`]));
      return reads(list, "Role").flatMap((o) => [[o.metadata.namespace, rulesOf(o)[0]?.resourceNames]]);
    };
    const alsoForIssuers = ["namespaces[0].name=cert-manager", "namespaces[0].secretNames={b,a}"];
    expect(await namesIn("clusterResourceSecretNames={a}", ...alsoForIssuers)).toEqual([["cert-manager", ["a", "b"]]]);
    expect(await namesIn(...alsoForIssuers)).toEqual([["cert-manager", undefined]]);
    const twice = ["clusterResource=false", "namespaces[0].name=x", "namespaces[1].name=x"];
    expect(await namesIn(...twice, "namespaces[1].secretNames={a}")).toEqual([["x", undefined]]);
  });

  test("cert-manager may create anything in the groups served, so that clean-ups for mistyped solvers end, and nothing else", () => {
    const solvers = (name?: string) =>
      rulesOf(
        find("ClusterRole", name === "names.yaml" ? "dns-acme-solver-domain-solver" : "dns-dns01-domain-solver", name),
      );
    expect(solvers()).toEqual([{ apiGroups: ["acme.dns01.io"], resources: ["*"], verbs: ["create"] }]);
    expect(solvers("migration.yaml")).toEqual([
      { apiGroups: ["acme.example.org", "acme.dnspod.com"], resources: ["*"], verbs: ["create"] },
    ]);
    expect(find("ClusterRoleBinding", "dns-dns01-domain-solver")["subjects"]).toEqual([
      { kind: "ServiceAccount", name: "cert-manager", namespace: "cert-manager" },
    ]);
    expect(find("ClusterRoleBinding", "dns-dns01-domain-solver", "callers.yaml")["subjects"]).toEqual([
      { kind: "ServiceAccount", name: "acme", namespace: "security" },
      { kind: "ServiceAccount", name: "cert-manager", namespace: "tenant-a" },
    ]);
  });

  test("callers of the flags are those of the binding", () => {
    expect(args("callers.yaml").filter((a) => a.startsWith("--allowed-caller="))).toEqual([
      "--allowed-caller=system:serviceaccount:security:acme",
      "--allowed-caller=system:serviceaccount:tenant-a:cert-manager",
    ]);
  });

  test("asks the API server about callers only when told to", () => {
    const delegators = (name: string) =>
      objects(name).filter((o) => JSON.stringify(o).includes("system:auth-delegator"));
    for (const name of cases) expect(delegators(name), name).toHaveLength(name === "cluster-wide.yaml" ? 1 : 0);
    expect(args("cluster-wide.yaml")).toContain("--subject-access-review");
  });

  test("watches its own APIServices and no others", () => {
    for (const name of cases.filter((one) => one !== "no-rights.yaml")) {
      const groups = objects(name).flatMap((o) => (o.kind === "APIService" ? [o.metadata.name] : []));
      const rules = objects(name)
        .filter((o) => o.kind === "ClusterRole" && o.metadata.name.endsWith("-own-apiservices"))
        .flatMap(rulesOf);
      expect(rules, name).toEqual([
        {
          apiGroups: ["apiregistration.k8s.io"],
          resources: ["apiservices"],
          resourceNames: groups,
          verbs: ["get", "list", "watch"],
        },
      ]);
    }
  });

  test("makes no roles where others do", () => {
    expect(objects("no-rights.yaml").filter((o) => o.apiVersion.startsWith("rbac."))).toEqual([]);
  });
});
