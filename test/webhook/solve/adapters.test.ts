import { describe, expect, test } from "vitest";
import acmeDns from "../../../providers/acme-dns.ts";
import alidns from "../../../providers/alidns.ts";
import cloudflare from "../../../providers/cloudflare.ts";
import desec from "../../../providers/desec.ts";
import dnspod from "../../../providers/dnspod.ts";
import hetzner from "../../../providers/hetzner.ts";
import httpreq from "../../../providers/httpreq.ts";
import huaweicloud from "../../../providers/huaweicloud.ts";
import powerdns from "../../../providers/powerdns.ts";
import route53 from "../../../providers/route53.ts";
import type { DomainName } from "../../../src/core/name.ts";
import type { Provider } from "../../../src/core/provider.ts";
import { loadProvider, providerIds } from "../../../src/providers.ts";
import { startAlidns } from "../../fakes/alidns.ts";
import { startCloudflareFake } from "../../fakes/cloudflare.ts";
import { startDesecFake } from "../../fakes/desec.ts";
import { startDnspod } from "../../fakes/dnspod.ts";
import { startHetznerFake } from "../../fakes/hetzner.ts";
import { startHttpreq } from "../../fakes/httpreq.ts";
import { startHuaweicloud } from "../../fakes/huaweicloud.ts";
import { startPowerdns } from "../../fakes/powerdns.ts";
import { startRoute53 } from "../../fakes/route53.ts";
import type { AdapterFake } from "../../providers/trial.ts";
import { asIssuer, createCluster, messageOf, name, ok, startReplica } from "./world.ts";

interface Adapter {
  readonly provider: Provider;
  readonly start: (zones: readonly DomainName[]) => Promise<AdapterFake>;
}

const adapters: readonly Adapter[] = [
  { provider: alidns, start: startAlidns },
  { provider: cloudflare, start: startCloudflareFake },
  { provider: desec, start: startDesecFake },
  { provider: dnspod, start: startDnspod },
  { provider: hetzner, start: startHetznerFake },
  { provider: httpreq, start: startHttpreq },
  { provider: huaweicloud, start: startHuaweicloud },
  { provider: powerdns, start: startPowerdns },
  { provider: route53, start: startRoute53 },
];
/** acme-dns has its own way (test/providers); rfc2136 is tried with real servers (test/real); the others stay here. */
const elsewhere = ["acme-dns", "exec", "memory", "rfc2136"];

test("every provider is tried here or said to be tried elsewhere", () => {
  expect([...adapters.map(({ provider }) => provider.id), ...elsewhere].sort()).toEqual(providerIds());
});

const apex = name("example.com");

describe.each(adapters)("$provider.id", ({ provider, start }) => {
  test("cert-manager's fixture, in strict mode and beyond it", async () => {
    const fake = await start([apex]);
    const cluster = createCluster();
    const config = asIssuer(provider, fake.config, cluster);
    const replicas = await Promise.all(
      [0, 1].map(() => startReplica([provider], { solver: provider.id, cluster, config })),
    );
    const [one, two] = replicas;
    if (one === undefined || two === undefined) throw new Error("two were started");
    const owner = name("cert-manager-dns01-tests.example.com");
    const asked = { dnsName: "example.com", resolvedFQDN: `${owner}.`, resolvedZone: "example.com." };
    const values = () => [...fake.values(apex, owner)].sort();
    expect(await one.present({ ...asked, key: "123d==" })).toEqual(ok);
    expect(await one.present({ ...asked, key: "123d==" })).toEqual(ok);
    expect(values()).toEqual(["123d=="]);
    expect(await two.present({ ...asked, key: "456e==" })).toEqual(ok);
    expect(values()).toEqual(["123d==", "456e=="]);
    // The other replica, twice, and once a value that was never there.
    expect(await two.cleanUp({ ...asked, key: "123d==" })).toEqual(ok);
    expect(await one.cleanUp({ ...asked, key: "123d==" })).toEqual(ok);
    expect(await one.cleanUp({ ...asked, key: "never==" })).toEqual(ok);
    expect(values()).toEqual(["456e=="]);
    expect(await one.cleanUp({ ...asked, key: "456e==" })).toEqual(ok);
    expect(values()).toEqual([]);
    for (const replica of replicas) await replica.solving.close();
    expect(fake.http.defects).toEqual([]);
    await (fake.stop?.() ?? fake.http.close());
  });

  test("scenario 8: Secret deleted before the clean-up", async () => {
    const fake = await start([apex]);
    const cluster = createCluster();
    const config = asIssuer(provider, fake.config, cluster);
    const first = await startReplica([provider], { solver: provider.id, cluster, config });
    const other = await startReplica([provider], {
      solver: provider.id,
      cluster,
      config,
      now: () => new Date("2030-01-02T03:04:05Z"),
    });
    const owner = name("_acme-challenge.example.com");
    expect(await first.present({})).toEqual(ok);
    expect(await first.present({ key: "second-value" })).toEqual(ok);
    cluster.remove("team-a");
    // Who presented it remembers how.
    expect(await first.cleanUp({})).toEqual(ok);
    expect([...fake.values(apex, owner)]).toEqual(["second-value"]);
    expect(first.eventsOf("leftover")).toEqual([]);
    // Another replica cannot know, ends all the same and says what stays.
    expect(await other.cleanUp({ key: "second-value" })).toEqual(ok);
    if (Object.keys(config).some((key) => key.endsWith("Ref"))) {
      expect([...fake.values(apex, owner)]).toEqual(["second-value"]);
      expect(other.eventsOf("leftover")).toMatchObject([
        { provider: provider.id, owner, zoneHint: apex, value: "second-value", at: "2030-01-02T03:04:05.000Z" },
      ]);
      expect(other.eventsOf("leftover")[0]?.reason).toMatch(/names Secret "credentials" .* there is none/);
    }
    await first.solving.close();
    await other.solving.close();
    await (fake.stop?.() ?? fake.http.close());
  });
});

test("acme-dns is served by both of its names", async () => {
  const config = {
    host: "http://127.0.0.1:1",
    username: "u",
    subdomain: "s",
    passwordSecretRef: { name: "a", key: "b" },
  };
  const cluster = createCluster();
  cluster.put("team-a", "a", { b: "hunter2hunter2" });
  const replica = await startReplica([acmeDns], { solver: "acmedns", cluster, config });
  expect(replica.solving.solvers()).toEqual(["acme-dns", "acmedns"]);
  expect(messageOf(await replica.present({}))).toMatch(/^acme-dns: /);
  await replica.solving.close();
});

test("what acts on the machine is never served", async () => {
  const exec = await loadProvider("exec");
  const replica = await startReplica([exec, await loadProvider("memory")], { solver: "exec" });
  expect(replica.solving.solvers()).toEqual(["memory"]);
  expect(messageOf(await replica.present({ config: { path: "/bin/true" } }))).toMatch(/there is no solver "exec"/);
  await replica.solving.close();
  const { createSolving } = await import("../../../src/webhook/solve/solving.ts");
  const { builtInProviders } = await import("../../../src/providers.ts");
  await expect(createSolving({ registry: builtInProviders(), providers: ["exec", "dnspdo"] })).rejects.toThrow(
    /exec acts on this machine and is never served[\s\S]*did you mean dnspod/,
  );
  const usual = await createSolving({ registry: builtInProviders() });
  expect(usual.solvers()).not.toContain("memory");
  expect(usual.solvers()).not.toContain("exec");
  expect(usual.solvers()).toEqual(
    expect.arrayContaining(["dnspod", "route53", "tencentcloud", "cloudflare", "rfc2136"]),
  );
  await usual.close();
});
