import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { type Aggregator, certManager, createAggregator } from "../fakes/aggregator.ts";
import { folder, grant, startApi } from "../kubernetes/support.ts";
import { until } from "./harness.ts";
import { makeCa, serviceName } from "./pki.ts";
import { type Program, startProgram } from "./program.ts";

const running: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of running.splice(0).toReversed()) await one.close();
});

const group = "acme.dns01.io";
const ours = "system:serviceaccount:dns01:dns01-webhook";

/** The built program in a cluster where it may read the front proxy's ConfigMap. */
async function startInCluster(flags: readonly string[] = []) {
  const api = await startApi();
  grant(api, ours, { verbs: ["get", "list", "watch"], apiGroups: [""], resources: ["configmaps"] }, "kube-system");
  const kubeconfig = join(await folder(), "kubeconfig");
  await writeFile(kubeconfig, api.kubeconfig({ token: api.token(ours) }));
  const program = await startProgram(["--providers", "memory", ...flags], {}, ["--kubeconfig", kubeconfig]);
  running.push(program);
  const setFrontProxy = (ca: string) =>
    api.store.put({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "extension-apiserver-authentication", namespace: "kube-system" },
      data: {
        "requestheader-client-ca-file": ca,
        "requestheader-allowed-names": '["front-proxy-client"]',
        "requestheader-username-headers": '["X-Remote-User"]',
        "requestheader-group-headers": '["X-Remote-Group"]',
        "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
      },
    });
  return { api, program, setFrontProxy, aggregator: aggregatorOf(program) };
}

function aggregatorOf({ pki, port }: Program): Aggregator {
  const made = createAggregator({ port, caBundle: pki.servingCa.cert, service: serviceName, proxy: pki.frontProxy });
  running.push(made);
  return made;
}

const solved = async (aggregator: Aggregator) => (await aggregator.challenge(group, "memory")).status;

test("the front proxy's CA comes from the cluster and follows it, over lost watches too", async () => {
  const { api, program, setFrontProxy, aggregator } = await startInCluster();
  expect(await solved(aggregator)).toBe(401);
  expect((await aggregator.exchange({ path: "/readyz" })).text).toContain("[-]front-proxy failed");
  setFrontProxy(program.pki.frontProxyCa.cert);
  await until(async () => (await solved(aggregator)) === 201);
  expect((await aggregator.exchange({ path: "/readyz" })).text).toBe("ok");
  api.endWatches();
  setFrontProxy((await makeCa("another")).cert);
  await until(async () => (await solved(aggregator)) === 401);
  api.cut();
  setFrontProxy(program.pki.frontProxyCa.cert);
  await until(async () => (await solved(aggregator)) === 201);
  program.signal("SIGTERM");
  expect(await program.ended).toBe(0);
});

test("why the front proxy's CA cannot be read is what readiness says", async () => {
  const api = await startApi();
  const kubeconfig = join(await folder(), "kubeconfig");
  await writeFile(kubeconfig, api.kubeconfig({ token: api.token(ours) }));
  const program = await startProgram(["--providers", "memory"], {}, ["--kubeconfig", kubeconfig]);
  running.push(program);
  const ready = async () => (await aggregatorOf(program).exchange({ path: "/readyz" })).text;
  await until(async () => !(await ready()).includes("have not been read yet"));
  expect(await ready()).toMatch(
    /\[-\]front-proxy failed: ConfigMap kube-system\/extension-apiserver-authentication cannot be read: .*is forbidden: User "system:serviceaccount:dns01:dns01-webhook" cannot list/,
  );
});

test("with --subject-access-review the API server's answer counts as well", async () => {
  const { api, program, setFrontProxy, aggregator } = await startInCluster(["--subject-access-review"]);
  setFrontProxy(program.pki.frontProxyCa.cert);
  const create = { verbs: ["create"], apiGroups: ["authorization.k8s.io"], resources: ["subjectaccessreviews"] };
  // Without the right to ask there is no answer, and that is no.
  await until(async () => (await solved(aggregator)) === 403);
  grant(api, ours, create);
  const refused = await aggregator.challenge(group, "memory");
  expect(refused.status).toBe(403);
  expect(refused.text).toContain("review says no");
  grant(api, certManager.user, { verbs: ["create"], apiGroups: [group], resources: ["memory"] });
  // A no is kept for ten seconds, for the same user with the same credentials.
  const caller = { ...certManager, uid: "another" };
  expect((await aggregator.challenge(group, "memory", {}, { caller })).status).toBe(201);
});

test("why its own APIService is not available is in the log and in a metric", async () => {
  const { api, program } = await startInCluster();
  const refusal = await program.log.first((line) => String(line["message"]).includes("goes without a look"));
  expect(refusal["level"]).toBe("info");
  expect(await program.metric("dns01_webhook_apiservice_available")).toBeNaN();
  const name = `v1alpha1.${group}`;
  const rule = { verbs: ["get", "list", "watch"], apiGroups: ["apiregistration.k8s.io"], resources: ["apiservices"] };
  const condition = {
    type: "Available",
    status: "False",
    reason: "ServiceNotFound",
    message: "service is not present",
  };
  api.store.put({
    apiVersion: "apiregistration.k8s.io/v1",
    kind: "APIService",
    metadata: { name },
    status: { conditions: [condition] },
  });
  // What is refused is asked again after minutes; a process that starts now finds the right.
  grant(api, ours, { ...rule, resourceNames: [name] });
  const kubeconfig = join(await folder(), "kubeconfig");
  await writeFile(kubeconfig, api.kubeconfig({ token: api.token(ours) }));
  const next = await startProgram(["--providers", "memory"], {}, ["--kubeconfig", kubeconfig]);
  running.push(next);
  const told = await next.log.first((line) => line["reason"] === "ServiceNotFound");
  expect(told).toMatchObject({ level: "warn", group });
  expect(told["message"]).toBe(`APIService ${name} is not available (ServiceNotFound): service is not present`);
  expect(await next.metric("dns01_webhook_apiservice_available")).toBe(0);
});
