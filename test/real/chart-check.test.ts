import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { get } from "node:https";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { podsOf } from "../charts/pods.ts";
import { render } from "../charts/rendering.ts";
import { describeWithHelm } from "../charts/suite.ts";
import type { KubeApiServer } from "../fakes/kube-apiserver.ts";
import { configMap, folder, secret, startApi } from "../kubernetes/support.ts";
import {
  certManagerDeployment,
  check,
  cloudflare,
  endpointSlice,
  group,
  issuer,
  object,
} from "../webhook/check/cluster.ts";
import { makeCa, serverAuth } from "../webhook/pki.ts";

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

/** The program as the container runs it (npm run build), with its log. */
function startPod(args: readonly string[], cwd: string) {
  const env = { PATH: process.env["PATH"], HOME: cwd };
  const child = spawn(process.execPath, [main, ...args], { cwd, env, stdio: ["ignore", "ignore", "pipe"] });
  const status = new Promise<number | null>((resolve) => child.on("close", resolve));
  const ready = new Promise<{ readonly port: number; readonly plainPort: number }>((resolve, reject) => {
    const log: string[] = [];
    createInterface({ input: child.stderr }).on("line", (text) => {
      log.push(text);
      const entry = z.looseObject({ port: z.int(), plainPort: z.int() }).safeParse(JSON.parse(text));
      if (entry.success) resolve(entry.data);
    });
    child.on("close", (code) => reject(new Error(`ended with ${code}:\n${log.join("\n")}`)));
  });
  return { ready, status, end: () => void child.kill("SIGTERM") };
}

/** As the kubelet asks: no certificate shown, none checked. */
function statusOf(port: number, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, path, rejectUnauthorized: false, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on("error", reject);
  });
}

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
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

  test("a pod gets ready and ends in order, with the arguments and rights that it has", async () => {
    const [proxy, serving] = await Promise.all([makeCa("front-proxy-ca"), makeCa("serving-ca")]);
    api.store.put(
      configMap("extension-apiserver-authentication", "kube-system", {
        "requestheader-client-ca-file": proxy.cert,
        "requestheader-allowed-names": `["front-proxy-client"]`,
        "requestheader-username-headers": `["X-Remote-User"]`,
        "requestheader-group-headers": `["X-Remote-Group"]`,
        "requestheader-extra-headers-prefix": `["X-Remote-Extra-"]`,
      }),
    );
    await install();
    const { objects } = await render(helm);
    const given = podsOf(objects).find(({ containers: [c] }) => c?.args[1] !== "check")?.containers[0]?.args ?? [];
    const dir = await folder();
    const pair = await serving.issue("dns01", { usages: [serverAuth], names: ["dns01.dns.svc"] });
    await writeFile(join(dir, "tls.crt"), pair.cert);
    await writeFile(join(dir, "tls.key"), pair.key);
    const token = api.token("system:serviceaccount:dns:dns01");
    await writeFile(join(dir, "kubeconfig"), api.kubeconfig({ token }));
    const args = given.map((one) =>
      one
        .replace("/run/dns01/tls", dir)
        .replace(/^(--secure-port=|--metrics-bind-address=:|--shutdown-delay=)\d+/, "$10"),
    );
    const pod = startPod([...args, `--kubeconfig=${join(dir, "kubeconfig")}`], dir);
    try {
      const { port, plainPort } = await pod.ready;
      expect(await statusOf(port, "/livez")).toBe(200);
      await expect.poll(() => statusOf(port, "/readyz"), { timeout: 30_000 }).toBe(200);
      const metrics = await (await fetch(`http://127.0.0.1:${plainPort}/metrics`)).text();
      expect(metrics).toMatch(/^dns01_webhook_front_proxy_ready 1$/m);
      expect(api.requests.filter(({ status }) => status === 403)).toEqual([]);
    } finally {
      pod.end();
    }
    expect(await pod.status).toBe(0);
  });

  test("old groups are served and checked as well", async () => {
    api.aggregated.set("acme.dnspod.com", ["dnspod"]);
    await install("--set", "extraGroups={acme.dnspod.com}");
    expect(line).toContain("--group-name=acme.dnspod.com");
    expect((await helmTest()).failures).toEqual([]);
  });
});
