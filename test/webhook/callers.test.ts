import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { AccessDecision, AccessReview, ConfigMapData, KubernetesApi } from "../../src/kubernetes/api.ts";
import { KubernetesError } from "../../src/kubernetes/error.ts";
import { type Caller, certManager, kubeAggregator, openApiAggregator } from "../fakes/aggregator.ts";
import { group, type Harness, startHarness, until } from "./harness.ts";
import { type ClusterPki, clientAuth, makeCa, makeClusterPki, type Pair, serverAuth } from "./pki.ts";

let pki: ClusterPki;
const open: Harness[] = [];
const start = async (options: Parameters<typeof startHarness>[0] = {}) => {
  const harness = await startHarness({ pki, ...options });
  open.push(harness);
  return harness;
};

beforeAll(async () => {
  pki = await makeClusterPki();
});
afterEach(async () => {
  for (const harness of open.splice(0)) await harness.close();
});

const day = 86_400_000;

describe("certificates that are not the front proxy's", () => {
  const wrong: readonly (readonly [string, () => Promise<Pair | undefined>, string])[] = [
    ["none", async () => undefined, "no client certificate"],
    [
      "of another CA",
      async () => (await makeCa("another-ca")).issue("front-proxy-client", { usages: [clientAuth] }),
      'not by a CA of the front proxy: it is by "CN=another-ca", known is "CN=front-proxy-ca"',
    ],
    [
      "of a CA of the same name with another key",
      async () => (await makeCa("front-proxy-ca")).issue("front-proxy-client", { usages: [clientAuth] }),
      'not by a CA of the front proxy: "CN=front-proxy-ca" signed with another key, or is not valid at this time',
    ],
    ["of the serving CA", () => pki.servingCa.issue("front-proxy-client", { usages: [clientAuth] }), "not by a CA"],
    [
      "with another name",
      () => pki.frontProxyCa.issue('some"body', { usages: [clientAuth] }),
      'the common name of its client certificate is "some\\"body"; allowed is "front-proxy-client"',
    ],
    [
      "that has ended",
      () =>
        pki.frontProxyCa.issue("front-proxy-client", {
          usages: [clientAuth],
          notBefore: new Date(Date.now() - 2 * day),
          notAfter: new Date(Date.now() - day),
        }),
      "not valid at this time",
    ],
    [
      "of tomorrow",
      () =>
        pki.frontProxyCa.issue("front-proxy-client", {
          usages: [clientAuth],
          notBefore: new Date(Date.now() + day / 2),
          notAfter: new Date(Date.now() + day),
        }),
      "not valid at this time",
    ],
    [
      "for servers",
      () => pki.frontProxyCa.issue("front-proxy-client", { usages: [serverAuth] }),
      "not for client authentication",
    ],
    [
      "issued by a certificate that is no CA",
      async () => {
        const leaf = await pki.frontProxyCa.issue("front-proxy-client", { usages: [clientAuth] });
        const forged = await leaf.issue("front-proxy-client", { usages: [clientAuth] });
        return { cert: forged.cert + leaf.cert, key: forged.key };
      },
      "not by a CA",
    ],
  ];

  test.each(wrong)("%s: 401, nothing solved, one line that says why", async (_name, make, reason) => {
    const harness = await start({ allowedNames: ["front-proxy-client"] });
    const aggregator = harness.aggregator({ proxy: await make() });
    const answer = await aggregator.challenge(group, "dnspod");
    expect(answer.status).toBe(401);
    expect(answer.json).toMatchObject({ kind: "Status", reason: "Unauthorized", code: 401 });
    expect(harness.calls).toEqual([]);
    expect(harness.complaints()).toHaveLength(1);
    expect(harness.complaints()[0]).toContain(reason);
    for (const path of ["/apis", `/apis/${group}/v1alpha1`, "/openapi/v2", "/version", "/nothing", "/healthz/ping"]) {
      expect((await aggregator.exchange({ path, caller: kubeAggregator })).status).toBe(401);
    }
  });

  test("through an intermediate CA that is shown it is the front proxy's", async () => {
    const harness = await start({ allowedNames: ["front-proxy-client"] });
    const middle = await pki.frontProxyCa.issue("middle", { ca: true });
    const leaf = await middle.issue("front-proxy-client", { usages: [clientAuth] });
    const proxy = { cert: leaf.cert + middle.cert, key: leaf.key };
    expect((await harness.aggregator({ proxy }).challenge(group, "dnspod")).status).toBe(201);
    expect((await harness.aggregator({ proxy: leaf }).challenge(group, "dnspod")).status).toBe(401);
  });

  test("without names any name will do", async () => {
    const harness = await start();
    const proxy = await pki.frontProxyCa.issue("anything");
    expect((await harness.aggregator({ proxy }).challenge(group, "dnspod")).status).toBe(201);
  });
});

describe("resumed TLS sessions without a certificate", () => {
  /** The session of a first connection without a certificate, then what the server thinks of a second one with it. */
  const resume = async (port: number, onSecond: (socket: TLSSocket) => Promise<void>) => {
    const options = { host: "127.0.0.1", port, rejectUnauthorized: false, minVersion: "TLSv1.3" as const };
    const session = await new Promise<Buffer | undefined>((resolve, reject) => {
      const socket = connectTls(options, () => {
        socket.write("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
      });
      let got: Buffer | undefined;
      socket.on("session", (s) => {
        got = s;
      });
      socket.on("data", () => {});
      socket.on("error", reject);
      socket.on("close", () => resolve(got));
    });
    await new Promise<void>((resolve, reject) => {
      const socket = connectTls({ ...options, ...(session === undefined ? {} : { session }) }, () => {
        onSecond(socket).then(resolve, reject);
      });
      socket.on("error", reject);
    });
    return session;
  };

  // Node 24 says "not authorized"; the older lines that we run on do not.
  const isOld = Number(process.versions.node.split(".")[0]) < 24;
  test.runIf(isOld)("look authorized to Node: the trap is there", async () => {
    const seen: { authorized: boolean; certificate: boolean }[] = [];
    const { cert, key } = pki.serving;
    const options = { cert, key, ca: pki.frontProxyCa.cert, requestCert: true, rejectUnauthorized: false };
    const server = createTlsServer(options, (socket) => {
      seen.push({ authorized: socket.authorized, certificate: Object.keys(socket.getPeerCertificate()).length > 0 });
      socket.resume().end("x");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    await resume(typeof address === "object" && address !== null ? address.port : 0, async (socket) => {
      await new Promise((resolve) => socket.resume().on("close", resolve));
    });
    await new Promise((resolve) => server.close(resolve));
    expect(seen).toEqual([
      { authorized: false, certificate: false },
      { authorized: true, certificate: false },
    ]);
  });

  test("scenario 17: are not resumed here, and with forged headers get 401", async () => {
    const harness = await start();
    let reused: boolean | undefined;
    let text = "";
    const session = await resume(harness.port, async (socket) => {
      reused = socket.isSessionReused();
      const body = JSON.stringify({ request: {} });
      socket.write(
        `POST /apis/${group}/v1alpha1/dnspod HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Remote-User: ${certManager.user}\r\n` +
          `X-Remote-Group: system:masters\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
      socket.on("data", (chunk) => {
        text += String(chunk);
      });
      await new Promise((resolve) => socket.on("close", resolve));
    });
    // A ticket is handed out all the same; it leads to nothing.
    expect(session).toBeDefined();
    expect(reused).toBe(false);
    expect(text).toMatch(/^HTTP\/1\.1 401 /);
    expect(harness.calls).toEqual([]);
  });
});

describe("users that the front proxy vouches for", () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await startHarness({ pki });
  });
  afterAll(() => harness.close());

  const somebody: Caller = { user: "alice", groups: ["system:authenticated"] };
  const anonymous: Caller = { user: "system:anonymous", groups: ["system:unauthenticated"] };
  const admin: Caller = { user: "kubernetes-admin", groups: ["system:masters", "system:authenticated"] };

  test.each([
    ["somebody", somebody],
    ["an administrator", admin],
    ["the aggregator itself", kubeAggregator],
    ["nobody in particular", anonymous],
  ])("%s may not have challenges solved: 403", async (_name, caller) => {
    const answer = await harness.aggregator().challenge(group, "dnspod", {}, { caller });
    expect(answer.status).toBe(403);
    expect((answer.json as { message: string }).message).toContain(caller.user);
    expect(harness.calls).toEqual([]);
  });

  test.each([
    ["somebody", 200, somebody],
    ["the aggregator", 200, kubeAggregator],
    ["the aggregator without a group", 200, openApiAggregator],
    ["anonymous", 403, anonymous],
  ])("%s and discovery: %i", async (_name, status, caller) => {
    for (const path of ["/apis", "/openapi/v2", "/openapi/v3", "/version"]) {
      expect((await harness.aggregator().exchange({ path, caller })).status).toBe(status);
    }
  });

  test("no user at all, or two of them: 401", async () => {
    const aggregator = harness.aggregator();
    const of = (headers: Record<string, string | string[]>) => aggregator.exchange({ path: "/apis", headers });
    expect((await of({ "X-Remote-Group": "system:masters" })).status).toBe(401);
    expect((await of({ "X-Remote-User": "" })).status).toBe(401);
    expect((await of({ "X-Remote-User": ["alice", certManager.user] })).status).toBe(401);
    expect((await of({ "x-remote-USER": "alice" })).status).toBe(200);
  });

  test("somebody of very many groups, whom Go names behind all of them", async () => {
    const groups = Array.from({ length: 1_200 }, (_, i) => `g${i}`);
    const headers = { "X-Remote-Group": groups, "X-Remote-Uid": "1", "X-Remote-User": "alice" };
    expect((await harness.aggregator().exchange({ path: "/apis", headers })).status).toBe(200);
  });
});

describe("the API server's own review", () => {
  const reviews: AccessReview[] = [];
  const reviewer = (decide: () => Promise<AccessDecision>) => ({
    reviewAccess: async (review: AccessReview) => {
      reviews.push(review);
      return decide();
    },
  });
  afterEach(() => reviews.splice(0));

  test("is asked once in ten seconds for the same caller and resource", async () => {
    let now = 0;
    const { systemClock } = await import("../../src/core/clock.ts");
    const harness = await start({
      reviewer: reviewer(async () => ({ allowed: true })),
      clock: { ...systemClock, now: () => now },
    });
    const aggregator = harness.aggregator();
    await Promise.all([aggregator.challenge(group, "dnspod"), aggregator.challenge(group, "dnspod")]);
    now = 9_999;
    await aggregator.challenge(group, "dnspod");
    expect(reviews).toHaveLength(1);
    expect(reviews[0]).toEqual({
      user: certManager.user,
      uid: certManager.uid,
      // Each on a line of its own, and the name of extra decoded.
      groups: certManager.groups,
      extra: { "authentication.kubernetes.io/credential-id": ["JTI=5ad5e5f1"] },
      resource: { verb: "create", group, version: "v1alpha1", resource: "dnspod" },
    });
    now = 10_001;
    await aggregator.challenge(group, "dnspod");
    await aggregator.challenge(group, "rfc2136");
    expect(reviews.map((r) => r.resource?.resource)).toEqual(["dnspod", "dnspod", "rfc2136"]);
  });

  test("of one set of groups or extra counts for no other set of the same user", async () => {
    const harness = await start({ reviewer: reviewer(async () => ({ allowed: reviews.length === 1 })) });
    const aggregator = harness.aggregator();
    const status = async (caller: Caller) => (await aggregator.challenge(group, "dnspod", {}, { caller })).status;
    expect(await status(certManager)).toBe(201);
    expect(await status({ ...certManager, groups: ["system:authenticated"] })).toBe(403);
    expect(await status({ ...certManager, extra: { scopes: ["read-only"] } })).toBe(403);
    expect(await status(certManager)).toBe(201);
    expect(reviews).toHaveLength(3);
  });

  test("that says no, or cannot be had, is 403", async () => {
    const no = await start({ reviewer: reviewer(async () => ({ allowed: false })) });
    expect((await no.aggregator().challenge(group, "dnspod")).status).toBe(403);
    const away = await start({ reviewer: reviewer(async () => Promise.reject(new KubernetesError("away"))) });
    const aggregator = away.aggregator();
    expect((await aggregator.challenge(group, "dnspod")).status).toBe(403);
    expect((await aggregator.challenge(group, "dnspod")).status).toBe(403);
    // No answer is not kept.
    expect(reviews).toHaveLength(3);
    expect([...no.calls, ...away.calls]).toEqual([]);
  });

  test("is not asked for those who may not call anyway", async () => {
    const harness = await start({ reviewer: reviewer(async () => ({ allowed: true })) });
    const caller = { user: "alice", groups: ["system:authenticated"] };
    expect((await harness.aggregator().challenge(group, "dnspod", {}, { caller })).status).toBe(403);
    expect(reviews).toEqual([]);
  });
});

describe("ConfigMap extension-apiserver-authentication", () => {
  const watched = () => {
    let tell: (current: ConfigMapData | undefined) => void = () => {};
    const kubernetes: Pick<KubernetesApi, "watchConfigMap"> = {
      watchConfigMap: (namespace, name, onChange) => {
        expect([namespace, name]).toEqual(["kube-system", "extension-apiserver-authentication"]);
        tell = onChange;
      },
    };
    const set = (data: Record<string, string> | undefined) =>
      tell(data === undefined ? undefined : { resourceVersion: "1", data });
    return { kubernetes, set };
  };
  const usual = (ca = pki.frontProxyCa.cert) => ({
    "client-ca-file": "-----BEGIN CERTIFICATE-----\nnot ours\n-----END CERTIFICATE-----\n",
    "requestheader-client-ca-file": ca,
    "requestheader-allowed-names": '["front-proxy-client"]',
    "requestheader-username-headers": '["X-Remote-User"]',
    "requestheader-uid-headers": '["X-Remote-Uid"]',
    "requestheader-group-headers": '["X-Remote-Group"]',
    "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
  });

  test("until it is there everybody is refused and readiness says why; then it holds, on open connections too", async () => {
    const { kubernetes, set } = watched();
    const harness = await start({ frontProxy: { kubernetes } });
    const aggregator = harness.aggregator({ connections: 1 });
    const status = async () => (await aggregator.challenge(group, "dnspod")).status;
    expect(await status()).toBe(401);
    expect((await aggregator.exchange({ path: "/readyz" })).text).toMatch(/front-proxy failed/);
    set(usual());
    expect(await status()).toBe(201);
    expect((await aggregator.exchange({ path: "/readyz" })).status).toBe(200);
    set(usual((await makeCa("other")).cert));
    expect(await status()).toBe(401);
    set({ ...usual(), "requestheader-allowed-names": '["another"]' });
    expect(await status()).toBe(401);
    set({ ...usual(), "requestheader-allowed-names": "[]" });
    expect(await status()).toBe(201);
    set(undefined);
    expect(await status()).toBe(401);
    // The first two answers ended their connections: the CA that vouches for their certificate was not known.
    expect(aggregator.dialled).toBe(3);
  });

  test.each([
    ["no CA", { "requestheader-client-ca-file": "" }, "aggregation layer"],
    ["a CA that is none", { "requestheader-client-ca-file": "x" }, "no certificate of a CA"],
    ["names that are no list", { "requestheader-allowed-names": "front-proxy-client" }, "allowed-names"],
    ["groups that are no list", { "requestheader-group-headers": '{"a":1}' }, "group-headers"],
  ])("%s: nobody is believed", async (_name, change, reason) => {
    const { kubernetes, set } = watched();
    const harness = await start({ frontProxy: { kubernetes } });
    set({ ...usual(), ...change });
    const aggregator = harness.aggregator();
    expect((await aggregator.challenge(group, "dnspod")).status).toBe(401);
    const ready = await aggregator.exchange({ path: "/readyz" });
    expect(ready.status).toBe(503);
    expect(ready.text).toContain(reason);
  });

  test("names of headers are those that it says", async () => {
    const { kubernetes, set } = watched();
    const harness = await start({ frontProxy: { kubernetes } });
    set({ ...usual(), "requestheader-username-headers": '["X-Who","X-Remote-User"]' });
    const aggregator = harness.aggregator();
    expect((await aggregator.exchange({ path: "/apis", headers: { "X-Who": "alice" } })).status).toBe(200);
    set({ ...usual(), "requestheader-username-headers": '["X-Who"]' });
    expect((await aggregator.exchange({ path: "/apis", caller: kubeAggregator })).status).toBe(401);
  });
});

describe("rotation under load", () => {
  /** 1,000 requests, a few of them always open; the change comes in their midst. */
  const load = async (aggregators: readonly ReturnType<Harness["aggregator"]>[], change: () => Promise<void>) => {
    const statuses: number[] = [];
    let sent = 0;
    const changing = until(() => statuses.length > 300).then(change);
    await Promise.all(
      Array.from({ length: 40 }, async (_, lane) => {
        while (sent < 1_000 || !changed) {
          sent += 1;
          const aggregator = aggregators[(sent + lane) % aggregators.length];
          if (aggregator !== undefined) statuses.push((await aggregator.challenge(group, "dnspod")).status);
        }
      }),
    );
    await changing;
    return statuses;
  };
  let changed = false;
  afterEach(() => {
    changed = false;
  });

  test("scenario 15: a new serving certificate fails no request and is shown to new connections", async () => {
    const harness = await start();
    const next = await pki.servingCa.issue("dns01-next", { usages: [serverAuth], names: ["dns01.dns01.svc"] });
    // One keeps its connections, the other makes new ones all the time.
    const steady = harness.aggregator({ connections: 10 });
    const shown = async () => {
      const socket = connectTls({ host: "127.0.0.1", port: harness.port, rejectUnauthorized: false });
      await new Promise((resolve) => socket.once("secureConnect", resolve));
      const name = socket.getPeerCertificate().subject.CN;
      socket.destroy();
      return name;
    };
    const statuses = await load([steady], async () => {
      await harness.install(next);
      await until(async () => (await shown()) === "dns01-next");
      changed = true;
    });
    expect(statuses.length).toBeGreaterThanOrEqual(1_000);
    expect(statuses.filter((status) => status !== 201)).toEqual([]);
    expect(steady.dialled).toBeLessThanOrEqual(10);
    expect((await harness.aggregator().challenge(group, "dnspod")).status).toBe(201);
    expect(await harness.metrics.text()).toContain('dns01_webhook_serving_certificate_reloads_total{result="ok"} 1');
  });

  test("scenario 16: a new CA of the front proxy fails no request: both are believed while the bundle has both", async () => {
    const harness = await start({ allowedNames: ["front-proxy-client"] });
    const newCa = await makeCa("front-proxy-ca-2");
    const proxy = await newCa.issue("front-proxy-client", { usages: [clientAuth] });
    const { writeFile, rename } = await import("node:fs/promises");
    const bundle = async (text: string) => {
      await writeFile(`${harness.caFile}.new`, text);
      await rename(`${harness.caFile}.new`, harness.caFile);
    };
    const before = harness.aggregator({ connections: 5 });
    const after = harness.aggregator({ proxy, connections: 5 });
    const aggregators = [before];
    const statuses = await load(aggregators, async () => {
      await bundle(pki.frontProxyCa.cert + newCa.cert);
      await until(
        async () =>
          (await harness.aggregator({ proxy }).exchange({ path: "/apis", caller: kubeAggregator })).status === 200,
      );
      aggregators.push(after);
      changed = true;
    });
    expect(statuses.filter((status) => status !== 201)).toEqual([]);
    await bundle(newCa.cert);
    await until(async () => (await before.challenge(group, "dnspod")).status === 401);
    expect((await after.challenge(group, "dnspod")).status).toBe(201);
  });
});
