import { describe, expect, test } from "vitest";
import { grant } from "../../kubernetes/support.ts";
import { apiService, certManager, check, group, issuer, solver, startCluster } from "./cluster.ts";

describe("webhook check without --group-name", () => {
  const issuerOf = (groupName: string) =>
    issuer("old", undefined, solver("cloudflare", { apiTokenSecretRef: { name: "cf", key: "token" } }, {}, groupName));
  const served = ["cloudflare", "dnspod", "rfc2136", "route53"];

  test("a further group counts as dns01's if its APIService leads to the same Service", async () => {
    const api = await startCluster();
    api.store.put(apiService({}, undefined, "acme.old.example"));
    api.aggregated.set("acme.old.example", served);
    grant(api, certManager, { verbs: ["create"], apiGroups: ["acme.old.example"], resources: ["*"] });
    api.store.put(issuerOf("acme.old.example"));
    const { failures, warnings, text } = await check(api);
    expect({ failures, warnings }).toEqual({ failures: [], warnings: [] });
    expect(text).toContain("✔ APIService v1alpha1.acme.old.example: is available");
    expect(text).toContain("✔ ClusterIssuer old: leads to cloudflare of acme.old.example; its config is sound");
    const given = await check(api, ["--group-name", group]);
    expect(given.text).not.toContain("APIService v1alpha1.acme.old.example");
  });

  test("a group that leads elsewhere stays another webhook's", async () => {
    const api = await startCluster();
    const service = { namespace: "elsewhere", name: "dns01", port: 443 };
    api.store.put(apiService({ service }, undefined, "acme.old.example"));
    api.store.put(issuerOf("acme.old.example"));
    const { failures, warnings, text } = await check(api);
    expect(failures).toEqual([]);
    expect(warnings).toEqual([expect.stringContaining("is another webhook's group")]);
    expect(text).not.toContain("APIService v1alpha1.acme.old.example");
  });
});
