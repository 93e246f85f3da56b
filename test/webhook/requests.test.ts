import { connect as connectHttp2 } from "node:http2";
import { request as plainRequest } from "node:https";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { certManager, kubeAggregator, openApiAggregator, usualRequest } from "../fakes/aggregator.ts";
import { group, type Harness, startHarness } from "./harness.ts";

let harness: Harness;
const path = `/apis/${group}/v1alpha1/dnspod`;
const json = { "Content-Type": "application/json" };

beforeAll(async () => {
  harness = await startHarness({
    groups: [group, "acme.dnspod.com"],
    solve: async ({ dnsName }) => {
      if (dnsName === "throws.example") throw new Error("secret detail");
      if (dnsName !== "fails.example") return { success: true };
      return { success: false, code: "AUTH", reason: "Forbidden", message: "dnspod: credentials refused" };
    },
  });
});
afterAll(() => harness.close());

const post = (body: string | Buffer, more: object = {}) =>
  harness.aggregator().exchange({ method: "POST", path, caller: certManager, headers: json, body, ...more });
const envelope = (request: unknown) => JSON.stringify({ request });

describe("a challenge as cert-manager sends it", () => {
  test("is solved, echoed and answered with 201", async () => {
    const before = harness.calls.length;
    const answer = await harness.aggregator().challenge(group, "dnspod", { config: { ttl: 600 } });
    expect(answer.status).toBe(201);
    expect(answer.headers["content-type"]).toBe("application/json");
    expect(answer.json).toEqual({
      kind: "ChallengePayload",
      apiVersion: "webhook.acme.cert-manager.io/v1alpha1",
      request: { ...usualRequest, config: { ttl: 600 } },
      response: { uid: "", success: true },
    });
    const { request, call } = harness.calls[before] ?? {};
    expect(request).toEqual({ ...usualRequest, config: { ttl: 600 } });
    expect(call?.solver).toBe("dnspod");
  });

  test("config may be missing; the uid is copied; Audit-Id is the correlation id", async () => {
    const { config: _none, ...bare } = usualRequest;
    const answer = await post(envelope({ ...bare, uid: "u-1" }), { headers: { ...json, "Audit-Id": "a-1" } });
    expect(answer.json).toMatchObject({ response: { uid: "u-1", success: true } });
    const last = harness.calls.at(-1);
    expect(last?.request.config).toBeUndefined();
    expect(last?.call.correlationId).toBe("a-1");
  });

  test("every group has every solver", async () => {
    expect((await harness.aggregator().challenge("acme.dnspod.com", "rfc2136")).status).toBe(201);
    expect(harness.calls.at(-1)?.call.solver).toBe("rfc2136");
  });

  test("a failure is 201 with a Status whose code is a number", async () => {
    const answer = await harness.aggregator().challenge(group, "dnspod", { dnsName: "fails.example" });
    expect(answer.status).toBe(201);
    expect(answer.json).toMatchObject({
      response: {
        uid: "",
        success: false,
        status: {
          status: "Failure",
          message: "dnspod: credentials refused",
          reason: "Forbidden",
          code: 403,
          details: { causes: [{ reason: "AUTH" }] },
        },
      },
    });
  });

  test("what should never throw and does is a failure too, without its words", async () => {
    const answer = await harness.aggregator().challenge(group, "dnspod", { dnsName: "throws.example" });
    expect(answer.status).toBe(201);
    expect(answer.json).toMatchObject({ response: { success: false, status: { reason: "InternalError", code: 500 } } });
    expect(answer.text).not.toContain("secret detail");
  });
});

const refusals: readonly (readonly [string, number, string, object])[] = [
  ["no body", 400, "empty", { body: "" }],
  ["not JSON", 400, "no JSON", { body: "{" }],
  ["a list", 400, "an object", { body: "[]" }],
  ["null", 400, "an object", { body: "null" }],
  ["no request", 400, "request: is missing", { body: "{}" }],
  ["request null", 400, "request: is missing", { body: '{"request":null}' }],
  ["request a text", 400, "request: has to be an object", { body: '{"request":"x"}' }],
  ["unknown action", 400, "request.action", { body: envelope({ ...usualRequest, action: "present" }) }],
  ["no action", 400, "request.action: is missing", { body: envelope({ ...usualRequest, action: undefined }) }],
  [
    "wrong types",
    400,
    "request.key: has to be a string, not a number; request.resolvedFQDN: has to be a string, not a list",
    { body: envelope({ ...usualRequest, key: 7, resolvedFQDN: [] }) },
  ],
  ["another kind", 400, "kind", { body: JSON.stringify({ kind: "Pod", request: usualRequest }) }],
  [
    "another version",
    400,
    "apiVersion",
    { body: JSON.stringify({ apiVersion: `${group}/v1alpha1`, request: usualRequest }) },
  ],
  ["3 MiB and more", 413, "larger", { body: Buffer.alloc(10_000_000, "x") }],
  ["text", 415, "application/json", { body: "x", headers: { "Content-Type": "text/plain" } }],
  ["YAML", 415, "application/json", { body: "x: y", headers: { "Content-Type": "application/yaml" } }],
  ["compressed", 415, "compressed", { body: "x", headers: { ...json, "Content-Encoding": "gzip" } }],
  ["HTML wanted", 406, "application/json", { body: envelope(usualRequest), headers: { ...json, Accept: "text/html" } }],
  ["unknown solver", 404, "served are dnspod, rfc2136", { path: `/apis/${group}/v1alpha1/dnspot`, body: "{}" }],
  ["unknown group", 404, "nothing at", { path: "/apis/other.example.com/v1alpha1/dnspod", body: "{}" }],
  ["a name after the solver", 404, "nothing at", { path: `${path}/x`, body: "{}" }],
  ["a namespace", 404, "nothing at", { path: `/apis/${group}/v1alpha1/namespaces/a/dnspod`, body: "{}" }],
  ["a broken path", 400, "cannot be read", { path: `/apis/${group}/v1alpha1/%ff`, body: "{}" }],
  [
    "strictness",
    400,
    'unknown field "request.extra"',
    { path: `${path}?fieldValidation=Strict`, body: envelope({ ...usualRequest, extra: 1 }) },
  ],
  ["a dry run of another kind", 400, "dryRun", { path: `${path}?dryRun=Some`, body: envelope(usualRequest) }],
  ["PUT", 405, "POST", { method: "PUT", body: "{}" }],
  ["DELETE", 405, "POST", { method: "DELETE" }],
];

describe("what is refused", () => {
  test.each(refusals)("%s: %i", async (_name, status, words, more) => {
    const before = harness.calls.length;
    const answer = await post("", more);
    expect(answer.status).toBe(status);
    expect(answer.headers["content-type"]).toBe("application/json");
    expect(answer.json).toMatchObject({ kind: "Status", apiVersion: "v1", status: "Failure", code: status });
    expect((answer.json as { message: string }).message).toContain(words);
    expect(harness.calls.length).toBe(before);
  });

  test("GET and HEAD of a solver are not allowed, and say what is", async () => {
    for (const method of ["GET", "HEAD"]) {
      const answer = await harness.aggregator().exchange({ method, path, caller: kubeAggregator });
      expect(answer.status).toBe(405);
      expect(answer.headers.allow).toBe("POST");
    }
  });

  test("equal faults have byte-equal messages", async () => {
    const send = async () => (await post(envelope({ ...usualRequest, key: 7 }), { headers: json })).text;
    expect(await send()).toBe(await send());
  });
});

test("unknown fields are taken with a warning for each, names from outside made harmless", async () => {
  const odd = 'a"b\\c\r\nd';
  const answer = await post(JSON.stringify({ [odd]: 1, request: { ...usualRequest, extra: 1 } }));
  expect(answer.status).toBe(201);
  const warnings = answer.rawHeaders.filter((_, i) => i % 2 === 1 && /^warning$/i.test(answer.rawHeaders[i - 1] ?? ""));
  expect(warnings).toEqual(['299 - "unknown field \\"a?b?c??d\\""', '299 - "unknown field \\"request.extra\\""']);
  const ignored = await post(envelope({ ...usualRequest, extra: 1 }), { path: `${path}?fieldValidation=Ignore` });
  expect(ignored.headers["warning"]).toBeUndefined();
});

describe("a configuration that is of no use", () => {
  const lists = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;

  test.each([
    ["deep", lists(100_000)],
    ["large", `{"a":"${"x".repeat(300_000)}"}`],
  ])(
    "%s: is refused by the solver, for which a CleanUp ends, not by the server; and is not echoed",
    async (_, config) => {
      const text = envelope({ ...usualRequest, action: "CleanUp", config: "HERE" }).replace('"HERE"', config);
      const before = harness.calls.length;
      const answer = await post(text);
      expect(answer.status).toBe(201);
      expect(answer.json).toMatchObject({ request: {}, response: { uid: "", success: true } });
      expect(Object.keys((answer.json as { request: object }).request)).toEqual([]);
      expect(harness.calls.length).toBe(before + 1);
    },
  );

  test("a few levels are echoed as they came", async () => {
    const text = envelope({ ...usualRequest, config: "HERE" }).replace('"HERE"', lists(100));
    expect((await post(text)).text).toContain(lists(100));
  });
});

test("of very many unknown fields the first are told", async () => {
  const many = Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`f${i}`, 0]));
  const answer = await post(envelope({ ...usualRequest, ...many }));
  expect(answer.status).toBe(201);
  const warnings = answer.rawHeaders.filter((text) => text.startsWith("299 "));
  expect(warnings).toHaveLength(20);
  expect(warnings[19]).toContain("request.f19");
});

test("a dry run is checked and solves nothing", async () => {
  const before = harness.calls.length;
  const answer = await post(envelope(usualRequest), { path: `${path}?dryRun=All` });
  expect(answer.status).toBe(201);
  expect(answer.json).toMatchObject({ response: { success: true } });
  expect(answer.headers["warning"]).toContain("dry run");
  expect((await post("{}", { path: `${path}?dryRun=All` })).status).toBe(400);
  expect(harness.calls.length).toBe(before);
});

describe("discovery", () => {
  test("makes the APIService available", async () => {
    expect(await harness.aggregator().probe(group)).toBe(true);
  });

  test("aggregated, with an ETag that is honoured", async () => {
    const aggregator = harness.aggregator();
    const first = await aggregator.discover();
    expect(first).toMatchObject({ status: 200, supported: true });
    expect(first.document).toMatchObject({
      kind: "APIGroupDiscoveryList",
      apiVersion: "apidiscovery.k8s.io/v2",
      items: [{ metadata: { name: group } }, { metadata: { name: "acme.dnspod.com" } }],
    });
    const second = await aggregator.discover();
    expect(second).toMatchObject({ status: 304, document: first.document });
  });

  test.each([
    ["application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList", "apidiscovery.k8s.io/v2beta1"],
    ["application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io", "apidiscovery.k8s.io/v2"],
    ["application/json", "v1"],
    ["*/*", "v1"],
    ["application/json;g=apidiscovery.k8s.io;v=v9;as=APIGroupDiscoveryList,application/json", "v1"],
  ])("for %s", async (accept, apiVersion) => {
    const answer = await harness
      .aggregator()
      .exchange({ path: "/apis", caller: kubeAggregator, headers: { Accept: accept } });
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ apiVersion });
    expect(answer.headers["vary"]).toContain("Accept");
    expect(answer.headers["cache-control"]).toBe("public");
    if (apiVersion.includes("/")) {
      const v = apiVersion.split("/")[1];
      expect(answer.headers["content-type"]).toBe(
        `application/json;g=apidiscovery.k8s.io;v=${v};as=APIGroupDiscoveryList`,
      );
    }
  });

  test("HTML is not acceptable", async () => {
    const answer = await harness
      .aggregator()
      .exchange({ path: "/apis", caller: kubeAggregator, headers: { Accept: "text/html" } });
    expect(answer.status).toBe(406);
  });

  test("the legacy list names each solver as a resource that can be created", async () => {
    const answer = await harness.aggregator().exchange({ path: `/apis/${group}/v1alpha1`, caller: kubeAggregator });
    expect(answer.json).toMatchObject({ kind: "APIResourceList", groupVersion: `${group}/v1alpha1` });
    expect((answer.json as { resources: unknown[] }).resources).toContainEqual({
      ...{ name: "rfc2136", singularName: "ChallengePayload", namespaced: false },
      ...{ group: "webhook.acme.cert-manager.io", version: "v1alpha1", kind: "ChallengePayload", verbs: ["create"] },
    });
  });

  test("OpenAPI 2 and 3: gzipped, conditional, by hash, every operation id once", async () => {
    const aggregator = harness.aggregator();
    const v2 = await aggregator.openApiV2();
    expect(v2.headers["content-encoding"]).toBe("gzip");
    expect((await aggregator.openApiV2()).status).toBe(304);
    const paths = await aggregator.openApiV3();
    expect(Object.keys(paths)).toEqual([`apis/${group}/v1alpha1`, "apis/acme.dnspod.com/v1alpha1"]);
    const ids: string[] = [];
    for (const { serverRelativeURL } of Object.values(paths)) {
      expect(serverRelativeURL).toMatch(/\?hash=[0-9A-F]{64}$/);
      const document = await aggregator.exchange({
        path: `${serverRelativeURL}&timeout=32s`,
        caller: openApiAggregator,
      });
      expect(document.json).toMatchObject({ openapi: "3.0.0" });
      ids.push(...[...document.text.matchAll(/"operationId":"([^"]+)"/g)].map((m) => m[1] ?? ""));
    }
    expect(ids.sort()).toEqual([...v2.text.matchAll(/"operationId":"([^"]+)"/g)].map((m) => m[1]).sort());
    expect(new Set(ids).size).toBe(4);
  });
});

describe("at the level of TLS and HTTP", () => {
  const tls = () => ({ host: "127.0.0.1", port: harness.port, rejectUnauthorized: false, ...harness.pki.frontProxy });

  test("a client that speaks only HTTP/2 fails in the handshake", async () => {
    const session = connectHttp2(`https://127.0.0.1:${harness.port}`, { ...tls(), ALPNProtocols: ["h2"] });
    const error = await new Promise<Error>((resolve) => session.once("error", resolve));
    expect(error.message).toMatch(/no application protocol|ALPN/i);
  });

  test.each([
    ["what is no HTTP", "NONSENSE\r\n\r\n"],
    ["who names no host", "GET /healthz HTTP/1.1\r\n\r\n"],
    ["who wants a tunnel", "CONNECT dns01:443 HTTP/1.1\r\nHost: dns01:443\r\n\r\n"],
    ["who wants another protocol", "GET /apis HTTP/1.1\r\nHost: dns01\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"],
  ])("%s gets a Status and the end of the connection", async (_name, request) => {
    const text = await new Promise<string>((resolve, reject) => {
      const socket = connectTls(tls(), () => socket.write(request));
      let all = "";
      socket.on("data", (chunk) => (all += String(chunk)));
      socket.on("end", () => resolve(all));
      socket.on("error", reject);
    });
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(JSON.parse(text.split("\r\n\r\n")[1] ?? "")).toMatchObject({ kind: "Status", code: 400 });
  });

  test.each(["/healthz", "/livez", "/readyz"])("%s is for everybody", async (health) => {
    const status = await new Promise((resolve, reject) => {
      const req = plainRequest({ host: "127.0.0.1", port: harness.port, path: health, rejectUnauthorized: false });
      req.on("response", (res) => resolve(res.resume().statusCode));
      req.on("error", reject);
      req.end();
    });
    expect(status).toBe(200);
  });

  test("a body of 10 MB ends the connection, not the process", async () => {
    const answer = await post(Buffer.alloc(10_000_000, "x"));
    expect(answer.status).toBe(413);
    expect(answer.headers.connection).toBe("close");
  });
});
