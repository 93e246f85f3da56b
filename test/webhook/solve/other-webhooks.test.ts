import { expect, test } from "vitest";
import alidns from "../../../providers/alidns.ts";
import cloudflare from "../../../providers/cloudflare.ts";
import dnspod from "../../../providers/dnspod.ts";
import powerdns from "../../../providers/powerdns.ts";
import type { DomainName } from "../../../src/core/name.ts";
import type { Provider } from "../../../src/core/provider.ts";
import { startAlidns } from "../../fakes/alidns.ts";
import { startCloudflareFake } from "../../fakes/cloudflare.ts";
import { startDnspod } from "../../fakes/dnspod.ts";
import { startPowerdns } from "../../fakes/powerdns.ts";
import type { AdapterFake } from "../../providers/trial.ts";
import { createCluster, name, namespace, ok, startReplica } from "./world.ts";

interface Case {
  readonly webhook: string;
  readonly provider: Provider;
  readonly solver: string;
  readonly start: (zones: readonly DomainName[]) => Promise<AdapterFake>;
  /** Its `config`, with the service's address where it has one. */
  readonly config: (url: string) => Readonly<Record<string, unknown>>;
  /** Key of the Secret to the field of the fake's configuration that it holds. */
  readonly secret: Readonly<Record<string, (given: Readonly<Record<string, unknown>>) => string>>;
}

const ref = (key: string) => ({ name: "credentials", key });
const field = (key: string) => (given: Readonly<Record<string, unknown>>) => String(given[key]);
const alidnsSecret = { id: field("accessKey"), secret: field("secretKey") };

/** Issuers as the documentation of other webhooks shows them; `endpoint` is added where they cannot say it. */
const cases: readonly Case[] = [
  {
    webhook: "imroc/cert-manager-webhook-dnspod",
    provider: dnspod,
    solver: "dnspod",
    start: startDnspod,
    config: (endpoint) => ({ secretIdRef: ref("id"), secretKeyRef: ref("key"), ttl: 600, recordLine: "", endpoint }),
    secret: { id: field("secretId"), key: field("secretKey") },
  },
  {
    webhook: "qqshfox/cert-manager-webhook-dnspod",
    provider: dnspod,
    solver: "dnspod",
    start: (zones) => startDnspod(zones, { signIn: "loginToken" }),
    config: (endpoint) => ({ apiID: 13490, apiTokenSecretRef: ref("token"), ttl: 600, endpoint }),
    secret: { token: (given) => String(given["loginToken"]).split(",")[1] ?? "" },
  },
  {
    webhook: "DEVmachine-fr/cert-manager-alidns-webhook",
    provider: alidns,
    solver: "alidns-solver",
    start: startAlidns,
    config: (endpoint) => ({
      ...{ accessTokenSecretRef: ref("id"), secretKeySecretRef: ref("secret") },
      ...{ regionId: "cn-beijing", endpoint },
    }),
    secret: alidnsSecret,
  },
  {
    webhook: "pragkent/alidns-webhook",
    provider: alidns,
    solver: "alidns",
    start: startAlidns,
    config: (endpoint) => ({
      ...{ accessKeySecretRef: ref("id"), secretKeySecretRef: ref("secret") },
      ...{ region: "cn-hangzhou", endpoint },
    }),
    secret: alidnsSecret,
  },
  {
    webhook: "zachomedia/cert-manager-webhook-pdns",
    provider: powerdns,
    solver: "pdns",
    start: startPowerdns,
    config: (host) => ({ host, apiKeySecretRef: ref("key"), serverID: "localhost", ttl: 120, timeout: 30 }),
    secret: { key: field("apiKey") },
  },
  {
    webhook: "a webhook with apiKeyHeaderName",
    provider: powerdns,
    solver: "powerdns",
    start: startPowerdns,
    config: (host) => ({ host, apiKeySecretRef: ref("key"), apiKeyHeaderName: "X-API-Key" }),
    secret: { key: field("apiKey") },
  },
  {
    webhook: "cert-manager's own solver",
    provider: cloudflare,
    solver: "cloudflare",
    start: startCloudflareFake,
    config: (endpoint) => ({ email: "owner@example.com", apiTokenSecretRef: ref("token"), endpoint }),
    secret: { token: field("apiToken") },
  },
];

test.each(cases)(
  "an Issuer of $webhook works unchanged (solver $solver)",
  async ({ provider, solver, start, ...c }) => {
    const apex = name("example.com");
    const owner = name("_acme-challenge.example.com");
    const fake = await start([apex]);
    const cluster = createCluster();
    const data = Object.entries(c.secret).map(([key, read]) => [key, `${read(fake.config)}\n`]);
    cluster.put(namespace, "credentials", Object.fromEntries(data));
    const replica = await startReplica([provider], { solver, cluster, config: c.config(fake.http.url) });
    expect(await replica.present({ key: "value" })).toEqual(ok);
    expect(fake.values(apex, owner)).toEqual(["value"]);
    expect(await replica.cleanUp({ key: "value" })).toEqual(ok);
    expect(fake.values(apex, owner)).toEqual([]);
    await replica.solving.close();
    await fake.http.close();
  },
);
