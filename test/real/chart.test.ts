import { readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { readFlags } from "../../src/cli/args.ts";
import { commands, globalFlags } from "../../src/cli/spec.ts";
import { chart } from "../charts/helm.ts";
import type { KubernetesObject } from "../charts/objects.ts";
import { podsOf, restrictionFaults } from "../charts/pods.ts";
import { render, renderAll, valuesFiles, valuesFolder } from "../charts/rendering.ts";
import { cases, describeWithHelm, renderings } from "../charts/suite.ts";
import { faultsOf } from "../charts/type-check.ts";

/** Functions of templates whose answer is another at another time or in another cluster. */
const changeable =
  /\b(lookup|rand[A-Z]\w*|gen(CA|SelfSigned|Signed|Private)\w*|uuidv4|now|ago|htpasswd|bcrypt|getHostByName)\b/;

await describeWithHelm("the chart", (helm) => {
  const { all, objects, find, args } = renderings(helm);

  test("passes helm lint --strict with every set of values", async () => {
    const each = [[], ...valuesFiles.map((file) => ["--values", join(valuesFolder, file)])];
    for (const values of each) await helm.run("lint", "--strict", "--quiet", chart, ...values);
  });

  test("scenario 25: renders the same twice, and nothing in it could differ", async () => {
    const again = await renderAll(helm);
    for (const [name, { text }] of all()) expect(again.get(name)?.text, name).toBe(text);
    for (const file of await readdir(join(chart, "templates"), { recursive: true })) {
      if (!/\.(yaml|tpl|txt)$/.test(file)) continue;
      // What stands in strings and comments calls nothing.
      const text = readFileSync(join(chart, "templates", file), "utf8").replace(/\/\*.*?\*\/|"(\\.|[^"\\])*"/gs, "");
      for (const [code] of text.matchAll(/\{\{.*?\}\}/gs)) expect(code, file).not.toMatch(changeable);
    }
  });

  test("renders objects that Kubernetes' types allow", async () => {
    expect(await faultsOf(new Map([...all()].map(([name, { objects: list }]) => [name, list])))).toEqual([]);
  });

  test("the check of types sees a wrong key and a wrong type", async () => {
    const [deployment] = objects().filter(({ kind }) => kind === "Deployment");
    const wrong = structuredClone({
      ...deployment,
      spec: { ...Object(deployment?.["spec"]), replicas: "2", replica: 2 },
    });
    const faults = (await faultsOf(new Map([["wrong", [wrong as KubernetesObject]]]))).join("\n");
    expect(faults).toContain("wrong: apps/v1 Deployment dns01");
    expect(faults).toMatch(/replica'|not assignable/);
  });

  test.each(cases)("pods are restricted and have what they mount: %s", (name) => {
    const list = objects(name);
    const made = (kind: string) => list.filter((o) => o.kind === kind).map((o) => o.metadata.name);
    const certificates = list
      .filter((o) => o.kind === "Certificate")
      .map((o) => z.looseObject({ secretName: z.string() }).parse(o["spec"]).secretName);
    const elsewhere = ["solvers", "dns-policy", "dns01-serving", "corporate-ca"];
    const deployed = podsOf(list);
    expect(deployed.length).toBeGreaterThan(0);
    for (const pod of deployed) {
      if (name !== "scheduling.yaml") expect(restrictionFaults(pod)).toEqual([]);
      const volumes = pod.volumes ?? [];
      const mounts = pod.containers.flatMap((c) => c.volumeMounts ?? []);
      expect(new Set(mounts.map((m) => m.name))).toEqual(new Set(volumes.map((v) => v.name)));
      expect(new Set(mounts.map((m) => m.mountPath)).size).toBe(mounts.length);
      for (const { secret, configMap } of volumes) {
        if (secret !== undefined) expect([...certificates, ...elsewhere]).toContain(secret.secretName);
        if (configMap !== undefined) expect([...made("ConfigMap"), ...elsewhere]).toContain(configMap.name);
      }
      expect([...made("ServiceAccount"), "existing"]).toContain(pod.serviceAccountName);
    }
  });

  test.each(cases)("helm test tries services as the webhook reaches them, with its files: %s", (name) => {
    const [webhook, tried] = podsOf(objects(name).toSorted((a, b) => (a.kind < b.kind ? -1 : 1)));
    if (tried === undefined) return expect(name).toBe("own-issuer.yaml");
    for (const key of ["hostNetwork", "dnsPolicy", "dnsConfig", "hostAliases"])
      expect(tried[key]).toEqual(webhook?.[key]);
    const [own, other] = [webhook?.containers[0], tried.containers[0]];
    for (const key of ["image", "env", "envFrom"]) expect(other?.[key], key).toEqual(own?.[key]);
    const ofServer = ["tls", "policy"];
    expect(other?.volumeMounts).toEqual(own?.volumeMounts?.filter((m) => !ofServer.includes(m.name)));
    expect(tried.volumes).toEqual(webhook?.volumes?.filter((v) => !ofServer.includes(v.name)));
  });

  test.each(cases)("APIServices lead to the Service, and that to the pods: %s", (name) => {
    const list = objects(name);
    const service = list.find((o) => o.kind === "Service");
    const deployment = list.find((o) => o.kind === "Deployment");
    const shape = z.looseObject({
      selector: z.record(z.string(), z.string()),
      ports: z.array(z.looseObject({ name: z.string(), port: z.int(), targetPort: z.string() })),
    });
    const { selector, ports } = shape.parse(service?.["spec"]);
    const pod = z
      .looseObject({
        selector: z.strictObject({ matchLabels: z.record(z.string(), z.string()) }),
        template: z.looseObject({ metadata: z.looseObject({ labels: z.record(z.string(), z.string()) }) }),
      })
      .parse(deployment?.["spec"]);
    expect(pod.template.metadata.labels).toMatchObject(selector);
    expect(pod.selector.matchLabels).toEqual(selector);
    const named = podsOf(list)
      .flatMap((p) => p.containers.flatMap((c) => c.ports ?? []))
      .map((p) => p.name);
    for (const { targetPort } of ports) expect(named).toContain(targetPort);
    const groups = args(name).flatMap((a) => (a.startsWith("--group-name=") ? [a.slice("--group-name=".length)] : []));
    const apiServices = list.filter((o) => o.kind === "APIService");
    expect(apiServices.map((o) => o.metadata.name)).toEqual(groups.map((g) => `v1alpha1.${g}`));
    for (const { spec } of apiServices.map((o) => ({ spec: o["spec"] }))) {
      expect(spec).toMatchObject({ service: { name: service?.metadata.name, namespace: "dns", port: 443 } });
    }
    const served = list.find((o) => o.kind === "Certificate" && JSON.stringify(o["spec"]).includes("server auth"));
    if (served === undefined) return;
    expect(served["spec"]).toMatchObject({ dnsNames: expect.arrayContaining([`${service?.metadata.name}.dns.svc`]) });
    for (const { metadata } of apiServices) {
      expect(metadata.annotations?.["cert-manager.io/inject-ca-from"]).toBe(`dns/${served.metadata.name}`);
    }
  });

  test.each(cases)("every container's command line is one that dns01 takes: %s", (name) => {
    for (const { args: line } of podsOf(objects(name)).flatMap((pod) => pod.containers)) {
      const words = line.filter((word) => !word.startsWith("-"));
      const spec = commands.find((c) => c.name === words.join(" "));
      expect(spec, words.join(" ")).toBeDefined();
      const { issues } = readFlags(line.slice(words.length), [...globalFlags, ...(spec?.flags ?? [])], {});
      expect(issues).toEqual([]);
    }
  });

  test("the CA is injected, or given with a certificate of one's own; never both", () => {
    for (const name of cases) {
      for (const { metadata, spec } of objects(name)
        .filter((o) => o.kind === "APIService")
        .map((o) => ({ ...o, spec: Object(o["spec"]) }))) {
        const injected = metadata.annotations?.["cert-manager.io/inject-ca-from"] !== undefined;
        expect(injected, name).toBe(name !== "own-certificate.yaml");
        expect("caBundle" in spec, name).toBe(!injected);
        if (!injected) expect(Buffer.from(spec.caBundle, "base64").toString()).toMatch(/^-----BEGIN CERTIFICATE-----/);
      }
    }
    expect(objects("own-certificate.yaml").filter((o) => o.apiVersion.startsWith("cert-manager.io/"))).toEqual([]);
    const kinds = objects("own-issuer.yaml").filter((o) => o.apiVersion.startsWith("cert-manager.io/"));
    expect(kinds.map((o) => o.kind)).toEqual(["Certificate"]);
  });

  test("labels may be said otherwise, each once, but for those that select", async () => {
    const usual = (name: string, value: string) => `app\\.kubernetes\\.io/${name}=${value}`;
    const { objects: list } = await render(
      helm,
      ...["part-of", "component"].flatMap((name) => ["--set-string", `commonLabels.${usual(name, "platform")}`]),
      ...["version", "instance"].flatMap((name) => ["--set-string", `podLabels.${usual(name, "7")}`]),
    );
    const labels = { "app.kubernetes.io/part-of": "platform", "app.kubernetes.io/component": "webhook" };
    expect(list.find((o) => o.kind === "Service")?.metadata.labels).toMatchObject(labels);
    const deployment = list.find((o) => o.kind === "Deployment");
    expect(deployment?.["spec"]).toMatchObject({
      selector: { matchLabels: { "app.kubernetes.io/component": "webhook", "app.kubernetes.io/instance": "dns01" } },
      template: {
        metadata: {
          labels: { ...labels, "app.kubernetes.io/version": "7", "app.kubernetes.io/instance": "dns01" },
        },
      },
    });
  });

  test("two pods, spread, never fewer during a change; one alone is not held by a budget", () => {
    expect(find("Deployment", "dns01")["spec"]).toMatchObject({
      replicas: 2,
      strategy: { rollingUpdate: { maxUnavailable: 0 } },
      template: { spec: { topologySpreadConstraints: [{ topologyKey: "kubernetes.io/hostname" }, {}] } },
    });
    expect(objects().filter((o) => o.kind === "PodDisruptionBudget")).toHaveLength(1);
    expect(objects("cluster-wide.yaml").filter((o) => o.kind === "PodDisruptionBudget")).toEqual([]);
    expect(Object.keys(Object(find("Deployment", "dns01", "autoscaling.yaml")["spec"]))).not.toContain("replicas");
  });

  test("a budget is left out for one pod even when it is on", async () => {
    const one = await render(helm, "--set", "replicaCount=1");
    expect(one.objects.filter((o) => o.kind === "PodDisruptionBudget")).toEqual([]);
  });

  test("plugins and the policy are mounted where the flags say; a change makes new pods", async () => {
    expect(args("plugins.yaml").filter((a) => a.startsWith("--plugin="))).toEqual([
      "--plugin=/run/dns01/plugin-otherhost/otherhost.mjs",
      "--plugin=/run/dns01/plugins/somehost.mjs",
      "--plugin=/run/dns01/plugin-thirdhost/thirdhost.mjs",
    ]);
    expect(args("plugins.yaml")).toContain("--providers=dnspod,otherhost,somehost,thirdhost");
    expect(Object(find("ConfigMap", "dns01-plugins", "plugins.yaml")["data"])["somehost.mjs"]).toContain(
      "defineProvider",
    );
    expect(args("existing-policy.yaml")).toContain("--policy=/run/dns01/policy/policy.yaml");
    const before = JSON.stringify(find("Deployment", "dns01", "plugins.yaml"));
    const values = join(valuesFolder, "plugins.yaml");
    const changed = await render(helm, "--values", values, "--set", "plugins.somehost.source=other");
    expect(JSON.stringify(changed.objects.find((o) => o.kind === "Deployment"))).not.toBe(before);
  });

  test("the notes say who may call, how to verify it, and which Secrets are read", async () => {
    const values = join(valuesFolder, "callers.yaml");
    const args = ["dns01", chart, "--namespace", "dns", "--dry-run=client", "--values", values];
    const notes = (await helm.run("install", ...args)).split("\nNOTES:\n")[1];
    for (const said of [
      "kubectl get apiservice v1alpha1.acme.dns01.io",
      "ServiceAccount security/acme",
      "kubectl auth can-i create acme-dns.acme.dns01.io --as=system:serviceaccount:security:acme\n",
      "kubectl auth can-i create acme-dns.acme.dns01.io --as=system:serviceaccount:tenant-a:cert-manager\n",
      "For ClusterIssuers: those in vault named dnspod, route53.",
      "For Issuers in team-b: dns.",
      "helm test dns01 --namespace dns --logs",
    ]) {
      expect(notes).toContain(said);
    }
  });

  test("API servers reach the pods from anywhere; metrics from where values say", () => {
    const ingress = (name?: string) => Object(find("NetworkPolicy", "dns01", name)["spec"]).ingress;
    expect(ingress()[0]).toEqual({ ports: [{ port: 8443, protocol: "TCP" }] });
    expect(JSON.stringify(ingress("network.yaml")[1])).toContain(`["monitoring","kube-monitoring"]`);
    expect(objects("no-network-policy.yaml").filter((o) => o.kind === "NetworkPolicy")).toEqual([]);
  });
});
