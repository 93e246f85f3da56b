import { expect, test } from "vitest";
import { grant, secret } from "../../kubernetes/support.ts";
import { certManager, check, cloudflare, issuer, startCluster } from "./cluster.ts";

const tester = "system:serviceaccount:dns01:dns01-check";

/** With the rights of the pod that `helm test` starts (charts/dns01/templates/tests/check.yaml), and its arguments. */
test("has what it needs as helm test, and nothing is left out", async () => {
  const api = await startCluster();
  const read = ["get", "list"];
  grant(api, tester, { verbs: read, apiGroups: ["apiregistration.k8s.io"], resources: ["apiservices"] });
  grant(api, tester, { verbs: read, apiGroups: ["cert-manager.io"], resources: ["issuers", "clusterissuers"] });
  grant(api, tester, { verbs: ["create"], apiGroups: ["authorization.k8s.io"], resources: ["subjectaccessreviews"] });
  grant(api, tester, { verbs: read, apiGroups: [""], resources: ["services", "pods"] }, "dns01");
  grant(api, tester, { verbs: read, apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"] }, "dns01");
  grant(api, tester, { verbs: read, apiGroups: ["apps"], resources: ["deployments"] }, "dns01");
  const names = ["extension-apiserver-authentication"];
  const watch = { verbs: ["get", "list", "watch"], apiGroups: [""], resources: ["configmaps"], resourceNames: names };
  grant(api, tester, watch, "kube-system");
  grant(api, tester, { verbs: ["get"], apiGroups: [""], resources: ["secrets"] }, "cert-manager");
  const args = [
    "--group-name=acme.dns01.io",
    "--namespace=dns01",
    "--service-account=dns01",
    "--cert-manager-service-account=cert-manager/cert-manager",
    "--cluster-resource-namespace=cert-manager",
  ];
  const token = api.token(tester);
  const { failures, warnings, findings, status } = await check(api, args, { token });
  expect({ failures, warnings, status }).toEqual({ failures: [], warnings: [], status: 0 });
  expect(findings).toHaveLength(9);

  // A tenant's Secret it may not read is a warning; that dns01 may not either is the failure.
  api.store.put(issuer("own", "shop", cloudflare));
  api.store.put(secret("cf", "shop", { token: "x" }));
  const more = await check(api, args, { token });
  expect(more.warnings).toEqual([
    expect.stringMatching(/^Secret shop\/cf of Issuer shop\/own: could not be looked at/),
  ]);
  expect(more.failures).toEqual([expect.stringContaining("may not get it")]);

  // What the chart was told about cert-manager is held against the rights, not only against itself.
  const other = args.map((arg) => arg.replace("=cert-manager/cert-manager", "=cert-manager/controller"));
  const wrong = await check(api, other, { token });
  expect(wrong.failures.join("\n")).toContain(
    "ServiceAccount cert-manager/controller: (--cert-manager-service-account) may not create cloudflare",
  );
  expect(wrong.failures.join("\n")).toContain(`takes calls of ${certManager} only`);
});
