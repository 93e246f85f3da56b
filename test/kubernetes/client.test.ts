import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Dns01Event } from "../../src/core/events.ts";
import { connectKubernetes } from "../../src/kubernetes/client.ts";
import { KubernetesError } from "../../src/kubernetes/error.ts";
import { createFastClock } from "../fakes/fast-clock.ts";
import { makeKubeCa } from "../fakes/kube-apiserver-pki.ts";
import { failureOf, folder, grant, inPod, never, secret, startApi, until, webhookUser } from "./support.ts";

const secrets = { verbs: ["get"], apiGroups: [""], resources: ["secrets"] };

describe("in a pod", () => {
  test("reads a Secret with the service account's token, over one connection", async () => {
    const api = await startApi();
    api.store.put(secret("dnspod", "cert-manager", { key: "s3cret\n", id: "AKID" }));
    grant(api, webhookUser, secrets, "cert-manager");
    const { kube } = await inPod(api, api.token(webhookUser));
    const read = await kube.readSecret("cert-manager", "dnspod", never);
    expect(Buffer.from(read.data["key"] ?? []).toString()).toBe("s3cret\n");
    expect(Object.keys(read.data)).toEqual(["key", "id"]);
    expect(read.resourceVersion).toMatch(/^\d+$/);
    for (let i = 0; i < 5; i++) await kube.readSecret("cert-manager", "dnspod", never);
    expect(api.connections()).toBe(1);
    expect(kube.namespace).toBe("dns01");
  });

  test("says what the API server says, with verb, resource and name, and never the token", async () => {
    const api = await startApi();
    grant(api, webhookUser, secrets, "cert-manager");
    const token = api.token(webhookUser);
    const { kube } = await inPod(api, token);
    const forbidden = await failureOf(kube.readSecret("shop", "dnspod", never));
    expect(forbidden).toBeInstanceOf(KubernetesError);
    expect(forbidden).toMatchObject({ status: 403, reason: "Forbidden" });
    expect(forbidden.message).toBe(
      `get secret shop/dnspod: secrets "dnspod" is forbidden: User "${webhookUser}" cannot get resource "secrets" in API group "" in the namespace "shop" (403 Forbidden)`,
    );
    const missing = await failureOf(kube.readSecret("cert-manager", "dnspod", never));
    expect(missing).toMatchObject({ status: 404, reason: "NotFound" });
    expect(missing.message).toBe('get secret cert-manager/dnspod: secrets "dnspod" not found (404 NotFound)');
    expect(JSON.stringify([forbidden, missing, forbidden.stack])).not.toContain(token);
  });

  test("uses a new token and a new CA as soon as the kubelet has written them", async () => {
    const api = await startApi();
    api.store.put(secret("dnspod", "dns01", { key: "v" }));
    grant(api, webhookUser, secrets, "dns01");
    const { kube, dir } = await inPod(api, "not-yet-valid");
    expect(await failureOf(kube.readSecret("dns01", "dnspod", never))).toMatchObject({ status: 401 });
    await writeFile(join(dir, "token"), `${api.token(webhookUser)}\n`);
    await kube.readSecret("dns01", "dnspod", never);
    const other = await makeKubeCa("another");
    await writeFile(join(dir, "ca.crt"), other.pem);
    const distrusted = await failureOf(kube.readSecret("dns01", "dnspod", never));
    expect(distrusted.status).toBeUndefined();
    expect(distrusted.message).toMatch(/cannot reach the API server https:\/\/127\.0\.0\.1:\d+: .*certificate/);
    await writeFile(join(dir, "ca.crt"), other.pem + api.ca.pem);
    await kube.readSecret("dns01", "dnspod", never);
  });

  test("finds an API server with an IPv6 address", async () => {
    const api = await startApi({ host: "::1" });
    api.store.put(secret("dnspod", "dns01", { key: "v" }));
    grant(api, webhookUser, secrets, "dns01");
    const { kube } = await inPod(api, api.token(webhookUser));
    expect(kube.server).toBe(api.url);
    await kube.readSecret("dns01", "dnspod", never);
  });

  test("without a token the fault is one of configuration", async () => {
    const env = { KUBERNETES_SERVICE_HOST: "127.0.0.1", KUBERNETES_SERVICE_PORT: "1" };
    const error = await connectKubernetes({ env, serviceAccountDir: await folder() }).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: "CONFIG" });
    expect(String(error)).toContain("automountServiceAccountToken");
  });

  test("outside of pods and without a kubeconfig it says where it looked", async () => {
    const error = await connectKubernetes({ env: { HOME: await folder() } }).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: "CONFIG" });
    expect(String(error)).toMatch(/no KUBECONFIG.*no pod.*\.kube\/config does not exist/);
  });
});

describe("trouble on the way", () => {
  test("a server that is not there is told the same way each time", async () => {
    const api = await startApi();
    const { kube } = await inPod(api, "t");
    await api.stop();
    const first = await failureOf(kube.readSecret("a", "b", never));
    const second = await failureOf(kube.readSecret("a", "b", never));
    expect(first.message).toBe(
      `get secret a/b: cannot reach the API server ${api.url}: ${new URL(api.url).host}: connection refused`,
    );
    expect(second.message).toBe(first.message);
  });

  test("an answer that does not come is waited for no longer than the limit, and the caller may end the wait", async () => {
    const api = await startApi();
    const { kube } = await inPod(api, api.token("x"), { timeoutMs: 100 });
    api.intercept = () => "hang";
    expect((await failureOf(kube.readSecret("a", "b", never))).message).toContain("no answer within 0.1 s");
    const { kube: patient } = await inPod(api, api.token("x"));
    const stop = new AbortController();
    const waiting = failureOf(patient.readSecret("a", "b", stop.signal));
    await until(() => api.connections() === 2);
    stop.abort(new Error("enough"));
    expect((await waiting).message).toBe("enough");
  });

  test("a connection that the server closed while it was idle is replaced", async () => {
    const api = await startApi();
    api.store.put(secret("dnspod", "dns01", { key: "v" }));
    grant(api, webhookUser, secrets, "dns01");
    const { kube } = await inPod(api, api.token(webhookUser));
    await kube.readSecret("dns01", "dnspod", never);
    let cuts = 0;
    api.intercept = () => (cuts++ === 0 ? "reset" : undefined);
    await kube.readSecret("dns01", "dnspod", never);
    expect(cuts).toBe(2);
    // Not on a fresh connection, and never more than once.
    api.intercept = () => "reset";
    expect((await failureOf(kube.readSecret("dns01", "dnspod", never))).message).toContain("cannot reach");
  });

  test("a busy server's Retry-After is obeyed, a long one is told", async () => {
    const api = await startApi();
    api.store.put(secret("dnspod", "dns01", { key: "v" }));
    grant(api, webhookUser, secrets, "dns01");
    const { kube } = await inPod(api, api.token(webhookUser), { clock: createFastClock(50) });
    let refusals = 0;
    const tooMany = (seconds: string) => {
      const message = "too many requests, please try again later";
      const body = { kind: "Status", apiVersion: "v1", message, reason: "TooManyRequests", code: 429 };
      return { status: 429, body, headers: { "retry-after": seconds } };
    };
    api.intercept = () => (refusals++ < 2 ? tooMany("1") : undefined);
    await kube.readSecret("dns01", "dnspod", never);
    expect(refusals).toBe(3);
    api.intercept = () => tooMany("60");
    expect(await failureOf(kube.readSecret("dns01", "dnspod", never))).toMatchObject({ status: 429 });
  });

  test("what is no Status is told by its first words", async () => {
    const api = await startApi();
    const { kube } = await inPod(api, api.token("x"));
    api.intercept = () => ({ status: 502, body: "<html><body><h1>Bad\n Gateway</h1></body></html>" });
    expect((await failureOf(kube.get("/apis", never))).message).toBe("get /apis: Bad Gateway (502)");
    api.intercept = () => ({ status: 200, body: "ok" });
    expect((await failureOf(kube.get("/apis", never))).message).toBe("get /apis: the answer is not a JSON object");
  });
});

describe("reviews and Events", () => {
  test("a SubjectAccessReview asks for exactly one user with all his groups", async () => {
    const api = await startApi();
    const caller = "system:serviceaccount:cert-manager:cert-manager";
    const reviews = { verbs: ["create"], apiGroups: ["authorization.k8s.io"], resources: ["subjectaccessreviews"] };
    grant(api, webhookUser, reviews);
    grant(api, caller, { verbs: ["create"], apiGroups: ["acme.dns01.io"], resources: ["*"] });
    const { kube } = await inPod(api, api.token(webhookUser));
    const resource = { verb: "create", group: "acme.dns01.io", version: "v1alpha1", resource: "dnspod" };
    const asked = { user: caller, uid: "u", groups: ["system:authenticated"], extra: { k: ["v"] }, resource };
    expect(await kube.reviewAccess(asked, never)).toMatchObject({
      allowed: true,
      reason: expect.stringContaining("RBAC: allowed by"),
    });
    expect(await kube.reviewAccess({ ...asked, user: "mallory" }, never)).toEqual({ allowed: false });
    const path = { user: "x", groups: [], nonResource: { path: "/openapi/v2", verb: "get" } };
    expect(await kube.reviewAccess(path, never)).toEqual({ allowed: false });
    expect(
      await kube.reviewOwnAccess(
        {
          resource: { verb: "create", group: "authorization.k8s.io", version: "v1", resource: "subjectaccessreviews" },
        },
        never,
      ),
    ).toMatchObject({ allowed: true });
  });

  test("who may not ask hears it; nobody is allowed by default", async () => {
    const api = await startApi();
    const { kube } = await inPod(api, api.token(webhookUser));
    const asked = { user: "x", groups: [], nonResource: { path: "/", verb: "get" } };
    const error = await failureOf(kube.reviewAccess(asked, never));
    expect(error.message).toBe(
      `create SubjectAccessReview: subjectaccessreviews.authorization.k8s.io is forbidden: User "${webhookUser}" cannot create resource "subjectaccessreviews" in API group "authorization.k8s.io" at the cluster scope (403 Forbidden)`,
    );
    api.intercept = () => ({ status: 201, body: { status: { allowed: "true" } } });
    expect(await kube.reviewAccess(asked, never)).toEqual({ allowed: false });
  });

  test("an Event is written as the API server wants it; a failure is only logged", async () => {
    const api = await startApi();
    const events: Dns01Event[] = [];
    grant(api, webhookUser, { verbs: ["create"], apiGroups: ["events.k8s.io"], resources: ["events"] }, "shop");
    const { kube } = await inPod(api, api.token(webhookUser), { observer: (event) => events.push(event) });
    const regarding = { apiVersion: "acme.cert-manager.io/v1", kind: "Challenge", name: "shop-1" };
    const event = {
      namespace: "shop",
      regarding,
      type: "Warning",
      reason: "Leftover",
      note: "ü".repeat(1000),
    } as const;
    await kube.createEvent(event, never);
    await kube.createEvent(event, never);
    expect(events).toEqual([]);
    expect(api.requests.map(({ status }) => status)).toEqual([201, 201]);
    await kube.createEvent({ ...event, namespace: "elsewhere" }, never);
    expect(events).toMatchObject([
      { type: "log", level: "warn", text: expect.stringContaining("events.events.k8s.io is forbidden") },
    ]);
  });
});

test("nothing of the package for kubeconfigs is loaded in a pod", async () => {
  const source = await readFile(new URL("../../src/kubernetes/client.ts", import.meta.url), "utf8");
  expect(source).not.toMatch(/^import .*kubeconfig\.ts/m);
  expect(source).toContain('await import("./kubeconfig.ts")');
});
