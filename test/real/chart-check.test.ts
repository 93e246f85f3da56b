import { beforeEach, expect, test } from "vitest";
import { podsOf } from "../charts/pods.ts";
import { render } from "../charts/rendering.ts";
import { describeWithHelm } from "../charts/suite.ts";
import type { KubeApiServer } from "../fakes/kube-apiserver.ts";
import { configMap, secret, startApi } from "../kubernetes/support.ts";
import {
  certManagerDeployment,
  check,
  cloudflare,
  endpointSlice,
  group,
  issuer,
  object,
} from "../webhook/check/cluster.ts";

/** What every cluster has, and what cert-manager and its injector add. */
function furnish({ store, aggregated }: KubeApiServer): void {
  const authentication = "extension-apiserver-authentication";
  store.put(
    configMap(authentication, "kube-system", { "requestheader-client-ca-file": "-----BEGIN CERTIFICATE-----\n" }),
  );
  const rules = [
    { apiGroups: [""], resources: ["configmaps"], resourceNames: [authentication], verbs: ["get", "list", "watch"] },
  ];
  const reader = { name: `${authentication}-reader`, namespace: "kube-system" };
  store.put(object("rbac.authorization.k8s.io/v1", "Role", reader, { rules }));
  store.put(certManagerDeployment());
  const slice = endpointSlice(true);
  store.put({ ...slice, metadata: { ...slice.metadata, namespace: "dns" } });
  store.put(secret("cf", "cert-manager", { token: "token" }));
  store.put(issuer("letsencrypt", undefined, cloudflare));
  aggregated.set(group, ["cloudflare", "dnspod", "rfc2136", "route53"]);
}

const stored = ["APIService", "ClusterRole", "ClusterRoleBinding", "Deployment", "Role", "RoleBinding", "Service"];

await describeWithHelm("the chart in a cluster", (helm) => {
  let api: KubeApiServer;
  let line: readonly string[];

  const install = async (...args: readonly string[]) => {
    const { objects } = await render(helm, ...args);
    for (const one of objects.filter(({ kind }) => stored.includes(kind))) {
      const conditions = [{ type: "Available", status: "True", reason: "Passed", message: "all checks passed" }];
      const injected = { ...one, spec: { ...Object(one["spec"]), caBundle: "LS0t" }, status: { conditions } };
      api.store.put((one.kind === "APIService" ? injected : one) as Parameters<typeof api.store.put>[0]);
    }
    line =
      podsOf(objects)
        .find(({ containers: [c] }) => c?.args[1] === "check")
        ?.containers[0]?.args.slice(2) ?? [];
  };
  const helmTest = () => check(api, line, { token: api.token("system:serviceaccount:dns:dns01-check") });

  beforeEach(async () => {
    api = await startApi();
    furnish(api);
  });

  test("helm test finds nothing wrong, with the rights that it has", async () => {
    await install();
    const { failures, warnings, status, findings } = await helmTest();
    expect({ failures, warnings, status }).toEqual({ failures: [], warnings: [], status: 0 });
    expect(findings.length).toBeGreaterThan(7);
    expect(api.requests.filter(({ status: code }) => code === 403)).toEqual([]);
  });

  test("it finds a Secret that the values do not allow, and says how", async () => {
    await install("--set", "secretAccess.clusterResource=false");
    const { failures, warnings } = await helmTest();
    expect([...failures, ...warnings].join("\n")).toContain("Secret cert-manager/cf of ClusterIssuer letsencrypt");
    expect(failures.join("\n")).toContain("secretAccess");
  });

  test("it finds cert-manager running as somebody else", async () => {
    await install("--set", "certManager.serviceAccountName=acme");
    const { failures } = await helmTest();
    expect(failures.join("\n")).toContain("cert-manager/cert-manager");
  });

  test("an Issuer's namespace that values name is read, another is not", async () => {
    api.store.put(secret("cf", "team-a", { token: "token" }));
    api.store.put(secret("cf", "team-b", { token: "token" }));
    api.store.put(issuer("own", "team-a", cloudflare));
    api.store.put(issuer("own", "team-b", cloudflare));
    await install("--set", "secretAccess.namespaces[0].name=team-a");
    const { failures } = await helmTest();
    expect(failures).toEqual([expect.stringContaining("team-b/cf")]);
  });

  test("old groups are served and checked as well", async () => {
    api.aggregated.set("acme.dnspod.com", ["dnspod"]);
    await install("--set", "extraGroups={acme.dnspod.com}");
    expect(line).toContain("--group-name=acme.dnspod.com");
    expect((await helmTest()).failures).toEqual([]);
  });
});
