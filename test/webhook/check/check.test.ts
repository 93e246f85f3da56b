import { describe, expect, test } from "vitest";
import { grant, secret } from "../../kubernetes/support.ts";
import {
  apiService,
  certManagerDeployment,
  check,
  cloudflare,
  endpointSlice,
  group,
  issuer,
  object,
  solver,
  startCluster,
  webhook,
} from "./cluster.ts";

describe("webhook check", () => {
  test("finds nothing wrong with a sound cluster, and changes nothing in it", async () => {
    const api = await startCluster();
    const { failures, warnings, findings, status, text } = await check(api);
    expect({ failures, warnings, status }).toEqual({ failures: [], warnings: [], status: 0 });
    expect(findings.map(({ check: id }) => id)).toEqual([
      "cluster",
      "apiservice",
      "service",
      "answers",
      "authentication",
      "authentication",
      "cert-manager",
      "issuers",
      "secrets",
    ]);
    expect(text).toContain(
      "✔ Secret cert-manager/cf of ClusterIssuer letsencrypt: is there with token, and dns01 may read it",
    );
    expect(text).toMatch(/\n9 in order, 0 to look at, 0 failed\n$/);
    expect(text).not.toContain("s3cr3t");
    const changes = api.requests.filter(({ method, url }) => method !== "GET" && !url.endsWith("accessreviews"));
    expect(changes).toEqual([]);
  });

  describe("scenario 12: each broken link is named", () => {
    test("wrong groupName", async () => {
      const api = await startCluster();
      api.store.put(
        issuer("letsencrypt", undefined, {
          dns01: { webhook: { groupName: "acme.dns01.oi", solverName: "cloudflare" } },
        }),
      );
      const { failures, status } = await check(api);
      expect(failures).toEqual([
        expect.stringMatching(
          /^ClusterIssuer letsencrypt: spec\.acme\.solvers\[0\]\.dns01\.webhook\.groupName: "acme\.dns01\.oi" is not served by dns01; did you mean acme\.dns01\.io\? → kubectl edit clusterissuer letsencrypt/,
        ),
      ]);
      expect(status).toBe(2);
    });

    test("wrong solverName", async () => {
      const api = await startCluster();
      api.store.put(issuer("letsencrypt", "shop", solver("cloudflaer", {})));
      const { failures, status } = await check(api);
      expect(failures).toEqual([
        expect.stringMatching(
          /^Issuer shop\/letsencrypt: .*solverName: there is no solver "cloudflaer"; did you mean cloudflare\?/,
        ),
      ]);
      expect(status).toBe(2);
    });

    test("a solver that this webhook does not serve", async () => {
      const api = await startCluster();
      api.aggregated.set(group, ["dnspod"]);
      const { failures } = await check(api);
      expect(failures).toEqual([
        expect.stringMatching(/"cloudflare" is not served there; served are dnspod \(--providers\)/),
      ]);
    });

    test("wrong ServiceAccount of cert-manager", async () => {
      const api = await startCluster();
      api.store.put(certManagerDeployment("controller"));
      const { failures, status } = await check(api);
      expect(failures).toEqual([
        expect.stringMatching(
          /^ServiceAccount cert-manager\/controller: \(its Deployment\) may not create cloudflare in API group acme\.dns01\.io.*→ Set the chart's certManager\.namespace/,
        ),
        expect.stringMatching(
          /^Deployment dns01\/dns01: takes calls of system:serviceaccount:cert-manager:cert-manager only, and cert-manager is system:serviceaccount:cert-manager:controller/,
        ),
      ]);
      expect(status).toBe(3);
      const told = await check(api, ["--cert-manager-service-account", "cert-manager/cert-manager"]);
      expect(told.failures).toEqual([
        expect.stringMatching(
          /^ServiceAccount cert-manager\/cert-manager: is not cert-manager's: its Deployment runs as cert-manager\/controller.*serviceAccountName to controller/,
        ),
      ]);
    });

    test("missing CA", async () => {
      const api = await startCluster();
      const message = `failing or missing response from https://10.0.0.9:443/apis/${group}/v1alpha1: tls: failed to verify certificate: x509: certificate signed by unknown authority`;
      api.store.put(apiService({ caBundle: undefined }, { status: "False", reason: "FailedDiscoveryCheck", message }));
      const { failures, status } = await check(api);
      expect(failures[0]).toMatch(
        /^APIService v1alpha1\.acme\.dns01\.io: it has no caBundle.*→ Look at Certificate dns01\/dns01-tls .*cainjector/,
      );
      expect(failures[1]).toMatch(
        /^dns01 as acme\.dns01\.io: get \/apis\/acme\.dns01\.io\/v1alpha1: service unavailable \(503\)/,
      );
      expect(status).toBe(3);
      api.store.put(apiService({}, { status: "False", reason: "FailedDiscoveryCheck", message }));
      expect((await check(api)).failures[0]).toMatch(
        /x509.*→ The caBundle does not fit dns01's certificate.*dns01\.dns01\.svc/,
      );
    });

    test("pod unreachable: not ready, crashing, or behind a NetworkPolicy", async () => {
      const api = await startCluster();
      api.store.put(endpointSlice(false));
      const labels = { "app.kubernetes.io/name": "dns01" };
      const waiting = { reason: "CrashLoopBackOff", message: "back-off 5m0s restarting failed container" };
      const status = { phase: "Running", containerStatuses: [{ state: { waiting } }] };
      api.store.put(object("v1", "Pod", { name: "dns01-abc", namespace: "dns01", labels }, { status }));
      api.store.put(
        apiService(
          {},
          {
            status: "False",
            reason: "MissingEndpoints",
            message: 'endpoints for service/dns01 in "dns01" have no addresses with port name "https"',
          },
        ),
      );
      const down = await check(api);
      expect(down.failures.slice(0, 2)).toEqual([
        expect.stringMatching(
          /^APIService .* is not available \(MissingEndpoints\).*→ No pod of Service dns01\/dns01 is ready/,
        ),
        expect.stringMatching(
          /^Service dns01\/dns01: no pod behind it is ready: dns01-abc is Running \(CrashLoopBackOff: back-off 5m0s.*→ kubectl describe pod -n dns01/,
        ),
      ]);
      api.store.put(endpointSlice(true));
      const message = `failing or missing response from https://10.0.0.9:443/apis/${group}/v1alpha1: Get "https://10.0.0.9:443/apis": context deadline exceeded`;
      api.store.put(apiService({}, { status: "False", reason: "FailedDiscoveryCheck", message }));
      expect((await check(api)).failures[0]).toMatch(
        /→ The API server does not reach the pods of Service dns01\/dns01: look at NetworkPolicies/,
      );
    });

    test("no APIService, but one for a group that is nearly the same", async () => {
      const api = await startCluster();
      api.store.remove("APIService", `v1alpha1.${group}`);
      const spec = { group: "acme.dns02.io", version: "v1alpha1", service: { namespace: "x", name: "x" } };
      api.store.put(object("apiregistration.k8s.io/v1", "APIService", { name: "v1alpha1.acme.dns02.io" }, { spec }));
      const { failures, status } = await check(api);
      expect(failures[0]).toMatch(
        /^APIService v1alpha1\.acme\.dns01\.io: there is none.*→ This cluster has acme\.dns02\.io: give --group-name acme\.dns02\.io/,
      );
      expect(status).toBe(3);
    });
  });

  describe("Secrets", () => {
    test("scenario 13: an Issuer's Secret only in cert-manager's namespace: the rule is told", async () => {
      const api = await startCluster();
      api.store.put(issuer("own", "shop", cloudflare));
      grant(api, webhook, { verbs: ["get"], apiGroups: [""], resources: ["secrets"] }, "shop");
      const { failures, status } = await check(api);
      expect(failures).toEqual([
        "Secret shop/cf of Issuer shop/own: there is none; an Issuer's Secrets are read from its own namespace, and the one in cert-manager is not looked at → Create it in shop.",
      ]);
      expect(status).toBe(2);
    });

    test("a right that dns01 lacks comes with the commands that give it", async () => {
      const api = await startCluster();
      api.store.put(issuer("own", "shop", cloudflare));
      api.store.put(secret("cf", "shop", { token: "x" }));
      const { failures, status } = await check(api);
      expect(failures).toEqual([
        expect.stringMatching(
          /^Secret shop\/cf of Issuer shop\/own: ServiceAccount dns01\/dns01 may not get it → .*kubectl create role dns01-secrets -n shop .*--serviceaccount=dns01:dns01$/,
        ),
      ]);
      expect(status).toBe(3);
    });

    test("a key that is not there, or is empty, is named with those that are", async () => {
      const api = await startCluster();
      api.store.put(secret("cf", "cert-manager", { tokn: "x", other: "y" }));
      expect((await check(api)).failures).toEqual([
        expect.stringContaining("has no key token (config.apiTokenSecretRef): it has other, tokn; did you mean tokn?"),
      ]);
      api.store.put(secret("cf", "cert-manager", { token: "\n" }));
      expect((await check(api)).failures).toEqual([
        expect.stringContaining("its key token (config.apiTokenSecretRef) is empty"),
      ]);
    });
  });

  test("rights on the front proxy's ConfigMap, and a cluster without aggregation", async () => {
    const api = await startCluster();
    const { failures } = await check(api, ["--service-account", "dns01/other"]);
    expect(failures[0]).toMatch(
      /^ServiceAccount dns01\/other: may not get, list, watch ConfigMap kube-system\/extension-apiserver-authentication.*extension-apiserver-authentication-reader/,
    );
    api.store.put({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "extension-apiserver-authentication", namespace: "kube-system" },
      data: {},
    });
    expect((await check(api)).failures).toEqual([
      expect.stringContaining("the aggregation layer of this cluster is off"),
    ]);
  });

  test("a right that cert-manager has by its group counts", async () => {
    const api = await startCluster();
    api.store.put(certManagerDeployment("controller"));
    grant(api, "group:system:serviceaccounts:cert-manager", {
      verbs: ["create"],
      apiGroups: [group],
      resources: ["cloudflare"],
    });
    const { failures } = await check(api);
    expect(failures).toEqual([
      expect.stringContaining("takes calls of system:serviceaccount:cert-manager:cert-manager only"),
    ]);
  });

  test("who may look at nothing gets warnings that say what to ask for, and no failure", async () => {
    const api = await startCluster();
    const { failures, warnings, status } = await check(api, [], { token: api.token("nobody") });
    expect(failures).toEqual([]);
    expect(status).toBe(0);
    expect(warnings.join("\n")).toContain("APIService v1alpha1.acme.dns01.io: could not be looked at");
    expect(warnings.join("\n")).toContain("Issuers: could not be looked at");
    expect(warnings.every((line) => / → \S/.test(line))).toBe(true);
  });

  test("an API server that is away is a temporary failure, one that refuses the user is not", async () => {
    const api = await startCluster();
    const refused = await check(api, [], { token: "wrong" });
    expect(refused.failures).toEqual([expect.stringContaining("Unauthorized (401 Unauthorized) → Log in again")]);
    expect(refused.status).toBe(3);
    api.intercept = () => "reset";
    const away = await check(api);
    expect(away.failures).toEqual([expect.stringContaining("cannot reach the API server")]);
    expect(away.status).toBe(4);
  });

  test("faults of the command line are told together, before anything is asked", async () => {
    const api = await startCluster();
    const run = check(api, [
      "--domain",
      "exa mple",
      "--cert-manager-service-account",
      "justaname",
      "--allowed-endpoint",
      "https://x/y",
    ]);
    const error = await run.catch((e: unknown) => e);
    expect(error).toMatchObject({ code: "CONFIG" });
    expect(String(error)).toMatch(
      /--domain: "exa mple".*--domain: needs --issuer.*--cert-manager-service-account: "justaname".*--allowed-endpoint/s,
    );
    expect(api.requests).toEqual([]);
    const { failures } = await check(api, ["--issuer", "letsencrpt", "--domain", "example.com"]);
    expect(failures).toEqual([
      expect.stringContaining("--issuer letsencrpt: there is no such Issuer; did you mean letsencrypt?"),
    ]);
  });
});
