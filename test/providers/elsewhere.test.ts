import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { resolveConfig } from "../../src/core/fields.ts";
import { parseName } from "../../src/core/name.ts";
import { createHttp } from "../../src/http.ts";
import { connectSolver, loadProvider } from "../../src/providers.ts";
import { failureOf } from "./program.ts";

let server: Server;
let endpoint: string;

/** Some web server, which has never heard of any API. */
beforeAll(async () => {
  server = createServer((request, response) => {
    request.resume();
    const status = /unavailable/.test(request.url ?? "") ? 503 : 404;
    response.writeHead(status, { "content-type": "text/html" }).end("<html><h1>nothing here</h1></html>");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => void server.close());

const aws = { accessKeyID: "AKIAEXAMPLE", secretAccessKey: "secret-key" };
const login = { username: "user", password: "password", subdomain: "_acme-challenge", fulldomain: "a.example.com" };

test.each([
  ["acme-dns", login, /ACME_DNS_API_BASE/],
  ["alidns", { accessKey: "LTAI", secretKey: "secret-key" }, /ALIDNS_ENDPOINT/],
  ["cloudflare", { apiToken: "a-token" }, /CLOUDFLARE_ENDPOINT/],
  ["desec", { token: "a-token" }, /DESEC_ENDPOINT/],
  ["dnspod", { loginToken: "123,abcdef" }, /DNSPOD_ENDPOINT/],
  ["dnspod", { secretId: "AKID", secretKey: "secret-key" }, /DNSPOD_ENDPOINT/],
  ["hetzner", { apiToken: "a-token" }, /HETZNER_ENDPOINT/],
  ["httpreq", {}, /HTTPREQ_ENDPOINT/],
  ["huaweicloud", { accessKeyId: "AK", secretAccessKey: "secret-key" }, /HUAWEICLOUD_REGION/],
  ["powerdns", { apiKey: "a-key" }, /PDNS_API_URL/],
  ["route53", aws, /ROUTE53_ENDPOINT/],
])("%s at a web server that is none of it says so, and which setting to look at", async (id, given, setting) => {
  const end = new AbortController();
  const provider = await loadProvider(id);
  const variable = id === "huaweicloud" ? "HUAWEICLOUD_ENDPOINT" : setting.source;
  const resolved = await resolveConfig(provider, { config: given, env: { [variable]: endpoint } });
  const solver = await connectSolver(provider, resolved, { signal: end.signal });
  const item = { owner: parseName(id === "acme-dns" ? "a.example.com" : "_acme-challenge.example.com"), values: ["v"] };
  const error = await failureOf(solver.present([item], end.signal));
  end.abort();
  expect(error).toMatchObject({ code: "REJECTED", hint: expect.stringMatching(setting) });
  expect(error.message).toMatch(/404/);
});

test("Huawei Cloud: a failing gateway is told without the ids in the address", async () => {
  const { classify } = await loadProvider("huaweicloud");
  const errors = await Promise.all(
    ["zones/2c9eb155/recordsets/unavailable-1", "zones/4f0aa277/recordsets/unavailable-2"].map(async (path) => {
      const call = createHttp()(endpoint)(path, { signal: new AbortController().signal });
      return classify?.(await call.catch((cause: unknown) => cause));
    }),
  );
  for (const error of errors) expect(error).toMatchObject({ code: "TRANSIENT", message: "HTTP status 503" });
});
