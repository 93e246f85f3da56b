import { expect, test } from "vitest";
import dnspod from "../../../providers/dnspod.ts";
import { type MemoryStore, memoryProvider } from "../../../providers/memory.ts";
import { fakeKey, startDnspod } from "../../fakes/dnspod.ts";
import { createCluster, messageOf, name, namespace, ok, startReplica } from "./world.ts";

const apex = name("example.com");
const owner = name("_acme-challenge.example.com");

test("memory: present, present again, clean up, clean up again; siblings stay", async () => {
  const store: MemoryStore = new Map([[`${apex} ${owner}`, new Set(["v=spf1 -all"])]]);
  const one = await startReplica([memoryProvider(store)], { solver: "memory" });
  const two = await startReplica([memoryProvider(store)], { solver: "memory" });
  expect(one.solving.solvers()).toEqual(["memory"]);
  expect(await one.present({})).toEqual(ok);
  expect(await one.present({})).toEqual(ok);
  expect([...(store.get(`${apex} ${owner}`) ?? [])]).toHaveLength(2);
  expect(await two.cleanUp({})).toEqual(ok);
  expect(await one.cleanUp({})).toEqual(ok);
  expect([...(store.get(`${apex} ${owner}`) ?? [])]).toEqual(["v=spf1 -all"]);
  expect(one.eventsOf("challenge.end").map(({ code, action }) => `${action} ${code}`)).toEqual([
    "Present OK",
    "Present OK",
    "CleanUp OK",
  ]);
  await one.solving.close();
  await two.solving.close();
});

test("the Issuer of another DNSPod webhook works unchanged", async () => {
  const fake = await startDnspod([apex]);
  const cluster = createCluster();
  cluster.put("cert-manager", "dnspod-secret", {
    "secret-id": `${fakeKey.secretId}\n`,
    "secret-key": fakeKey.secretKey,
  });
  const replica = await startReplica([dnspod], {
    solver: "dnspod",
    cluster,
    // What that README has, and where the fake is.
    config: {
      secretIdRef: { name: "dnspod-secret", key: "secret-id" },
      secretKeyRef: { name: "dnspod-secret", key: "secret-key" },
      ttl: 600,
      recordLine: "",
      endpoint: fake.http.url,
    },
  });
  const challenge = { resourceNamespace: "cert-manager" };
  expect(await replica.present(challenge)).toEqual(ok);
  expect(fake.values(apex, owner)).toHaveLength(1);
  expect(fake.ttlSeconds?.(apex, owner)).toBe(600);
  expect(await replica.cleanUp(challenge)).toEqual(ok);
  expect(fake.values(apex, owner)).toEqual([]);
  const text = JSON.stringify(replica.events);
  expect(text).not.toContain(fakeKey.secretKey);
  expect(text).not.toContain(fakeKey.secretId);
  expect(replica.eventsOf("engine").every(({ correlationId }) => /^call-[12]$/.test(correlationId))).toBe(true);
  await replica.solving.close();
  await fake.http.close();
});

test("a solver that is not served is answered with the nearest", async () => {
  const replica = await startReplica([memoryProvider()], { solver: "memroy" });
  expect(messageOf(await replica.present({}))).toBe(
    'memroy: solverName there is no solver "memroy"; did you mean memory?',
  );
  expect(namespace).toBe("team-a");
});

test("a clean-up of what can only have been refused ends; the same Present is told why not", async () => {
  const replica = await startReplica([memoryProvider()], { solver: "memory" });
  const unusable = { resolvedFQDN: `_acme-challenge.${"long-label.".repeat(30)}example.com.` };
  expect(messageOf(await replica.present(unusable))).toContain("resolvedFQDN");
  expect(await replica.cleanUp(unusable)).toEqual(ok);
  await replica.solving.close();
});
